/**
 * Gradients of kernel and bias of a convolution with ReLU or 2x2 max pooling behind it: ReLU makes about half of the output
 * gradients zero and pooling three in four, and the products with them are left out. Exact.
 *
 * Threads take segments of the batch, always the same, each of which has sums of its own; `addSegments` adds these up, in
 * order. For each sample and channel the gradients that are not zero become a list of (place in the padded image, value);
 * where few positions would make short lists, those of several samples become one. The inputs of a row of the kernel are
 * contiguous in the image, so the list runs over as many vectors of sums as registers hold: a part of a row of the kernel,
 * or several rows. What the lists are made of is added up for the bias on the way.
 */
import { f32x4, i32, i32x4, local, v128 } from "wasmati";
import { type Emitter, type I32, scratchParts, type V128 } from "../wasm/emitter.ts";
import { eachSegment, GROUP_CHANNELS, segmentBytesOf, sumsOf } from "./add-segments.ts";
import { channelSum } from "./channel-sum.ts";
import { type Conv2dWeightGradientAttributes, conv2dWeightGradient } from "./conv2d-weight-gradient.ts";
import { clearMemory, copyInside, type PaddedImage, paddedBytes } from "./convolution.ts";
import { elementsOf, type Op, type Operand, type TensorType, type Value } from "./op.ts";
import { transpose } from "./packing.ts";
import { addEntries, append, listBytes, MOST_SUMS, nonzeroLanes, TABLE_BYTES, writeTable } from "./sparse-list.ts";
import { convolutionOutput, type Padding } from "./window.ts";
import { unpooled } from "./winners.ts";

/** Positions of a joined list, or windows, and bytes of its samples' images: these lie in the first-level cache. */
const JOINED_POSITIONS = 32;
const JOINED_BYTES = 32 * 1024;

/**
 * x (height, width, in), dy (height', width', out); behind pooling dy (height' / 2, width' / 2, out) and the winners
 * of its windows → the sums of each segment, for `addSegments`.
 */
export const sparseConv2dWeightGradient: Op<Conv2dWeightGradientAttributes> = {
  name: "sparseConv2dWeightGradient",

  infer({ kernelSize }, [x, dy]) {
    const { segments, segmentFloats } = sumsOf([...kernelSize, x!.shape[2]!, dy!.shape[2]!]);
    return [{ shape: [segments, segmentFloats], batched: false, dtype: "float32" }];
  },

  reference(attributes, inputs, [sums], batch) {
    const [x, dy] = inputs as [Value, Value];
    const { kernelSize, strides, padding } = attributes;
    const kernel = [...kernelSize, x.shape[2]!, dy.shape[2]!] as const;
    const size = convolutionOutput(x.shape, kernelSize, strides, padding);
    const { segments, totals, segmentFloats, placeOf } = sumsOf(kernel);
    const outs = kernel[3];
    for (let segment = 0; segment < segments; segment++) {
      const start = Math.floor((segment * batch) / segments);
      const count = Math.floor(((segment + 1) * batch) / segments) - start;
      const [own, dOwn, winners] = inputs.map((value) => samplesOf(value, start, count));
      const dz = winners ? unpooled(dOwn!, winners, size, count) : dOwn!;
      const dw = {
        shape: kernel,
        batched: false,
        dtype: "float32" as const,
        data: new Float32Array(elementsOf(kernel)),
      };
      const db = { ...dw, shape: [outs], data: new Float32Array(outs) };
      conv2dWeightGradient.reference(attributes, [own!, dz], [dw], count);
      channelSum.reference({}, [dOwn!], [db], count);
      const first = segment * segmentFloats;
      for (const [i, value] of dw.data.entries()) sums!.data[first + placeOf(i)] = value;
      sums!.data.set(db.data, first + totals);
    }
  },

  operations: (attributes, [x, dy]) => conv2dWeightGradient.operations!(attributes, [x!, dy!], []),

  scratchBytes: (attributes, [x, dy]) => planOf(attributes, x!, dy!).bytes,

  emit(e, attributes, [x, dy, winners], [sums]) {
    const plan = planOf(attributes, x!, dy!);
    const { channels, segments, isPadded } = plan;
    const base = e.scratch();
    const padded = e.i32(i32.add(base, plan.images));
    writeTable(e, e.i32(i32.add(base, plan.table)));
    const size = winners ? 2 : 1;
    writePlaces(e, plan, size, e.i32(i32.add(base, plan.places)));
    if (isPadded) clearMemory(padded, plan.samplesAtOnce * plan.imageBytes);
    const sampleBytes = elementsOf(x!.shape) * 4;
    eachSegment(e, { segments, groups: Math.ceil(channels / GROUP_CHANNELS) }, (segment) => {
      const { from, to, end } = segment;
      const own = e.i32(e.address(sums!.address, [segment.index, plan.segmentBytes]));
      const rows = e.i32(i32.add(own, i32.mul(from, plan.channelBytes)));
      const totals = e.i32(e.address(plan.totals, [own, 1], [from, 4]));
      e.atMost(to, channels);
      const channel = e.i32();
      const [row, total] = [e.i32(rows), e.i32(totals)];
      e.for(channel, from, to, 1, () => {
        clearMemory(row, plan.channelBytes);
        local.set(row, i32.add(row, plan.channelBytes));
      });
      e.for(channel, from, to, GROUP_CHANNELS, () => {
        v128.store({}, total, f32x4.splat(0));
        local.set(total, i32.add(total, GROUP_CHANNELS * 4));
      });
      const n = e.i32();
      e.for(n, segment.first, end, plan.samplesAtOnce, () => {
        const samples = e.i32(i32.sub(end, n));
        e.atMost(samples, plan.samplesAtOnce);
        const source = e.i32(e.address(x!.address, [n, sampleBytes]));
        if (isPadded)
          padSamples(e, plan, attributes.padding, { first: source, count: samples, sampleBytes, target: padded });
        const image = isPadded ? padded : source;
        const positions = e.i32(i32.mul(samples, plan.positions));
        local.set(row, rows);
        local.set(total, totals);
        e.for(channel, from, to, GROUP_CHANNELS, () => {
          const first = e.i32(e.address(0, [n, elementsOf(dy!.shape) * 4], [channel, 4]));
          const sum = buildLists(e, plan, { dy: dy!, winners }, { first, positions, base });
          v128.store({}, total, f32x4.add(v128.load({}, total), sum));
          local.set(total, i32.add(total, GROUP_CHANNELS * 4));
          const list = e.i32(i32.add(base, plan.lists));
          const count = e.i32(i32.sub(to, channel));
          e.atMost(count, GROUP_CHANNELS);
          e.for(e.i32(), 0, count, 1, () => {
            const last = e.i32(i32.load({ offset: plan.end }, list));
            e.countEntries(list, last, e.i32(i32.mul(positions, size * size)));
            addList(e, plan, { list, end: last, image }, row);
            local.set(list, i32.add(list, plan.listStep));
          });
        });
      });
    });
  },
};

function samplesOf(value: Value, first: number, count: number): Value {
  const size = elementsOf(value.shape);
  return { ...value, data: value.data.subarray(first * size, (first + count) * size) };
}

interface Plan {
  readonly image: PaddedImage;
  readonly isPadded: boolean;
  /** Bytes of an image from one output's first input to the next one's, down and across. */
  readonly stepY: number;
  readonly stepX: number;
  readonly kernelHeight: number;
  /** Rows, columns and channels of dy; positions of a sample. */
  readonly rows: number;
  readonly columns: number;
  readonly channels: number;
  readonly positions: number;
  /** Bytes of a sample's image in scratch memory, and from one to the next wherever they are. */
  readonly imageBytes: number;
  readonly imageStep: number;
  /** Samples whose lists are joined. */
  readonly samplesAtOnce: number;
  /** Bytes from a list's offsets to its values, to the address of its end, and to the next list. */
  readonly distance: number;
  readonly end: number;
  readonly listStep: number;
  /** Bytes of the sums of a row of the kernel; of a channel; before those for the bias; of all of a segment. */
  readonly runBytes: number;
  readonly channelBytes: number;
  readonly totals: number;
  readonly segmentBytes: number;
  readonly segments: number;
  /** Where in scratch memory lies what, and its bytes. */
  readonly images: number;
  readonly table: number;
  readonly places: number;
  readonly lists: number;
  readonly bytes: number;
}

function planOf({ strides, padding, kernelSize }: Conv2dWeightGradientAttributes, x: TensorType, dy: TensorType): Plan {
  const [height, width, inputs] = x.shape as [number, number, number];
  const [rows, columns, channels] = dy.shape as [number, number, number];
  const [top, bottom, left, right] = padding;
  const image = { height: height + top + bottom, width: width + left + right, channels: inputs };
  const isPadded = padding.some((side) => side > 0);
  const imageBytes = paddedBytes(image) + 64;
  const positions = rows * columns;
  const joined = Math.min(JOINED_POSITIONS / positions, JOINED_BYTES / imageBytes);
  const samplesAtOnce = Math.max(1, Math.floor(joined));
  const distance = listBytes(samplesAtOnce * positions);
  const end = 2 * distance;
  const listStep = end + 16;
  const { take, bytes } = scratchParts();
  return {
    image,
    isPadded,
    stepY: strides[0] * image.width * inputs * 4,
    stepX: strides[1] * inputs * 4,
    kernelHeight: kernelSize[0],
    rows,
    columns,
    channels,
    positions,
    imageBytes,
    imageStep: isPadded ? imageBytes : elementsOf(x.shape) * 4,
    samplesAtOnce,
    distance,
    end,
    listStep,
    ...segmentBytesOf([...kernelSize, inputs, channels]),
    images: take(samplesAtOnce * imageBytes),
    table: take(TABLE_BYTES),
    // A vector is read at the last place.
    places: take(samplesAtOnce * positions * 4 + 12),
    lists: take(GROUP_CHANNELS * listStep),
    bytes: bytes(),
  };
}

/** Copies some samples into the images at `target`, whose borders are zero already. */
function padSamples(
  e: Emitter,
  { image, imageBytes }: Plan,
  [top, bottom, left]: Padding,
  samples: { first: I32; count: I32; sampleBytes: number; target: I32 },
): void {
  const rows = image.height - top - bottom;
  const inside = { top, left, rows, rowBytes: samples.sampleBytes / rows };
  const source = e.i32(samples.first);
  const target = e.i32(samples.target);
  e.for(e.i32(), 0, samples.count, 1, () => {
    copyInside(e, image, inside, source, target);
    local.set(source, i32.add(source, samples.sampleBytes));
    local.set(target, i32.add(target, imageBytes));
  });
}

/**
 * Writes for each position of the samples whose lists are joined, a window of `size` by `size`, where its first input is,
 * in bytes from the first image's.
 */
function writePlaces(e: Emitter, plan: Plan, size: number, places: I32): void {
  const to = e.i32(places);
  const sample = e.i32(0);
  e.for(e.i32(), 0, plan.samplesAtOnce, 1, () => {
    const line = e.i32(sample);
    e.for(e.i32(), 0, plan.rows, 1, () => {
      const place = e.i32(line);
      e.for(e.i32(), 0, plan.columns, 1, () => {
        i32.store({}, to, place);
        local.set(to, i32.add(to, 4));
        local.set(place, i32.add(place, size * plan.stepX));
      });
      local.set(line, i32.add(line, size * plan.stepY));
    });
    local.set(sample, i32.add(sample, plan.imageStep));
  });
}

/**
 * Lists those gradients of four channels that are not zero, of so many positions; `first` is the byte offset of the first
 * channel's first gradient. Returns the sum of each channel.
 */
function buildLists(
  e: Emitter,
  plan: Plan,
  { dy, winners }: { dy: Operand; winners: Operand | undefined },
  { first, positions, base }: Record<"first" | "positions" | "base", I32>,
): V128 {
  const { channels, distance, listStep, stepY, stepX } = plan;
  const sum = e.v128(f32x4.splat(0));
  /** For each position of a window the bytes from its first. */
  const ofWinners = e.v128(v128.const("i32x4", [0, stepX, stepY, stepY + stepX]));
  const table = e.i32(i32.add(base, plan.table));
  const lists = e.i32(i32.add(base, plan.lists));
  const ends = Array.from({ length: GROUP_CHANNELS }, (_, lane) => e.i32(i32.add(lists, lane * listStep)));
  const place = e.i32(i32.add(base, plan.places));
  const position = e.i32(first);
  /** Lists so many positions: four channels of four positions become four positions of each channel. */
  const list = (count: number) => {
    const load = (tensor: Operand) =>
      Array.from({ length: 4 }, (_, i) => {
        const offset = tensor.address + (i < count ? i : 0) * channels * 4;
        return e.v128(v128.load({ offset, align: 4 }, position));
      });
    const values = load(dy);
    for (const value of values.slice(0, count)) local.set(sum, f32x4.add(sum, value));
    const places = e.v128(v128.load({ align: 4 }, place));
    const won = winners && transpose(e, load(winners));
    for (const [lane, own] of transpose(e, values).entries()) {
      const ownPlaces = won ? e.v128(i32x4.add(places, e.swizzle(ofWinners, won[lane]!))) : places;
      append(e, { end: ends[lane]!, distance, table }, own, ownPlaces, nonzeroLanes(e, own, count));
    }
    local.set(place, i32.add(place, count * 4));
    local.set(position, i32.add(position, count * channels * 4));
  };
  e.for(e.i32(), 0, e.i32(i32.shr_u(positions, 2)), 1, () => list(4));
  if (plan.positions % 4) e.for(e.i32(), 0, e.i32(i32.and(positions, 3)), 1, () => list(1));
  for (const [lane, end] of ends.entries()) i32.store({ offset: lane * listStep + plan.end }, lists, end);
  return sum;
}

/** Adds one channel's list to its sums. Leaves `row` at the next channel's sums. */
function addList(e: Emitter, plan: Plan, { list, end, image }: Record<"list" | "end" | "image", I32>, row: I32): void {
  const vectors = plan.runBytes / 16;
  const rowsAtOnce = Math.max(1, Math.min(plan.kernelHeight, Math.floor(MOST_SUMS / vectors)));
  const pieces = Math.ceil(vectors / MOST_SUMS);
  const pitch = plan.image.width * plan.image.channels * 4;
  const base = e.i32(image);
  const add = (rows: number) => {
    for (let piece = 0; piece < pieces; piece++) {
      const first = Math.floor((piece * vectors) / pieces);
      const count = Math.floor(((piece + 1) * vectors) / pieces) - first;
      e.scope(() => {
        const sums = Array.from({ length: rows * count }, (_, i) => {
          const vector = (first + (i % count)) * 16;
          const kernelRow = Math.floor(i / count);
          const place = kernelRow * plan.runBytes + vector;
          return { sum: e.v128(v128.load({ offset: place }, row)), offset: kernelRow * pitch + vector, place };
        });
        addEntries(e, sums, { from: list, end, distance: plan.distance }, base);
        for (const { sum, place } of sums) v128.store({ offset: place }, row, sum);
      });
    }
    local.set(row, i32.add(row, rows * plan.runBytes));
    local.set(base, i32.add(base, rows * pitch));
  };
  const rest = plan.kernelHeight % rowsAtOnce;
  e.for(e.i32(), 0, (plan.kernelHeight - rest) / rowsAtOnce, 1, () => add(rowsAtOnce));
  if (rest) add(rest);
}
