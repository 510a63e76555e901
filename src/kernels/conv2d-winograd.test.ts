import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expectMatchesReference, randomInput, runKernel, runReference, sizes } from "../../test/helpers/kernels.ts";
import { conv2d } from "./conv2d.ts";
import { bestFiltering } from "./conv2d-winograd.ts";
import { convolutionOutput, type Padding } from "./window.ts";
import { filtering } from "./winograd.ts";

const multiply = (matrix: readonly (readonly number[])[], vector: readonly number[]) =>
  matrix.map((row) => row.reduce((sum, value, i) => sum + value * vector[i]!, 0));

test.each([
  [2, 3],
  [4, 3],
  [2, 5],
])("F(%i, %i) filters", (m, r) => {
  const { input, kernel, output, n } = filtering(m, r);
  const signal = Array.from({ length: n }, (_, i) => Math.sin(i + 1));
  const taps = Array.from({ length: r }, (_, i) => Math.cos(3 * i));
  const transformed = multiply(kernel, taps);
  const found = multiply(
    output,
    multiply(input, signal).map((value, i) => value * transformed[i]!),
  );
  const expected = found.map((_, i) => taps.reduce((sum, tap, k) => sum + tap * signal[i + k]!, 0));
  for (const [i, value] of found.entries()) expect(value).toBeCloseTo(expected[i]!, 12);
});

const geometries = fc
  .record({
    batch: sizes(5),
    size: fc.tuple(fc.integer({ min: 5, max: 19 }), fc.integer({ min: 5, max: 23 })),
    r: fc.constantFrom(3, 5),
    pads: fc.tuple(fc.nat(4), fc.nat(4), fc.nat(4), fc.nat(4)),
    channels: fc.integer({ min: 6, max: 14 }),
    outs: fc.integer({ min: 9, max: 21 }),
    seed: fc.nat(),
    pool: fc.boolean(),
    relu: fc.boolean(),
  })
  .map(({ size, r, pads, channels, outs, ...rest }) => {
    const padding = pads.map((side) => Math.min(side, r - 1)) as unknown as Padding;
    const image = [...size, channels];
    const weights = [r, r, channels, outs];
    return { ...rest, padding, image, weights, output: convolutionOutput(image, weights, [1, 1], padding) };
  })
  .filter(({ output, pool }) => Math.min(...output) >= (pool ? 2 : 1))
  .filter(({ output, weights }) => bestFiltering(weights, output) !== undefined);

test("matches the reference, with bias, ReLU and pooling", () => {
  fc.assert(
    fc.property(geometries, ({ batch, padding, image, weights, seed, pool, relu }) => {
      const inputs = [
        randomInput(image, batch, seed, 0.6),
        randomInput(weights, null, seed + 1, 0),
        randomInput(weights.slice(3), null, seed + 2),
      ];
      expectMatchesReference({ op: conv2d, attributes: { strides: [1, 1], padding, relu, pool }, inputs, batch }, 5e-5);
    }),
    { numRuns: 30 },
  );
});

/** The recipe's second convolution, without ReLU so that errors show. */
const recipe = { image: [14, 14, 20], weights: [5, 5, 20, 50], padding: [2, 2, 2, 2] as Padding };

describe("errors against double precision, largest output about 2", () => {
  const scaled = (input: ReturnType<typeof randomInput>, by: number) => ({
    ...input,
    data: Float32Array.from(input.data, (value) => value * by),
  });
  test.each([
    ["F(2x2, 5x5)", recipe, 6e-6],
    ["F(4x4, 3x3)", { ...recipe, weights: [3, 3, 20, 50], padding: [1, 1, 1, 1] as Padding }, 4e-6],
  ])("%s", (_, { image, weights, padding }, limit) => {
    const inputs = [randomInput(image, 2, 1, 0.4), scaled(randomInput(weights, null, 2, 0), 0.1)];
    const attributes = { strides: [1, 1] as const, padding };
    for (const relaxedSimd of [true, false]) {
      const found = runKernel({ op: conv2d, attributes, inputs, batch: 2, relaxedSimd }).outputs[0]!;
      const expected = runReference({ op: conv2d, attributes, inputs, batch: 2 }).outputs[0]!;
      const worst = Math.max(...Array.from(found, (value, i) => Math.abs(value - expected[i]!)));
      expect(Math.max(...expected)).toBeGreaterThan(1);

      expect(worst).toBeLessThan(limit);
    }
  });
});

test("outputs of windows that are all zero are exactly zero, and exactly the bias", () => {
  const { image, weights, padding } = recipe;
  const [height, width, channels] = image as [number, number, number];
  const batch = 3;
  const x = randomInput(image, batch, 4, 0);
  const isBlank = (sample: number, row: number, column: number) =>
    sample === 0 ? column > 6 : (row - 5) ** 2 + (column - 8) ** 2 > 20 * sample;
  const data = Float32Array.from(x.data, (value, i) => {
    const pixel = Math.floor(i / channels);
    const row = Math.floor(pixel / width) % height;
    return isBlank(Math.floor(pixel / width / height), row, pixel % width) ? 0 : value;
  });
  const bias = randomInput(weights.slice(3), null, 6, 0);
  const inputs = [{ ...x, data }, randomInput(weights, null, 5, 0)];
  const attributes = { strides: [1, 1] as const, padding };
  const expected = runReference({ op: conv2d, attributes, inputs, batch }).outputs[0]!;
  const plain = runKernel({ op: conv2d, attributes, inputs, batch }).outputs[0]!;
  const biased = runKernel({ op: conv2d, attributes, inputs: [...inputs, bias], batch }).outputs[0]!;
  let zeros = 0;
  for (const [i, value] of expected.entries()) {
    if (value !== 0) continue;
    zeros++;
    if (plain[i] !== 0 || biased[i] !== bias.data[i % bias.data.length]) {
      expect.fail(`element ${i}: ${plain[i]} in place of 0, ${biased[i]} in place of the bias`);
    }
  }
  expect(zeros / expected.length).toBeGreaterThan(0.2);
  expect(zeros / expected.length).toBeLessThan(0.8);
});
