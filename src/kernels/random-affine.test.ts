import { describe, expect, test } from "vitest";
import { expectMatchesReference, type Input, runKernel } from "../../test/helpers/kernels.ts";
import { type AffineFormula, randomAffine } from "./random-affine.ts";

const stepInput = (step: number): Input => ({ shape: [1], batched: false, dtype: "int32", data: [step] });

/** What was drawn, as it is. */
const drawn: AffineFormula = (m, [a, b, c, d]) => [a!, b!, c!, d!, m.constant(0), m.constant(0)];

const RANGES = [
  [-1, 1],
  [0.25, 0.5],
  [3, 3],
  [-20, -10],
] as const;
const BATCH = 4000;

const drawsOf = (seed: number, step: number) => {
  const attributes = { seed, ranges: RANGES, formula: drawn };
  const { outputs } = runKernel({ op: randomAffine, attributes, inputs: [stepInput(step)], batch: BATCH });
  return RANGES.map((_, k) => Array.from({ length: BATCH }, (_, n) => outputs[0]![n * 6 + k]!));
};

const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe("randomAffine", () => {
  test.each([0, 1, 2 ** 53 - 1])("matches its reference with seed %d, for any number of threads", (seed) => {
    for (const step of [0, 7, -1]) {
      const attributes = { seed, ranges: RANGES, formula: drawn };
      expectMatchesReference({ op: randomAffine, attributes, inputs: [stepInput(step)], batch: 37 }, 1e-6);
    }
  });

  test("has sines and cosines exact to 2e-7, over two turns", () => {
    const formula: AffineFormula = (m, [angle]) => {
      return [m.sin(angle!), m.cos(angle!), angle!, angle!, angle!, angle!];
    };
    const attributes = { seed: 3, ranges: [[-4 * Math.PI, 4 * Math.PI]] as const, formula };
    const [found] = runKernel({ op: randomAffine, attributes, inputs: [stepInput(0)], batch: BATCH }).outputs;
    let worst = 0;
    for (let n = 0; n < BATCH; n++) {
      const [sine, cosine, angle] = found!.subarray(n * 6, n * 6 + 3) as unknown as [number, number, number];
      worst = Math.max(worst, Math.abs(sine - Math.sin(angle)), Math.abs(cosine - Math.cos(angle)));
    }
    expect(worst).toBeLessThan(2e-7);
    expect(worst).toBeGreaterThan(0);
  });

  test("draws uniformly from its ranges", () => {
    for (const [k, values] of drawsOf(5, 2).entries()) {
      const [lower, upper] = RANGES[k]!;
      expect(Math.min(...values)).toBeGreaterThanOrEqual(lower);
      expect(Math.max(...values)).toBeLessThanOrEqual(upper);
      const width = upper - lower;
      // The standard error of the mean is width / √(12 n); of each tenth's share √(0.09 / n).
      expect(Math.abs(meanOf(values) - (lower + upper) / 2)).toBeLessThanOrEqual((4 * width) / Math.sqrt(12 * BATCH));
      if (width === 0) continue;
      for (let tenth = 0; tenth < 10; tenth++) {
        const share = values.filter((value) => Math.floor((10 * (value - lower)) / width) === tenth).length / BATCH;
        expect(Math.abs(share - 0.1)).toBeLessThan(4 * Math.sqrt(0.09 / BATCH));
      }
    }
  });

  test("samples, numbers, steps and seeds are independent of each other", () => {
    const base = drawsOf(5, 2);
    const centred = (values: readonly number[]) => {
      const mean = meanOf(values);
      const deviation = Math.sqrt(meanOf(values.map((value) => (value - mean) ** 2)));
      return values.map((value) => (value - mean) / deviation);
    };
    const correlation = (a: readonly number[], b: readonly number[], shift = 0) => {
      const [x, y] = [centred(a), centred(b)];
      return meanOf(x.slice(shift).map((value, i) => value * y[i]!));
    };
    const bound = 4 / Math.sqrt(BATCH);
    expect(correlation(base[0]!, base[0]!)).toBeCloseTo(1, 6);
    for (const shift of [1, 2, 3, 4]) expect(Math.abs(correlation(base[0]!, base[0]!, shift))).toBeLessThan(bound);
    expect(Math.abs(correlation(base[0]!, base[1]!))).toBeLessThan(bound);
    expect(Math.abs(correlation(base[1]!, base[3]!))).toBeLessThan(bound);
    for (const [seed, step] of [
      [5, 3],
      [6, 2],
      [5 + 2 ** 32, 2],
    ] as const) {
      expect(Math.abs(correlation(base[0]!, drawsOf(seed, step)[0]!))).toBeLessThan(bound);
    }
  });
});
