import fc from "fast-check";
import { expect, test } from "vitest";
import {
  expectClose,
  expectMatchesReference,
  randomInput,
  runKernel,
  runReference,
  sizes,
} from "../../test/helpers/kernels.ts";
import { batchTensor, Graph, stateTensor } from "../compiler/graph.ts";
import { addSegments } from "./add-segments.ts";
import { conv2d } from "./conv2d.ts";
import { conv2dWeightGradient } from "./conv2d-weight-gradient.ts";
import { filteredConv2dWeightGradient, gradientFiltering } from "./filtered-conv2d-weight-gradient.ts";
import type { Tensor, Value } from "./op.ts";
import { sparseConv2dInputGradient } from "./sparse-conv2d-input-gradient.ts";
import { sparseConv2dWeightGradient } from "./sparse-conv2d-weight-gradient.ts";
import { turnKernel } from "./turn-kernel.ts";
import { convolutionOutput, type Padding, windowSize } from "./window.ts";
import { positionOf, winnerAt } from "./winners.ts";

/** Convolutions whose output has at least one position (two by two where pooled), padded by less than the kernel. */
const geometriesWith = (dilations: fc.Arbitrary<[number, number]>) =>
  fc
    .record({
      batch: sizes(4),
      size: fc.tuple(sizes(9), sizes(9)),
      kernel: fc.tuple(sizes(4), sizes(4)),
      strides: fc.tuple(sizes(3), sizes(3)),
      dilation: dilations,
      pads: fc.tuple(sizes(4), sizes(4), sizes(4), sizes(4)),
      channels: sizes(6),
      outs: sizes(13),
      seed: fc.nat(),
    })
    .map(({ size, kernel, pads, channels, outs, ...rest }) => {
      const window = windowSize(kernel, rest.dilation);
      const padding = pads.map((pad, side) => Math.min(pad, window[side < 2 ? 0 : 1]!) - 1) as unknown as Padding;
      const image = [...size, channels];
      const weights = [...kernel, channels, outs];
      return { ...rest, padding, image, weights, output: convolutionOutput(image, window, rest.strides, padding) };
    })
    .filter(({ output }) => output[0] >= 1 && output[1] >= 1);

const geometries = geometriesWith(fc.constant([1, 1]));
/** Of every second geometry the kernel takes pixels that are no neighbours. */
const maybeDilated = fc.oneof(geometries, geometriesWith(fc.tuple(sizes(3), sizes(3))));

test("conv2d matches its reference, with bias, ReLU and pooling", () => {
  fc.assert(
    fc.property(maybeDilated, fc.boolean(), fc.boolean(), fc.boolean(), fc.boolean(), (geometry, ...options) => {
      const [bias, relu, wantsPool, sparseInput] = options;
      const { batch, strides, dilation, padding, image, weights, output, seed } = geometry;
      const pool = wantsPool && output[0] >= 2 && output[1] >= 2;
      const inputs = [
        randomInput(image, batch, seed),
        randomInput(weights, null, seed + 1, 0),
        ...(bias ? [randomInput(weights.slice(3), null, seed + 2)] : []),
      ];
      const attributes = { strides, dilation, padding, relu, pool, sparseInput };
      expectMatchesReference({ op: conv2d, attributes, inputs, batch });
    }),
    { numRuns: 90 },
  );
});

/** Images of one channel, of which so many in a hundred pixels are zero, and kernels for them. */
const drawings = fc
  .record({
    batch: fc.constantFrom(1, 4, 5, 7),
    size: fc.tuple(sizes(11), sizes(13)),
    kernel: fc.tuple(sizes(5), sizes(5)),
    strides: fc.constantFrom<[number, number]>([1, 1], [1, 1], [1, 2], [2, 1]),
    dilation: fc.constantFrom<[number, number]>([1, 1], [1, 1], [1, 2], [2, 1]),
    pads: fc.tuple(sizes(5), sizes(5), sizes(5), sizes(5)),
    outs: sizes(21),
    zeros: fc.constantFrom(40, 60, 90, 100),
    seed: fc.nat(),
    wantsPool: fc.boolean(),
    relu: fc.boolean(),
  })
  .map(({ size, kernel, pads, outs, wantsPool, ...rest }) => {
    const window = windowSize(kernel, rest.dilation);
    const padding = pads.map((pad, side) => Math.min(pad, window[side < 2 ? 0 : 1]!) - 1) as unknown as Padding;
    const output = convolutionOutput([...size, 1], window, rest.strides, padding);
    const pool = wantsPool && Math.min(...output) >= 2;
    return { ...rest, pool, padding, image: [...size, 1], weights: [...kernel, 1, outs], output };
  })
  .filter(({ output }) => Math.min(...output) >= 1);

test("conv2d of images of one channel that are mostly zero: the reference's results, and the bits of direct sums", () => {
  fc.assert(
    fc.property(drawings, (drawing) => {
      const { batch, strides, dilation, padding, image, weights, zeros, seed, pool, relu } = drawing;
      const outs = weights[3]!;
      const x = randomInput(image, batch, seed, zeros / 100);
      const kernel = randomInput(weights, null, seed + 1, 0);
      const bias = randomInput([outs], null, seed + 2);
      const attributes = { strides, dilation, padding, relu, pool };
      expectMatchesReference({ op: conv2d, attributes, inputs: [x, kernel, bias], batch });
      // A second channel of zeros, and the sums are direct.
      const wide = (input: typeof x, every: number, shape: readonly number[]) => {
        const data = Float32Array.from({ length: input.data.length * 2 }, (_, i) => {
          const [row, column] = [Math.floor(i / every), i % every];
          return row % 2 ? 0 : input.data[(row / 2) * every + column]!;
        });
        return { ...input, shape, data };
      };
      const [height, width] = image as [number, number, number];
      const twice = [wide(x, 1, [height, width, 2]), wide(kernel, outs, [...weights.slice(0, 2), 2, outs]), bias];
      for (const relaxedSimd of [true, false]) {
        const common = { op: conv2d, attributes, batch, relaxedSimd };
        const found = runKernel({ ...common, inputs: [x, kernel, bias] }).outputs;
        expect(found).toEqual(runKernel({ ...common, inputs: twice }).outputs);
      }
    }),
    { numRuns: 80 },
  );
});

test("of an image of one channel zeros are left out where most of it is zero", () => {
  // Direct sums multiply the border of zeros, too: by an infinite weight that is not a number.
  const first = (values: readonly number[], strides: readonly [number, number]) => {
    const inputs = [
      { shape: [4, 4, 1], batched: true, data: Array(4).fill(values).flat() },
      { shape: [3, 3, 1, 1], batched: false, data: [Number.POSITIVE_INFINITY, 1, 1, 1, 1, 1, 1, 1, 1] },
    ];
    const attributes = { strides, padding: [1, 1, 1, 1] as const, pool: strides[0] === 1 };
    return runKernel({ op: conv2d, attributes, inputs, batch: 4 }).outputs[0]![0];
  };
  const values = Array.from({ length: 16 }, (_, i) => (i === 0 ? -1 : 0));
  expect(first(values, [1, 1])).toBe(-1);
  expect(first(values, [2, 2])).toBeNaN();
  expect(first(Array(16).fill(-1), [1, 1])).toBeNaN();
});

test("large kernels of many channels, of which rows of products would be too long, are summed directly", () => {
  for (const [side, outs, width] of [
    [11, 64, 12],
    [3, 64, 150],
  ] as const) {
    const inputs = [randomInput([4, width, 1], 4, 1, 0.9), randomInput([side, side, 1, outs], null, 2)];
    const around = (side - 1) / 2;
    const attributes = { strides: [1, 1] as const, padding: [around, around, around, around] as const };
    expectMatchesReference({ op: conv2d, attributes, inputs, batch: 4 });
  }
});

/** Σ a b. */
const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a, (value, i) => value * b[i]!).reduce((sum, product) => sum + product, 0);

test("the input gradient of a convolution is its adjoint: what goes in times it, and what comes out times the gradient", () => {
  fc.assert(
    fc.property(maybeDilated, ({ batch, strides, dilation, padding, image, weights, seed }) => {
      // Layers take strides or dilation.
      const isDilated = dilation.some((step) => step > 1);
      const attributes = { strides: isDilated ? ([1, 1] as const) : strides, dilation, padding };
      const graph = new Graph();
      const [x, kernel] = [batchTensor("x", image), stateTensor("kernel", weights)];
      const y = graph.apply(conv2d, attributes, x, kernel);
      const dy = batchTensor("dy", y.shape);
      const [dx] = conv2d.gradient!(graph, graph.producer(y) as never, [dy], [true, true]);
      const values = new Map([
        [x, randomInput(image, batch, seed)],
        [kernel, randomInput(weights, null, seed + 1)],
        [dy, randomInput(y.shape, batch, seed + 2)],
      ]);
      for (const { op, attributes, inputs, outputs } of graph.nodes) {
        const found = runReference({
          op,
          attributes,
          inputs: inputs.map((input) => values.get(input)!),
          batch,
        }).outputs;
        for (const [i, output] of outputs.entries()) values.set(output, { ...output, data: found[i]! });
      }
      const data = (tensor: Tensor) => values.get(tensor)!.data;
      const [into, out] = [dot(data(x), data(dx!)), dot(data(y), data(dy))];
      expect(Math.abs(into - out)).toBeLessThan(1e-4 * (1 + Math.abs(out)));
    }),
    { numRuns: 60 },
  );
});

test("turnKernel matches its reference", () => {
  fc.assert(
    fc.property(fc.tuple(sizes(5), sizes(5), sizes(9), sizes(13)), fc.nat(), (shape, seed) => {
      expectMatchesReference({ op: turnKernel, attributes: {}, inputs: [randomInput(shape, null, seed)], batch: 1 });
    }),
    { numRuns: 30 },
  );
});

test("conv2dWeightGradient matches its reference", () => {
  fc.assert(
    fc.property(maybeDilated, ({ batch, strides, dilation, padding, image, weights, output, seed }) => {
      const inputs = [randomInput(image, batch, seed), randomInput([...output, weights[3]!], batch, seed + 1)];
      const attributes = { strides, dilation, padding, kernelSize: [weights[0]!, weights[1]!] as const };
      expectMatchesReference({ op: conv2dWeightGradient, attributes, inputs, batch });
    }),
    { numRuns: 50 },
  );
});

test("a NaN that is the first of a pooling window stays; others leave it the maximum of the rest", () => {
  const x = (position: number) => [1, 2, 4, 3].map((value, i) => (i === position ? Number.NaN : value));
  const pooled = (position: number) => {
    const inputs = [
      { shape: [2, 2, 1], batched: true, data: x(position) },
      { shape: [1, 1, 1, 1], batched: false, data: [1] },
    ];
    const attributes = { strides: [1, 1] as const, padding: [0, 0, 0, 0] as const, pool: true };
    const [y, winners] = runKernel({ op: conv2d, attributes, inputs, batch: 1 }).outputs;
    return [y![0], positionOf(winners![0]!)];
  };
  expect([0, 1, 2, 3].map(pooled)).toEqual([
    [Number.NaN, 0],
    [4, 2],
    [3, 3],
    [4, 2],
  ]);
});

/** Gradients most of which are zero; behind 2x2 pooling also which of each window's four positions they belong to. */
function sparseGradients(
  [height, width]: readonly number[],
  channels: number,
  batch: number,
  seed: number,
  pool: boolean,
) {
  const size = pool ? 2 : 1;
  const dy = randomInput([Math.floor(height! / size), Math.floor(width! / size), channels], batch, seed, 0.6);
  const winners = Array.from(dy.data, (_, i) => winnerAt((i * 7 + (i >> 2) + seed) % 4));
  return pool ? [dy, { ...dy, dtype: "int32" as const, data: winners }] : [dy];
}

const sparseGeometries = fc
  .record({ geometry: geometries, wantsPool: fc.boolean() })
  .map(({ geometry, wantsPool }) => ({ ...geometry, pool: wantsPool && Math.min(...geometry.output) >= 2 }));

type SparseGeometry = Omit<typeof sparseGeometries extends fc.Arbitrary<infer G> ? G : never, "dilation">;

/** The sums of segments, and the op that adds them up. */
function segmentsOf(
  { batch, strides, padding, image, weights, output, seed, pool }: SparseGeometry,
  op = sparseConv2dWeightGradient,
) {
  const inputs = [randomInput(image, batch, seed), ...sparseGradients(output, weights[3]!, batch, seed + 1, pool)];
  const kernelSize = [weights[0]!, weights[1]!] as const;
  const attributes = { strides, padding, kernelSize };
  const segments = { op, attributes, inputs, batch };
  const [type] = sparseConv2dWeightGradient.infer(attributes, inputs as unknown as Value[]);
  const added = ([data]: readonly ArrayLike<number>[]) => {
    const kernel = weights as unknown as [number, number, number, number];
    return { op: addSegments, attributes: { kernel }, inputs: [{ ...type!, data: data! }], batch };
  };
  return { segments, count: type!.shape[0], added };
}

/**
 * What filtered gradients may err by for those of a root mean square of 1: each, and in the mean square. It is most where one
 * tile of 5x5 kernels is all there is, 3e-5 was seen; of many tiles 5e-6 and 1e-6 for 3x3, 2e-5 and 3e-6 for 5x5.
 */
const FILTERED = { each: 1e-4, mean: 2e-5 };

const sizeOf = (values: ArrayLike<number>) =>
  Math.sqrt(Array.from(values, (value) => value ** 2).reduce((sum, square) => sum + square) / values.length);

/** Holds the gradients, added up, to the reference, for any number of threads. */
function expectGradients(geometry: SparseGeometry, op = sparseConv2dWeightGradient): void {
  // Several samples a segment, and segments without any.
  const { segments, added } = segmentsOf({ ...geometry, batch: geometry.batch * 7 - 6 }, op);
  const found = runKernel(segments).outputs;
  const reference = added(runReference(segments).outputs);
  expectMatchesReference(reference);
  // Behind the rows of a kernel segments have lanes that mean nothing: they are held to the reference when added.
  const expected = runReference(reference).outputs;
  for (const outputs of [found, runKernel({ ...segments, relaxedSimd: false }).outputs]) {
    for (const [i, output] of runKernel(added(outputs)).outputs.entries()) {
      if (op !== filteredConv2dWeightGradient) expectClose(output, expected[i]!, 2e-5);
      else {
        const size = sizeOf(expected[i]!);
        expectClose(output, expected[i]!, FILTERED.each * size);
        const errors = Array.from(output, (value, place) => value - expected[i]![place]!);
        expect(sizeOf(errors)).toBeLessThanOrEqual(FILTERED.mean * size);
      }
    }
  }
  for (const threads of [2, 3, 17]) {
    for (const reversed of [false, true]) {
      expect(runKernel({ ...segments, threads, reversed }).outputs).toEqual(found);
    }
  }
}

test("sparseConv2dWeightGradient matches its reference", () => {
  fc.assert(
    fc.property(sparseGeometries, (geometry) => expectGradients(geometry)),
    { numRuns: 60 },
  );
});

/** Convolutions whose weight gradients filtering takes, where it saves work. */
const filterable = fc
  .record({
    batch: sizes(3),
    size: fc.tuple(sizes(15), sizes(15)),
    side: fc.constantFrom(3, 5),
    pads: fc.tuple(sizes(5), sizes(5), sizes(5), sizes(5)),
    channels: fc.constantFrom(4, 8, 12, 20),
    outs: fc.constantFrom(4, 8, 16, 28),
    seed: fc.nat(),
  })
  .map(({ size, side, pads, channels, outs, ...rest }) => {
    const padding = pads.map((pad) => Math.min(pad, side) - 1) as unknown as Padding;
    const image = [...size, channels];
    const output = convolutionOutput(image, [side, side], [1, 1], padding);
    const strides: [number, number] = [1, 1];
    return { ...rest, strides, padding, image, weights: [side, side, channels, outs], output, pool: false };
  })
  .filter(({ weights, image, output, strides, padding }) => {
    if (Math.min(...output) < 1) return false;
    const types = [image, [...output, weights[3]!]].map((shape) => ({
      shape,
      batched: true,
      dtype: "float32" as const,
    }));
    const attributes = { strides, padding, kernelSize: [weights[0]!, weights[1]!] as const };
    return gradientFiltering(attributes, types[0]!, types[1]!) !== undefined;
  });

test("filteredConv2dWeightGradient matches its reference", () => {
  fc.assert(
    fc.property(filterable, (geometry) => expectGradients(geometry, filteredConv2dWeightGradient)),
    { numRuns: 15 },
  );
});

test("filteredConv2dWeightGradient of more sums than a part may have, and of more tiles than a group", () => {
  const padding: Padding = [1, 1, 1, 1];
  const sized = (batch: number, side: number, channels: number, outs: number) => {
    const image = [side, side, channels];
    const output: [number, number] = [side, side];
    const strides: [number, number] = [1, 1];
    return { batch, strides, padding, image, weights: [3, 3, channels, outs], output, seed: 1, pool: false };
  };
  expectGradients(sized(1, 4, 132, 140), filteredConv2dWeightGradient);
  expectGradients(sized(3, 45, 8, 4), filteredConv2dWeightGradient);
});

test.each([
  [4, 256, 260],
  [2, 512, 260],
  [1, 520, 520],
])("sparseConv2dWeightGradient of large kernels, with %i segments", (count, inputs, outs) => {
  const weights = [1, 1, inputs, outs];
  const padding: Padding = [0, 0, 0, 0];
  const size = { image: [2, 1, inputs], output: [2, 1] as [number, number], weights };
  const geometry = { ...size, batch: 5, strides: [1, 1] as [number, number], padding, seed: 3, pool: false };
  const { segments, count: found, added } = segmentsOf(geometry);
  expect(found).toBe(count);
  const expected = runReference(added(runReference(segments).outputs)).outputs;
  const gradients = [1, 3].map((threads) => runKernel(added(runKernel({ ...segments, threads }).outputs)).outputs);
  for (const [i, output] of gradients[0]!.entries()) {
    expectClose(output, expected[i]!, 2e-5);
    expect(Buffer.compare(Buffer.from(output.buffer), Buffer.from(gradients[1]![i]!.buffer))).toBe(0);
  }
});

test("sparseConv2dInputGradient matches its reference", () => {
  fc.assert(
    fc.property(sparseGeometries, fc.boolean(), (geometry, masked) => {
      const { batch, strides, padding, image, weights, output, seed, pool } = geometry;
      const [dy, ...winners] = sparseGradients(output, weights[3]!, batch, seed, pool);
      const mask = masked ? [randomInput(image, batch, seed + 2)] : [];
      const inputs = [dy!, randomInput(weights, null, seed + 1), ...winners, ...mask];
      const attributes = { strides, padding, image, pooled: pool, masked };
      expectMatchesReference({ op: sparseConv2dInputGradient, attributes, inputs, batch });
    }),
    { numRuns: 60 },
  );
});

test.each([
  [20, 7, 5],
  [20, 8, 3],
  [17, 1, 5],
  [16, 2, 2],
  [12, 7, 4],
  [24, 6, 3],
  [44, 5, 5],
])(
  "sparseConv2dInputGradient of %i channels and %i columns by kernels of %i: pixels side by side",
  (channels, width, side) => {
    for (const pool of [false, true]) {
      const [before, behind] = [Math.floor((side - 1) / 2), Math.floor(side / 2)];
      const padding: Padding = [before, behind, before, behind];
      const [image, weights] = [
        [6, width, channels],
        [side, side, channels, 9],
      ];
      const [dy, ...winners] = sparseGradients([6, width], 9, 2, width, pool && width > 1);
      const inputs = [dy!, randomInput(weights!, null, 2), ...winners];
      const attributes = { strides: [1, 1] as const, padding, image: image!, pooled: winners.length > 0 };
      expectMatchesReference({ op: sparseConv2dInputGradient, attributes, inputs, batch: 2 });
    }
  },
);
