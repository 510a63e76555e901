import fc from "fast-check";
import { expect, test } from "vitest";
import { expectMatchesReference, randomInput, runKernel, sizes } from "../../test/helpers/kernels.ts";
import { matmul } from "./matmul.ts";
import { matmulWeightGradient } from "./matmul-weight-gradient.ts";

test("matmul matches its reference, transposed or not, with bias and ReLU or a mask", () => {
  const last = fc.constantFrom("none", "bias", "mask");
  const cases = fc.tuple(sizes(11), sizes(300), sizes(90), fc.boolean(), fc.boolean(), last, fc.nat());
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

test("matmulWeightGradient matches its reference", () => {
  fc.assert(
    fc.property(sizes(9), sizes(75), sizes(21), fc.nat(), (batch, ins, outs, seed) => {
      const inputs = [randomInput([ins], batch, seed), randomInput([outs], batch, seed + 1)];
      expectMatchesReference({ op: matmulWeightGradient, attributes: {}, inputs, batch });
    }),
    { numRuns: 30 },
  );
});
