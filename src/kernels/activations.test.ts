import fc from "fast-check";
import { expect, test } from "vitest";
import { expectMatchesReference, type Input, randomInput, runKernel, sizes } from "../../test/helpers/kernels.ts";
import { relu, reluGradient, sigmoid, sigmoidGradient, tanh, tanhGradient } from "./activations.ts";
import { biasAdd } from "./bias-add.ts";
import { channelSum } from "./channel-sum.ts";
import type { Op } from "./op.ts";
import { softmax, softmaxGradient } from "./softmax.ts";

const scaled = (input: Input, factor: number): Input => ({ ...input, data: Array.from(input.data, (x) => x * factor) });

test.each([relu, sigmoid, tanh, softmax])("$name matches its reference", (op) => {
  fc.assert(
    fc.property(
      sizes(9),
      sizes(23),
      fc.double({ min: 0.01, max: 30, noNaN: true }),
      fc.nat(),
      (batch, size, scale, seed) => {
        const inputs = [scaled(randomInput([size], batch, seed), scale)];
        expectMatchesReference({ op, attributes: {}, inputs, batch }, 4e-7);
      },
    ),
    { numRuns: 25 },
  );
});

test.each([reluGradient, sigmoidGradient, tanhGradient, softmaxGradient])("$name matches its reference", (op) => {
  fc.assert(
    fc.property(sizes(9), sizes(23), fc.nat(), (batch, size, seed) => {
      const inputs = [randomInput([size], batch, seed), randomInput([size], batch, seed + 1)];
      expectMatchesReference({ op, attributes: {}, inputs, batch }, 2e-6);
    }),
    { numRuns: 25 },
  );
});

const one = (op: Op<object>, data: number[]) =>
  Array.from(
    runKernel({ op, attributes: {}, inputs: [{ shape: [data.length], batched: true, data }], batch: 1 }).outputs[0]!,
  );

test("activations keep a NaN and stand extremes", () => {
  expect(one(relu, [Number.NaN, -1, 2])).toEqual([Number.NaN, 0, 2]);
  expect(one(sigmoid, [-1000, 0, 1000])).toEqual([expect.closeTo(0, 30), 0.5, 1]);
  expect(one(tanh, [-1000, -0.25, 1000])).toEqual([-1, expect.closeTo(Math.tanh(-0.25), 7), 1]);
  expect(one(softmax, [1000, 0])).toEqual([1, expect.closeTo(0, 30)]);
});

test("biasAdd and channelSum match their references", () => {
  fc.assert(
    fc.property(sizes(5), sizes(4), sizes(4), sizes(19), fc.nat(), (batch, height, width, channels, seed) => {
      const image = randomInput([height, width, channels], batch, seed);
      const bias = randomInput([channels], null, seed + 1);
      expectMatchesReference({ op: biasAdd, attributes: {}, inputs: [image, bias], batch });
      expectMatchesReference({ op: channelSum, attributes: {}, inputs: [image], batch });
    }),
    { numRuns: 25 },
  );
});
