import fc from "fast-check";
import { expect, test } from "vitest";
import { expectMatchesReference, randomInput, runKernel, sizes } from "../../test/helpers/kernels.ts";
import { adamUpdate } from "./adam.ts";
import { matmulWeightGradient } from "./matmul-weight-gradient.ts";
import type { UpdateOp } from "./parameter-update.ts";
import { sgdUpdate } from "./sgd.ts";

const adam = { beta1: 0.9, beta2: 0.999, epsilon: 1e-7 };

test("adamUpdate matches its reference", () => {
  fc.assert(
    fc.property(sizes(50), fc.nat(), (size, seed) => {
      const [w, g, m] = [0, 1, 2].map((i) => randomInput([size], null, seed + i));
      const v = { ...m!, data: Array.from(m!.data, Math.abs) };
      const scalars = { shape: [1], batched: false, data: [0.01] };
      expectMatchesReference({ op: adamUpdate, attributes: adam, inputs: [w!, g!, m!, v, scalars], batch: 1 }, 2e-6);
    }),
    { numRuns: 20 },
  );
});

test("adamUpdate lets moments of gradients that stay zero end at zero, and keeps a NaN", () => {
  const state = (data: number[]) => ({ shape: [data.length], batched: false, data });
  const inputs = [state([1, 1]), state([0, Number.NaN]), state([1.2e-38, 0]), state([1.2e-38, 0]), state([0.1])];
  const after = runKernel({ op: adamUpdate, attributes: adam, inputs, batch: 1 }).inputs;
  expect(after[2]![0]).toBe(0);
  expect(after[0]![1]).toBeNaN();
});

test("sgdUpdate matches its reference, with and without momentum", () => {
  const momenta = fc.constantFrom(0, 0.9);
  fc.assert(
    fc.property(sizes(50), momenta, fc.boolean(), fc.nat(), (size, momentum, nesterov, seed) => {
      const slots = momentum > 0 ? [randomInput([size], null, seed + 2)] : [];
      const state = [randomInput([size], null, seed), randomInput([size], null, seed + 1), ...slots];
      const inputs = [...state, { shape: [1], batched: false, data: [0.01] }];
      expectMatchesReference({ op: sgdUpdate, attributes: { momentum, nesterov }, inputs, batch: 1 }, 1e-6);
    }),
    { numRuns: 20 },
  );
});

test("an update behind the gradient of a dense layer gives the bits of the two apart", () => {
  const state = fc.tuple(sizes(9), sizes(70), sizes(50), fc.boolean(), fc.nat());
  fc.assert(
    fc.property(state, ([batch, ins, outs, isAdam, seed]) => {
      const x = randomInput([ins], batch, seed, 0.5);
      const dy = randomInput([outs], batch, seed + 1, 0.4);
      const weights = [0, 1, 2].map((i) => randomInput([ins, outs], null, seed + 2 + i));
      const velocity = { ...weights[2]!, data: Array.from(weights[2]!.data, Math.abs) };
      const slots = isAdam ? [weights[1]!, velocity] : [weights[1]!];
      const scalars = { shape: [1], batched: false, data: [0.01] };
      const update = isAdam
        ? { op: adamUpdate as UpdateOp<unknown>, attributes: { ...adam, epsilon: 0.1 } }
        : { op: sgdUpdate as UpdateOp<unknown>, attributes: { momentum: 0.9, nesterov: true } };
      const [gradient] = runKernel({ op: matmulWeightGradient, attributes: {}, inputs: [x, dy], batch }).outputs;
      const apart = runKernel({
        ...update,
        inputs: [weights[0]!, { ...weights[0]!, data: gradient! }, ...slots, scalars],
        batch,
      }).inputs;
      const fused = { op: matmulWeightGradient, attributes: { update }, batch };
      const inputs = [x, dy, weights[0]!, ...slots, scalars];
      const together = runKernel({ ...fused, inputs }).inputs;
      expect(together.slice(2)).toEqual([apart[0], ...apart.slice(2)]);
      expectMatchesReference({ ...fused, inputs }, 2e-5);
    }),
    { numRuns: 30 },
  );
});
