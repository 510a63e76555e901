import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  expectClose,
  expectMatchesReference,
  type Input,
  randomInput,
  runKernel,
  runReference,
  sizes,
} from "../../test/helpers/kernels.ts";
import { type Conv2dAttributes, conv2d, filteringOf } from "./conv2d.ts";
import { filterKernel } from "./filter-kernel.ts";
import { filteredConv2d } from "./filtered-conv2d.ts";
import { bestFiltering } from "./filtering-plan.ts";
import type { TensorType, Value } from "./op.ts";
import { convolutionOutput, type Padding } from "./window.ts";
import { positionOf } from "./winners.ts";
import { matricesOf } from "./winograd.ts";

const multiply = (matrix: readonly (readonly number[])[], vector: readonly number[]) =>
  matrix.map((row) => row.reduce((sum, value, i) => sum + value * vector[i]!, 0));

test.each([
  [2, 3],
  [4, 3],
  [2, 5],
  [4, 5],
  [5, 5],
])("F(%i, %i) filters", (m, r) => {
  const { input, kernel, output, n } = { ...matricesOf(m, r), n: m + r - 1 };
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

/** `filteredConv2d` with inputs as `conv2d` has them: the kernel is transformed by `filterKernel`. */
function filtered(
  attributes: Conv2dAttributes,
  inputs: readonly Input[],
  { settles = true, ...options }: { settles?: boolean; relaxedSimd?: boolean } = {},
) {
  const [x, kernel, ...bias] = inputs as [Input, Input, ...Input[]];
  const own = { method: filteringOf(attributes, x as TensorType, kernel as TensorType)!, settles };
  const made = { op: filterKernel, attributes: own, inputs: [kernel], batch: 1, ...options };
  const types = filterKernel.infer(own, [kernel as TensorType]);
  const transformed = runKernel(made).outputs.map((data, i) => {
    // Behind the last channel may be anything.
    return { ...types[i]!, data: Array.from(data, (value) => (Number.isNaN(value) ? 1e30 : value)) };
  });
  return { op: filteredConv2d, attributes: { ...attributes, ...own }, inputs: [x, kernel, ...transformed, ...bias] };
}

const scaled = (input: ReturnType<typeof randomInput>, by: number) => ({
  ...input,
  data: Float32Array.from(input.data, (value) => value * by),
});

interface Geometry {
  readonly image: readonly number[];
  readonly weights: readonly number[];
  readonly padding: Padding;
}

/** The method that convolutions of that geometry take. */
function methodOf({ image, weights, padding }: Geometry) {
  const [height, width] = image as [number, number];
  const output = convolutionOutput(image, weights, [1, 1], padding);
  return bestFiltering(weights, { size: [height, width], top: padding[0], left: padding[2], output });
}

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
    settles: fc.boolean(),
  })
  .map(({ size, r, pads, channels, outs, ...rest }) => {
    const padding = pads.map((side) => Math.min(side, r - 1)) as unknown as Padding;
    const image = [...size, channels];
    const weights = [r, r, channels, outs];
    return { ...rest, padding, image, weights, output: convolutionOutput(image, weights, [1, 1], padding) };
  })
  .filter(({ output, pool }) => Math.min(...output) >= (pool ? 2 : 1))
  .filter((geometry) => methodOf(geometry) !== undefined);

test("matches the reference, with bias, ReLU and pooling", () => {
  fc.assert(
    fc.property(geometries, ({ batch, padding, image, weights, seed, pool, relu, settles }) => {
      const inputs = [
        randomInput(image, batch, seed, 0.6),
        scaled(randomInput(weights, null, seed + 1, 0), 0.1),
        randomInput(weights.slice(3), null, seed + 2),
      ];
      const attributes = { strides: [1, 1] as const, padding, relu, pool };
      if (settles) expectMatchesReference({ ...filtered(attributes, inputs), batch }, 4e-5);
      else {
        // Winners may be others than those of the reference, and nobody asks for them.
        const unsettled = { ...filtered(attributes, inputs, { settles }), batch };
        for (const threads of [1, 3]) {
          expectClose(runKernel({ ...unsettled, threads }).outputs[0]!, runReference(unsettled).outputs[0]!, 4e-5);
        }
      }
    }),
    { numRuns: 30 },
  );
});

const NO_PADDING: Padding = [0, 0, 0, 0];

test.each([
  [8, 8, 3, NO_PADDING],
  [8, 6, 5, [2, 2, 2, 2]],
  [12, 12, 3, NO_PADDING],
  [12, 12, 5, NO_PADDING],
  [12, 10, 5, [2, 2, 2, 2]],
  [16, 15, 3, [1, 1, 1, 1]],
  [16, 16, 5, NO_PADDING],
  [16, 13, 5, [3, 1, 0, 3]],
] as const)("polynomials of degree below %i: images of %i, kernels of %i", (n, size, r, padding) => {
  const [image, weights] = [
    [size, size, 6],
    [r, r, 6, 9],
  ];
  expect(methodOf({ image, weights, padding })?.name).toBe(`Fourier ${n}`);
  const inputs = [randomInput(image, 3, 1, 0.6), scaled(randomInput(weights, null, 2, 0), 0.1)];
  expectMatchesReference({ ...filtered({ strides: [1, 1], padding }, inputs), batch: 3 }, 1e-6);
});

test("one channel is convolved directly", () => {
  expect(methodOf({ image: [28, 28, 1], weights: [5, 5, 1, 64], padding: NO_PADDING })).toBeUndefined();
  expect(methodOf({ image: [36, 36, 3], weights: [5, 5, 3, 32], padding: NO_PADDING })?.name).toBe("F(5x5, 5x5)");
});

test("a transformed kernel of many megabytes is left to smaller tiles", () => {
  const image = (channels: number) => ({ image: [14, 14, channels], padding: [1, 1, 1, 1] as Padding });
  expect(methodOf({ ...image(64), weights: [3, 3, 64, 64] })?.name).toBe("Fourier 16");
  expect(methodOf({ ...image(256), weights: [3, 3, 256, 256] })?.name).toBe("F(4x4, 3x3)");
});

/** The recipe's second convolution, without ReLU so that errors show. */
const recipe: Geometry = { image: [14, 14, 20], weights: [5, 5, 20, 50], padding: [2, 2, 2, 2] };

/** Each method, with a convolution that takes it. */
const METHODS = {
  "Fourier 16": recipe,
  "Fourier 12": { ...recipe, image: [12, 12, 20], padding: NO_PADDING },
  "Fourier 8": { ...recipe, image: [7, 7, 20], weights: [3, 3, 20, 50], padding: [1, 1, 1, 1] },
  "F(5x5, 5x5)": { ...recipe, image: [18, 18, 20] },
  "F(4x4, 5x5)": { ...recipe, image: [10, 20, 20], padding: NO_PADDING },
  "F(2x2, 5x5)": { ...recipe, image: [6, 6, 20], padding: NO_PADDING },
  "F(4x4, 3x3)": { image: [18, 18, 20], weights: [3, 3, 20, 50], padding: [1, 1, 1, 1] },
} satisfies Record<string, Geometry>;

/** What sums in order err by, in single precision, for the inputs of the test below. */
function directErrors({ image, weights, padding }: Geometry): number[] {
  const [height, width, channels] = image as [number, number, number];
  const [r, , , outs] = weights as [number, number, number, number];
  const [x, kernel] = [randomInput(image, 2, 1, 0.4), scaled(randomInput(weights, null, 2, 0), 0.1)];
  const [rows, columns] = convolutionOutput(image, weights, [1, 1], padding);
  return Array.from({ length: 2 * rows * columns * outs }, (_, i) => {
    const [out, column, row] = [i % outs, Math.floor(i / outs) % columns, Math.floor(i / outs / columns) % rows];
    const sample = Math.floor(i / outs / columns / rows);
    let [sum, exact] = [0, 0];
    for (let tap = 0; tap < r * r * channels; tap++) {
      const [y, left] = [
        row + Math.floor(tap / channels / r) - padding[0],
        column + (Math.floor(tap / channels) % r) - padding[2],
      ];
      if (y < 0 || y >= height || left < 0 || left >= width) continue;
      const pixel = (sample * height + y) * width + left;
      const product = x.data[pixel * channels + (tap % channels)]! * kernel.data[tap * outs + out]!;
      sum = Math.fround(sum + product);
      exact += product;
    }
    return Math.abs(sum - exact);
  });
}

test.each(["Fourier 16", "Fourier 12", "Fourier 8", "F(5x5, 5x5)", "F(4x4, 3x3)"] as const)(
  "%s: the transformed kernel is what it is by definition",
  (name) => {
    const { weights } = METHODS[name];
    const kernel = randomInput(weights, null, 3, 0);
    const test = { op: filterKernel, attributes: { method: methodOf(METHODS[name])! }, inputs: [kernel], batch: 1 };
    const outs = weights[3]!;
    // Behind the last channel lies anything.
    const used = (data: ArrayLike<number>) => {
      const panel = data.length / Math.ceil(outs / 8);
      return Array.from(data).filter((_, i) => Math.floor(i / panel) * 8 + (i % 8) < outs);
    };
    const expected = runReference(test).outputs;
    const single = runKernel(test).outputs.map(used);
    for (const [i, values] of single.entries()) expectClose(values, used(expected[i]!), 1e-6);
    for (const threads of [2, 3])
      expect(runKernel({ ...test, threads, reversed: true }).outputs.map(used)).toEqual(single);
  },
);

describe("errors against double precision, largest output about 2", () => {
  const errorsOf = ({ image, weights, padding }: Geometry, relaxedSimd: boolean) => {
    const inputs = [randomInput(image, 2, 1, 0.4), scaled(randomInput(weights, null, 2, 0), 0.1)];
    const attributes = { strides: [1, 1] as const, padding };
    const found = runKernel({ ...filtered(attributes, inputs, { relaxedSimd }), batch: 2, relaxedSimd }).outputs[0]!;
    const expected = runReference({ op: conv2d, attributes, inputs, batch: 2 }).outputs[0]!;
    expect(Math.max(...expected)).toBeGreaterThan(0.9);
    return { inputs, errors: Array.from(found, (value, i) => Math.abs(value - expected[i]!)) };
  };

  /** Errors in parts of the bound within which outputs are settled: of the sum of the kernel's magnitudes, for inputs up to 1. */
  const sharesOf = (name: keyof typeof METHODS, kernel: ArrayLike<number>, errors: readonly number[]) => {
    const outs = METHODS[name].weights[3]!;
    const sums = new Float64Array(outs);
    for (const [i, value] of Array.from(kernel).entries()) sums[i % outs]! += Math.abs(value);
    const { error } = methodOf(METHODS[name])!;
    return errors.map((value, i) => value / (error * sums[i % outs]!));
  };

  test.each([
    ["F(5x5, 5x5)", 4e-5],
    ["F(4x4, 5x5)", 1.2e-5],
    ["F(2x2, 5x5)", 6e-6],
    ["F(4x4, 3x3)", 4e-6],
  ] as const)("%s", (name, limit) => {
    expect(methodOf(METHODS[name])?.name).toBe(name);
    for (const relaxedSimd of [true, false]) {
      const { inputs, errors } = errorsOf(METHODS[name], relaxedSimd);
      expect(Math.max(...errors)).toBeLessThan(limit);
      const shares = sharesOf(name, inputs[1]!.data, errors);
      expect(Math.max(...shares)).toBeLessThan(1);
      expect(Math.max(...shares)).toBeGreaterThan(0.1);
    }
  });

  test.each(["Fourier 16", "Fourier 12", "Fourier 8"] as const)("%s: as those of direct sums", (name) => {
    expect(methodOf(METHODS[name])?.name).toBe(name);
    const rms = (errors: readonly number[]) => Math.hypot(...errors) / Math.sqrt(errors.length);
    const direct = directErrors(METHODS[name]);
    for (const relaxedSimd of [true, false]) {
      const { inputs, errors } = errorsOf(METHODS[name], relaxedSimd);
      expect(Math.max(...sharesOf(name, inputs[1]!.data, errors))).toBeLessThan(1);
      expect(rms(errors)).toBeLessThan(1.1 * rms(direct));
      expect(Math.max(...errors)).toBeLessThan(1.1 * Math.max(...direct));
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
  const plain = runKernel({ ...filtered(attributes, inputs, { settles: false }), batch }).outputs[0]!;
  const biased = runKernel({ ...filtered(attributes, [...inputs, bias]), batch }).outputs[0]!;
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

/**
 * Images of both kinds of ties: large areas of one colour, and, every other one, halves that mirror each other but for a
 * millionth, so that with a kernel that is its own mirror the rows next to the middle have nearly equal outputs.
 */
function tied(shape: readonly number[], batch: number): ReturnType<typeof randomInput> {
  const [height, width, channels] = shape as [number, number, number];
  const random = randomInput(shape, batch, 11, 0.3).data;
  const data = Float32Array.from({ length: batch * height * width * channels }, (_, i) => {
    const channel = i % channels;
    const column = Math.floor(i / channels) % width;
    const row = Math.floor(i / channels / width) % height;
    const sample = Math.floor(i / channels / width / height);
    const at = (y: number, x: number) => Math.max(0, random[((sample * height + y) * width + x) * channels + channel]!);
    if (sample % 2) return at(Math.min(row, height - 1 - row), column) + (row % 3) * 1e-6;
    return at(Math.floor((row + sample) / 9), Math.floor((column + 2 * sample) / 8));
  });
  return { shape, batched: true, data };
}

function mirrored([r, ...rest]: readonly number[]): ReturnType<typeof randomInput> {
  const size = rest.reduce((product, length) => product * length, 1);
  const { data } = randomInput([r!, ...rest], null, 12, 0);
  const at = (i: number) => data[Math.min(Math.floor(i / size), r! - 1 - Math.floor(i / size)) * size + (i % size)]!;
  return { shape: [r!, ...rest], batched: false, data: Float32Array.from(data, (_, i) => 0.1 * at(i)) };
}

test.each(["Fourier 16", "F(5x5, 5x5)", "F(4x4, 5x5)", "F(4x4, 3x3)"] as const)(
  "%s: rounding chooses no winner and passes no ReLU",
  (name) => {
    const { image, weights, padding } = METHODS[name];
    expect(methodOf(METHODS[name])?.name).toBe(name);
    const batch = 16;
    const kernel = mirrored(weights);
    const attributes = { strides: [1, 1] as const, padding };
    const [height, width] = convolutionOutput(image, weights, [1, 1], padding);
    const outs = weights[3]!;
    const exactly = (inputs: readonly ReturnType<typeof randomInput>[]) => {
      const data = new Float64Array(batch * height * width * outs);
      const y = { shape: [height, width, outs], batched: true, dtype: "float32", data };
      conv2d.reference(attributes, inputs as unknown as Value[], [y as unknown as Value], batch);
      return data;
    };
    const plain = exactly([tied(image, batch), kernel]);
    // Biases that bring some outputs next to zero.
    const data = Float32Array.from({ length: outs }, (_, i) => (i % 2 ? 0.01 : 3e-6 - plain[(i * 5 + 1) * outs + i]!));
    const inputs = [tied(image, batch), kernel, { shape: [outs], batched: false, data }];
    const exact = exactly(inputs);
    const [found, winners] = runKernel({
      ...filtered({ ...attributes, relu: true, pool: true }, inputs),
      batch,
    }).outputs;
    const counts = { ties: 0, near: 0, nearZero: 0 };
    // What direct sums in single precision err by.
    const noise = 1e-6;
    const bound = 1e-5;
    for (let i = 0; i < found!.length; i++) {
      const out = i % outs;
      const column = Math.floor(i / outs) % Math.floor(width / 2);
      const row = Math.floor(i / outs / Math.floor(width / 2)) % Math.floor(height / 2);
      const n = Math.floor(i / outs / Math.floor(width / 2) / Math.floor(height / 2));
      const window = [0, 1, 2, 3].map((k) => {
        return exact[((n * height + 2 * row + (k >> 1)) * width + 2 * column + (k & 1)) * outs + out]!;
      });
      const largest = Math.max(...window);
      if (largest > noise) expect(found![i]).toBeGreaterThan(0);
      if (largest < -noise) expect(found![i]).toBe(0);
      if (Math.abs(largest) < bound) counts.nearZero++;
      if (largest < noise) continue;
      const others = window.map((value) => largest - value).filter((gap) => gap > 0);
      const gap = Math.min(...others);
      if (gap < noise) continue;
      if (others.length < 3) counts.ties++;
      if (gap < bound) counts.near++;
      expect(positionOf(winners![i]!)).toBe(window.indexOf(largest));
    }
    expect(counts.ties).toBeGreaterThan(1000);
    expect(counts.near).toBeGreaterThan(10);
    expect(counts.nearZero).toBeGreaterThan(5);
  },
);
