/**
 * Gradients of kernel and bias of a convolution with ReLU or 2x2 max pooling behind it: ReLU makes about half of the output
 * gradients zero and pooling three in four, and the products with them are left out. Exact.
 *
 * Threads share the output channels. For each sample and channel the gradients that are not zero become a list of
 * (place in the padded image, value). The inputs of a row of the kernel are contiguous in the image, so the list runs over
 * as many vectors of sums as registers hold: a part of a row of the kernel, or several rows. The sums are kept in scratch
 * memory as (out, kernelHeight, kernelWidth * in), and turned to the gradient's order at the end. What the lists are made
 * of is added up for the bias on the way, in the order of `channelSum`.
 */
import { f32, f32x4, i32, i32x4, local, v128 } from "wasmati";
import type { Emitter, I32, V128 } from "../wasm/emitter.ts";
import { channelSum } from "./channel-sum.ts";
import { type Conv2dWeightGradientAttributes, conv2dWeightGradient } from "./conv2d-weight-gradient.ts";
import { clearMemory, copyInside, type PaddedImage, paddedBytes } from "./convolution.ts";
import { unpooled } from "./max-pool2d.ts";
import { elementsOf, type Op, type Operand, type TensorType } from "./op.ts";
import { transpose } from "./packing.ts";
import { addEntries, append, listBytes, MOST_SUMS, nonzeroLanes, TABLE_BYTES, writeTable } from "./sparse-list.ts";
import { convolutionOutput } from "./window.ts";

/** Channels whose lists are made together: the lanes of a vector. */
const LANES = 4;

/**
 * x (height, width, in), dy (height', width', out); behind pooling dy (height' / 2, width' / 2, out) and the winners'
 * positions in their windows → (kernelHeight, kernelWidth, in, out) and (out), the sums over the batch.
 */
export const sparseConv2dWeightGradient: Op<Conv2dWeightGradientAttributes> = {
  name: "sparseConv2dWeightGradient",

  infer: (attributes, [x, dy]) => [
    ...conv2dWeightGradient.infer(attributes, [x!, dy!]),
    ...channelSum.infer({}, [dy!]),
  ],

  reference(attributes, [x, dy, winners], [dw, db], batch) {
    const { kernelSize, strides, padding } = attributes;
    const size = convolutionOutput(x!.shape, kernelSize, strides, padding);
    const dz = winners ? unpooled(dy!, winners, size, batch) : dy!;
    conv2dWeightGradient.reference(attributes, [x!, dz], [dw!], batch);
    channelSum.reference({}, [dy!], [db!], batch);
  },

  operations: (attributes, [x, dy]) => conv2dWeightGradient.operations!(attributes, [x!, dy!], []),

  scratchBytes(attributes, [x, dy]) {
    const plan = planOf(attributes, x!, dy!);
    return (
      plan.imageBytes + TABLE_BYTES + LANES * plan.listBytes + plan.totalBytes + (plan.channels + 1) * plan.channelBytes
    );
  },

  emit(e, attributes, [x, dy, winners], [dw, db]) {
    const plan = planOf(attributes, x!, dy!);
    const { image } = plan;
    const padded = e.scratch();
    const table = e.i32(i32.add(padded, plan.imageBytes));
    writeTable(e, table);
    const lists = e.i32(i32.add(table, TABLE_BYTES));
    const totals = e.i32(i32.add(lists, LANES * plan.listBytes));
    const sums = e.i32(i32.add(totals, plan.totalBytes));
    const channels = e.share(plan.channels);
    const isPadded = attributes.padding.some((side) => side > 0);
    if (isPadded) clearMemory(padded, paddedBytes(image));
    clearMemory(totals, plan.totalBytes);
    const channel = e.i32();
    const row = e.i32(sums);
    e.for(channel, channels.from, channels.to, 1, () => {
      clearMemory(row, plan.channelBytes);
      local.set(row, i32.add(row, plan.channelBytes));
    });
    const n = e.i32();
    const sampleBytes = elementsOf(x!.shape) * 4;
    e.for(n, 0, e.batch, 1, () => {
      const source = e.i32(e.address(x!.address, [n, sampleBytes]));
      if (isPadded) {
        const [top, , left] = attributes.padding;
        const inside = { top, left, rows: x!.shape[0]!, rowBytes: sampleBytes / x!.shape[0]! };
        copyInside(e, image, inside, source, padded);
        local.set(source, padded);
      }
      local.set(row, sums);
      const total = e.i32(totals);
      e.for(channel, channels.from, channels.to, LANES, () => {
        const position = e.i32(e.address(0, [n, elementsOf(dy!.shape) * 4], [channel, 4]));
        const { ends, sum } = buildLists(e, plan, { dy: dy!, winners }, position, { lists, table });
        v128.store({}, total, f32x4.add(v128.load({}, total), sum));
        local.set(total, i32.add(total, LANES * 4));
        ends.forEach((end, lane) => {
          const list = e.i32(i32.add(lists, lane * plan.listBytes));
          const isOwn = i32.lt_s(i32.add(channel, lane), channels.to);
          e.if(isOwn, () => {
            e.countEntries(list, end, plan.rows * plan.columns * (winners ? 4 : 1));
            addList(e, plan, { list, end, image: source }, row);
          });
        });
      });
    });
    storeSums(e, plan, dw!, channels, sums);
    e.for(channel, channels.from, channels.to, 1, () => {
      f32.store({ offset: db!.address }, e.i32(i32.shl(channel, 2)), f32.load({}, totals));
      local.set(totals, i32.add(totals, 4));
    });
  },
};

interface Plan {
  readonly image: PaddedImage;
  readonly strides: readonly [number, number];
  readonly kernelHeight: number;
  /** Values in a row of the kernel, all input channels. */
  readonly run: number;
  /** Rows, columns and channels of dy. */
  readonly rows: number;
  readonly columns: number;
  readonly channels: number;
  readonly imageBytes: number;
  /** Bytes from a list's offsets to its values, and from list to list. */
  readonly distance: number;
  readonly listBytes: number;
  /** Bytes of the sums for the bias. */
  readonly totalBytes: number;
  /** Bytes of the sums of a row of the kernel, in whole vectors; and of all its rows. */
  readonly runBytes: number;
  readonly channelBytes: number;
}

function planOf({ strides, padding, kernelSize }: Conv2dWeightGradientAttributes, x: TensorType, dy: TensorType): Plan {
  const [height, width, inputs] = x.shape as [number, number, number];
  const [rows, columns, channels] = dy.shape as [number, number, number];
  const [top, bottom, left, right] = padding;
  const image = { height: height + top + bottom, width: width + left + right, channels: inputs };
  const run = kernelSize[1] * inputs;
  const runBytes = Math.ceil(run / 4) * 16;
  const distance = listBytes(rows * columns);
  return {
    image,
    strides,
    kernelHeight: kernelSize[0],
    run,
    rows,
    columns,
    channels,
    imageBytes: paddedBytes(image) + 64,
    distance,
    listBytes: 2 * distance,
    totalBytes: Math.ceil(channels / LANES) * LANES * 4,
    runBytes,
    channelBytes: kernelSize[0] * runBytes,
  };
}

/**
 * Lists the gradients of four channels that are not zero. `position` is the byte offset of the first channel's first;
 * returns the lists' ends, and the sum of each channel.
 */
function buildLists(
  e: Emitter,
  plan: Plan,
  { dy, winners }: { dy: Operand; winners: Operand | undefined },
  position: I32,
  { lists, table }: Record<"lists" | "table", I32>,
): { ends: I32[]; sum: V128 } {
  const size = winners ? 2 : 1;
  const stepX = plan.strides[1] * plan.image.channels * 4;
  const stepY = plan.strides[0] * plan.image.width * plan.image.channels * 4;
  const ends = Array.from({ length: LANES }, (_, lane) => e.i32(i32.add(lists, lane * plan.listBytes)));
  const sum = e.v128(f32x4.splat(0));
  const steps = e.v128(i32x4.mul(v128.const("i32x4", [0, 1, 2, 3]), i32x4.splat(size * stepX)));
  const place = e.i32();
  const line = e.i32(0);
  /** Lists so many positions: four channels of four positions become four positions of each channel. */
  const listPositions = (count: number) => {
    const load = (tensor: Operand) =>
      Array.from({ length: 4 }, (_, i) => {
        const offset = tensor.address + (i < count ? i : 0) * plan.channels * 4;
        return e.v128(v128.load({ offset, align: 4 }, position));
      });
    const values = load(dy);
    for (const value of values.slice(0, count)) local.set(sum, f32x4.add(sum, value));
    const places = e.v128(i32x4.add(i32x4.splat(place), steps));
    const won = winners && transpose(e, load(winners));
    for (const [lane, own] of transpose(e, values).entries()) {
      const ownPlaces = e.v128(places);
      if (won) {
        const right = e.v128(i32x4.mul(v128.and(won[lane]!, i32x4.splat(1)), i32x4.splat(stepX)));
        const down = e.v128(i32x4.mul(i32x4.shr_u(won[lane]!, 1), i32x4.splat(stepY)));
        local.set(ownPlaces, i32x4.add(places, i32x4.add(right, down)));
      }
      const list = { end: ends[lane]!, distance: plan.distance, table };
      append(e, list, own, ownPlaces, nonzeroLanes(e, own, count));
    }
    local.set(place, i32.add(place, count * size * stepX));
    local.set(position, i32.add(position, count * plan.channels * 4));
  };
  e.for(e.i32(), 0, plan.rows, 1, () => {
    local.set(place, line);
    e.for(e.i32(), 0, Math.floor(plan.columns / 4), 1, () => listPositions(4));
    if (plan.columns % 4) listPositions(plan.columns % 4);
    local.set(line, i32.add(line, size * stepY));
  });
  return { ends, sum };
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

/** Writes this thread's sums to the gradient, whose last axis is the channel. */
function storeSums(e: Emitter, plan: Plan, dw: Operand, channels: ReturnType<Emitter["share"]>, sums: I32): void {
  const channel = e.i32();
  const from = e.i32(sums);
  e.for(channel, channels.from, channels.to, 1, () => {
    const to = e.i32(e.address(dw.address, [channel, 4]));
    e.for(e.i32(), 0, plan.kernelHeight, 1, () => {
      e.for(e.i32(), 0, plan.run, 1, () => {
        f32.store({}, to, f32.load({}, from));
        local.set(from, i32.add(from, 4));
        local.set(to, i32.add(to, plan.channels * 4));
      });
      local.set(from, i32.add(from, plan.runBytes - plan.run * 4));
    });
  });
}
