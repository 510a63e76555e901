import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Input, randomInput, runKernel, runReference, sizes } from "../../test/helpers/kernels.ts";
import { Graph, stateTensor } from "../compiler/graph.ts";
import { dropout } from "./dropout.ts";
import type { Tensor } from "./op.ts";
import { philox4x32 } from "./philox.ts";

const stepInput = (step: number): Input => ({ shape: [1], batched: false, dtype: "int32", data: [step] });

/** Known answers of the authors' library Random123: counter, key, words. */
test.each([
  [[0, 0, 0, 0], [0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
  [Array(4).fill(2 ** 32 - 1), Array(2).fill(2 ** 32 - 1), "408f276d 41c83b0e a20bc7c6 6d5451fd"],
  [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], "d16cfe09 94fdcceb 5001e420 24126ea1"],
])("Philox of %j with key %j", (counter, key, words) => {
  const found = philox4x32(counter as never, key as never);
  expect(found.map((word) => word.toString(16).padStart(8, "0")).join(" ")).toBe(words);
});

describe("dropout", () => {
  const rate = fc.oneof(fc.constantFrom(0, 0.5, 1, 1e-12), fc.double({ min: 0, max: 1, noNaN: true }));
  const seed = fc.oneof(fc.constantFrom(0, 2 ** 53 - 1), fc.maxSafeNat());

  test("gives the bits of its reference, forward and backward, with any number of threads", () => {
    fc.assert(
      fc.property(sizes(5), sizes(37), rate, seed, fc.integer(), (batch, size, share, key, step) => {
        const inputs = [randomInput([size], batch, 1), stepInput(step)];
        const forward = { op: dropout, attributes: { rate: share, seed: key }, inputs, batch };
        const expected = runReference(forward);
        for (const threads of [1, 2, 3]) expect(runKernel({ ...forward, threads })).toEqual(expected);

        const mask: Input = { shape: [size], batched: true, dtype: "int32", data: expected.outputs[1]! };
        const op = backwardOf(size, share);
        const backward = { op, attributes: { rate: share }, inputs: [mask, randomInput([size], batch, 2)], batch };
        const slopes = runReference(backward);
        for (const threads of [1, 2, 3]) expect(runKernel({ ...backward, threads })).toEqual(slopes);
      }),
      { numRuns: 40 },
    );
  });

  /** The op of the gradient that the forward op builds. */
  function backwardOf(size: number, share: number) {
    const graph = new Graph();
    const batched = (name: string): Tensor => ({ name, shape: [size], batched: true, dtype: "float32" });
    graph.applyAll(dropout, { rate: share, seed: 1 }, batched("x"), stateTensor("step", [1], "int32"));
    dropout.gradient!(graph, graph.nodes[0] as never, [batched("dy")], [true, false]);
    return graph.nodes[1]!.op;
  }

  const [BATCH, SIZE] = [100, 1000];
  const keptOf = (share: number, key: number, step: number) => {
    const ones: Input = { shape: [SIZE], batched: true, data: new Float32Array(BATCH * SIZE).fill(1) };
    return runKernel({
      op: dropout,
      attributes: { rate: share, seed: key },
      inputs: [ones, stepInput(step)],
      batch: BATCH,
    }).outputs[0]! as Float32Array;
  };

  test.each([0.1, 0.25, 0.5, 0.9])("rate %d keeps the mean, and has the variance of that rate", (share) => {
    const values = keptOf(share, 7, 3);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    // Of values that are 1 / (1 - rate) with probability 1 - rate, else 0; within four standard errors.
    const expected = share / (1 - share);
    expect(Math.abs(mean - 1)).toBeLessThan(4 * Math.sqrt(expected / values.length));
    expect(variance / expected).toBeCloseTo(1, 1);
    expect(new Set(values)).toEqual(new Set([0, Math.fround(1 / (1 - share))]));
  });

  test("elements, steps and seeds are independent of each other", () => {
    const centred = (values: Float32Array) => values.map((value) => value - 1);
    const base = centred(keptOf(0.5, 7, 3));
    const correlation = (other: Float32Array, shift = 0) => {
      let sum = 0;
      for (let i = shift; i < base.length; i++) sum += base[i - shift]! * other[i]!;
      return sum / base.length;
    };
    // Values of -1 and 1: the standard error of a correlation of independent ones is 1 / √n.
    const bound = 4 / Math.sqrt(base.length);
    for (const shift of [1, 2, 3, 4, 8, 12, 16, SIZE]) expect(Math.abs(correlation(base, shift))).toBeLessThan(bound);
    for (const [key, step] of [
      [7, 4],
      [8, 3],
      [7 + 2 ** 32, 3],
    ] as const) {
      expect(Math.abs(correlation(centred(keptOf(0.5, key, step))))).toBeLessThan(bound);
    }
    expect(correlation(base)).toBe(1);
  });

  test("what is dropped is 0, be it infinite or no number", () => {
    const data = [Number.NaN, Number.POSITIVE_INFINITY, -3, 1];
    const inputs = [{ shape: [4], batched: true, data }, stepInput(0)];
    const { outputs } = runKernel({ op: dropout, attributes: { rate: 1, seed: 5 }, inputs, batch: 1 });
    expect(outputs[0]).toEqual(new Float32Array(4));
  });
});
