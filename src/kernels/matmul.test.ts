import fc from "fast-check";
import { expect, test } from "vitest";
import {
  deadShares,
  expectMatchesReference,
  gradients,
  randomInput,
  runKernel,
  sizes,
} from "../../test/helpers/kernels.ts";
import { matmul } from "./matmul.ts";
import { matmulWeightGradient } from "./matmul-weight-gradient.ts";

test("matmul matches its reference, transposed or not, with bias and ReLU or a mask", () => {
  const last = fc.constantFrom("none", "bias", "mask");
  const cases = fc.tuple(sizes(11), sizes(800), sizes(90), fc.boolean(), fc.boolean(), last, fc.nat());
  fc.assert(
    fc.property(cases, ([batch, inner, outs, transposed, relu, kind, seed]) => {
      const masked = kind === "mask";
      const inputs = [
        randomInput([inner], batch, seed),
        randomInput(transposed ? [outs, inner] : [inner, outs], null, seed + 1),
        ...(kind === "none" ? [] : [randomInput([outs], masked ? batch : null, seed + 2)]),
      ];
      expectMatchesReference({ op: matmul, attributes: { transposed, relu: relu && !masked, masked }, inputs, batch });
    }),
    { numRuns: 40 },
  );
});

test.each([
  // Lists of all blocks at once, of one block and of three; block by block; many panels.
  [150, 450],
  [570, 117],
  [780, 90],
  [30, 2200],
])("matmul of a matrix that is large for the batch, %i x %i, matches its reference", (inner, outs) => {
  const batch = 5;
  const x = randomInput([inner], batch, 1);
  const [w, turned] = [randomInput([inner, outs], null, 2), randomInput([outs, inner], null, 2)];
  const bias = randomInput([outs], null, 3);
  const mask = randomInput([outs], batch, 4);
  expectMatchesReference({ op: matmul, attributes: { relu: true }, inputs: [x, w, bias], batch });
  expectMatchesReference({
    op: matmul,
    attributes: { transposed: true, masked: true },
    inputs: [x, turned, mask],
    batch,
  });
});

test("a sample's result does not depend on how many others are in the batch", () => {
  const x = randomInput([33], 9, 1);
  const w = randomInput([33, 21], null, 2);
  const whole = runKernel({ op: matmul, attributes: {}, inputs: [x, w], batch: 9 }).outputs[0]!;
  for (let n = 0; n < 9; n++) {
    const one = { ...x, data: Array.from(x.data).slice(n * 33, (n + 1) * 33) };
    const alone = runKernel({ op: matmul, attributes: {}, inputs: [one, w], batch: 1 }).outputs[0]!;
    expect(alone).toEqual(whole.slice(n * 21, (n + 1) * 21));
  }
});

test("zeros add nothing, whatever they are multiplied by; what is not a number reaches the result", () => {
  const product = (x: number[], w: number[]) => {
    const inputs = [
      { shape: [4], batched: true, data: x },
      { shape: [4, 2], batched: false, data: w },
    ];
    return [...runKernel({ op: matmul, attributes: {}, inputs, batch: 1 }).outputs[0]!];
  };
  const w = [1, 2, Number.NaN, Number.POSITIVE_INFINITY, 3, 4, 5, 6];
  expect(product([1, 0, 1, 0], w)).toEqual([4, 6]);
  expect(product([1, -0, 1, 0], w)).toEqual([4, 6]);
  expect(product([1, 1, 1, 0], w)).toEqual([Number.NaN, Number.POSITIVE_INFINITY]);
  expect(product([1, Number.NaN, 1, 0], [1, 1, 1, 1, 1, 1, 1, 1])).toEqual([Number.NaN, Number.NaN]);
});

test("matmulWeightGradient with the gradient of its inputs matches its reference", () => {
  fc.assert(
    fc.property(sizes(9), sizes(75), sizes(60), deadShares, fc.nat(), (batch, ins, outs, dead, seed) => {
      const x = randomInput([ins], batch, seed, 0.5);
      const inputs = [x, gradients(outs, batch, seed + 1, dead), randomInput([ins, outs], null, seed + 3)];
      const attributes = { inputGradient: true };
      expectMatchesReference({ op: matmulWeightGradient, attributes, inputs, batch });
    }),
    { numRuns: 30 },
  );
});

test("matmulWeightGradient matches its reference", () => {
  fc.assert(
    fc.property(sizes(9), sizes(75), sizes(90), deadShares, fc.nat(), (batch, ins, outs, dead, seed) => {
      const inputs = [randomInput([ins], batch, seed), gradients(outs, batch, seed + 1, dead)];
      expectMatchesReference({ op: matmulWeightGradient, attributes: {}, inputs, batch });
    }),
    { numRuns: 30 },
  );
});

test("matmulWeightGradient keeps columns that one sample alone has, and what is not a number", () => {
  const x = { shape: [1], batched: true, data: [3, 5] };
  const dy = { shape: [5], batched: true, data: [0, 0, 0, Number.NaN, 0, 0, 2, 0, 1, 0] };
  const [dw] = runKernel({ op: matmulWeightGradient, attributes: {}, inputs: [x, dy], batch: 2 }).outputs;
  expect(Array.from(dw!)).toEqual([0, 10, 0, Number.NaN, 0]);
});
