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
import { adadeltaUpdate } from "./adadelta.ts";
import { adamUpdate } from "./adam.ts";
import { clipFactors, squareSums } from "./gradient-norms.ts";
import { matmulWeightGradient } from "./matmul-weight-gradient.ts";
import type { UpdateOp } from "./parameter-update.ts";
import { rmspropUpdate } from "./rmsprop.ts";
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
  const gradients = state([0, Number.NaN, 0, 0]);
  const moments = [state([1.2e-38, 0, 1e-30, 2e-30]), state([1.176e-38, 0, 1e-30, 1e-30])];
  const inputs = [state([1, 1, 1, 1]), gradients, ...moments, state([0.1])];
  const [weights, , m, v] = runKernel({ op: adamUpdate, attributes: adam, inputs, batch: 1 }).inputs;
  expect(m![0]).toBe(0);
  expect(v![0]).toBe(0);
  expect(weights![1]).toBeNaN();
  // Its product with α would be denormal long before the moment is.
  expect(m![2]).toBe(0);
  expect(m![3]).toBeCloseTo(1.8e-30, 35);
  expect(v![2]).toBeCloseTo(1e-30, 32);
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

const rmsprop = { rho: 0.9, epsilon: 0.01 };
const kinds: readonly (readonly [string, UpdateOp<unknown>, object, number])[] = [
  ["adam", adamUpdate as UpdateOp<unknown>, { ...adam, epsilon: 0.01 }, 2],
  ["amsgrad", adamUpdate as UpdateOp<unknown>, { ...adam, epsilon: 0.01, amsgrad: true }, 3],
  ["rmsprop", rmspropUpdate as UpdateOp<unknown>, { ...rmsprop, momentum: 0, centered: false }, 1],
  ["rmsprop, momentum", rmspropUpdate as UpdateOp<unknown>, { ...rmsprop, momentum: 0.8, centered: false }, 2],
  ["adadelta", adadeltaUpdate as UpdateOp<unknown>, { rho: 0.9, epsilon: 0.01 }, 2],
  ["sgd", sgdUpdate as UpdateOp<unknown>, { momentum: 0.9, nesterov: true }, 1],
];

test.each(kinds)("%s matches its reference with decay, clipping and factors, or without", (_, op, own, slots) => {
  const common = fc.constantFrom({}, { decays: true }, { clipvalue: 0.3 }, { decays: true, factor: 1, clipvalue: 0.3 });
  fc.assert(
    fc.property(sizes(50), common, fc.nat(), (size, extra, seed) => {
      const [weight, gradient, ...state] = Array.from({ length: 2 + slots }, (_, i) => {
        const input = randomInput([size], null, seed + i);
        return i < 2 ? input : { ...input, data: Array.from(input.data, Math.abs) };
      });
      const scalars = { shape: [2], batched: false, data: [0.05, 0.01] };
      const factors = "factor" in extra ? [{ shape: [2], batched: false, data: [7, 0.4] }] : [];
      const inputs = [weight!, gradient!, ...state, scalars, ...factors];
      expectMatchesReference({ op, attributes: { ...own, ...extra }, inputs, batch: 1 }, 3e-6);
    }),
    { numRuns: 20 },
  );
});

test("a centred rmsprop matches its reference", () => {
  const inputs = [0, 1, 2, 3].map((seed) => randomInput([37], null, seed));
  const velocity = { ...inputs[2]!, data: Array.from(inputs[2]!.data, (x) => x * x + 1) };
  const scalars = { shape: [1], batched: false, data: [0.05] };
  const attributes = { ...rmsprop, momentum: 0, centered: true };
  const all = [inputs[0]!, inputs[1]!, velocity, inputs[3]!, scalars];
  expectMatchesReference({ op: rmspropUpdate, attributes, inputs: all, batch: 1 }, 2e-6);
});

test("squares of gradients are summed chunk by chunk, with the same bits for any number of threads", () => {
  const lengths = [1, 4095, 4096, 4097, 3, 20_483];
  const inputs = lengths.map((length, seed) => randomInput([length], null, seed));
  expectMatchesReference({ op: squareSums, attributes: {}, inputs, batch: 1 }, 1e-7);
  const [sums] = runKernel({ op: squareSums, attributes: {}, inputs, batch: 1 }).outputs;
  const all = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value, 0);
  const expected = inputs.flatMap(({ data }) => Array.from(data, (x) => x * x));
  expect(all(sums!) / all(expected)).toBeCloseTo(1, 6);
});

test.each([false, true])(
  "factors bring gradients down to the norm and leave smaller ones, all together: %s",
  (isGlobal) => {
    const sums = { shape: [4], batched: false, data: [9, 7, 0.25, 0] };
    const attributes = { norm: 2, isGlobal, chunks: [2, 1, 1] };
    expectMatchesReference({ op: clipFactors, attributes, inputs: [sums], batch: 1 }, 1e-7);
    const [factors] = runKernel({ op: clipFactors, attributes, inputs: [sums], batch: 1 }).outputs;
    const whole = 2 / Math.sqrt(16.25);
    const expected = isGlobal ? [whole, whole, whole] : [0.5, 1, 1];
    for (const [i, factor] of expected.entries()) expect(factors![i]).toBeCloseTo(factor, 6);
  },
);

test("a gradient that is not a number leaves no factor", () => {
  const inputs = [{ shape: [2], batched: false, data: [Number.NaN, 1] }];
  const attributes = { norm: 2, chunks: [1, 1] };
  const run = (isGlobal: boolean) =>
    Array.from(runKernel({ op: clipFactors, attributes: { ...attributes, isGlobal }, inputs, batch: 1 }).outputs[0]!);
  expect(run(false)).toEqual([Number.NaN, 1]);
  expect(run(true)).toEqual([Number.NaN, Number.NaN]);
});

test("an update behind the gradient of a dense layer gives the bits of the two apart", () => {
  const state = fc.tuple(sizes(9), sizes(70), sizes(50), deadShares, fc.boolean(), fc.boolean(), fc.nat());
  fc.assert(
    fc.property(state, ([batch, ins, outs, dead, isAdam, inputGradient, seed]) => {
      const x = randomInput([ins], batch, seed, 0.5);
      const dy = gradients(outs, batch, seed + 5, dead);
      const weights = [0, 1, 2].map((i) => randomInput([ins, outs], null, seed + 2 + i));
      const velocity = { ...weights[2]!, data: Array.from(weights[2]!.data, Math.abs) };
      const slots = isAdam ? [weights[1]!, velocity] : [weights[1]!];
      const scalars = { shape: [1], batched: false, data: [0.01] };
      const update = isAdam
        ? { op: adamUpdate as UpdateOp<unknown>, attributes: { ...adam, epsilon: 0.1 } }
        : { op: sgdUpdate as UpdateOp<unknown>, attributes: { momentum: 0.9, nesterov: true } };
      const own = { op: matmulWeightGradient, attributes: { inputGradient }, batch };
      const gradient = runKernel({ ...own, inputs: inputGradient ? [x, dy, weights[0]!] : [x, dy] }).outputs.at(-1);
      const apart = runKernel({
        ...update,
        inputs: [weights[0]!, { ...weights[0]!, data: gradient! }, ...slots, scalars],
        batch,
      }).inputs;
      const fused = { op: matmulWeightGradient, attributes: { update, inputGradient }, batch };
      const inputs = [x, dy, weights[0]!, ...slots, scalars];
      const together = runKernel({ ...fused, inputs }).inputs;
      expect(together.slice(2)).toEqual([apart[0], ...apart.slice(2)]);
      expectMatchesReference({ ...fused, inputs }, 2e-5);
    }),
    { numRuns: 30 },
  );
});
