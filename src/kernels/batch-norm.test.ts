import fc from "fast-check";
import { test } from "vitest";
import { expectMatchesReference, type Input, randomInput, sizes } from "../../test/helpers/kernels.ts";
import { batchMoments, batchNorm, batchNormInputGradient, batchNormSums, movingAverage } from "./batch-norm.ts";

const cases = fc.record({
  batch: sizes(4),
  shape: fc.oneof(fc.tuple(sizes(37)), fc.tuple(sizes(4), sizes(3), sizes(37))),
  scale: fc.boolean(),
  center: fc.boolean(),
  ofBatch: fc.boolean(),
  relu: fc.boolean(),
  seed: fc.nat(),
});

test("the kernels of batch normalization match their references", () => {
  fc.assert(
    fc.property(cases, ({ batch, shape, seed, ...flags }) => {
      const attributes = { ...flags, epsilon: 1e-3 };
      const vector = (more: number, positive = false): Input => {
        const input = randomInput(shape.slice(-1), null, seed + more);
        return positive ? { ...input, data: Array.from(input.data, (value) => Math.abs(value) + 0.1) } : input;
      };
      const x = randomInput(shape, batch, seed);
      const dy = randomInput(shape, batch, seed + 1);
      const moments = [vector(2), vector(3, true)];
      const gamma = flags.scale ? [vector(4)] : [];
      const beta = flags.center ? [vector(5)] : [];
      const sums = flags.ofBatch ? [vector(6), vector(7)] : [];
      expectMatchesReference({ op: batchMoments, attributes: {}, inputs: [x], batch });
      expectMatchesReference({ op: batchNorm, attributes, inputs: [x, ...moments, ...gamma, ...beta], batch });
      expectMatchesReference({ op: batchNormSums, attributes, inputs: [x, ...moments, dy], batch });
      const inputs = [x, ...moments, dy, ...gamma, ...sums];
      expectMatchesReference({ op: batchNormInputGradient, attributes, inputs, batch });
      expectMatchesReference({ op: movingAverage, attributes: { momentum: 0.9 }, inputs: moments, batch });
    }),
    { numRuns: 40 },
  );
});
