/**
 * Input gradient of a convolution with ReLU or 2x2 max pooling behind it: the products with gradients that these made
 * zero are left out. Exact.
 *
 * Threads share the samples. A sample's gradients that are not zero become one list of (place of the weights, value), in
 * the order of the convolution's output, row by row: those that reach one pixel of the input through one row of the kernel
 * lie one after another. Each pixel gathers them, one row of the kernel at a time for all pixels, because the weights of
 * one row stay in the first-level cache. The kernel is packed as (kernelHeight, kernelWidth turned, out, in), so that an
 * entry's place is the same for all pixels but for a constant.
 */
import { f32, i32, i32x4, local, v128 } from "wasmati";
import type { Emitter, I32 } from "../wasm/emitter.ts";
import { keepPositive } from "./activations.ts";
import { type Conv2dInputGradientAttributes, conv2dInputGradient } from "./conv2d-input-gradient.ts";
import { clearMemory } from "./convolution.ts";
import { unpooled } from "./max-pool2d.ts";
import { elementsOf, type Op, type Operand, type TensorType } from "./op.ts";
import { addEntries, append, listBytes, MOST_SUMS, nonzeroLanes, TABLE_BYTES, writeTable } from "./sparse-list.ts";
import { convolutionOutput } from "./window.ts";

export interface SparseConv2dInputGradientAttributes extends Conv2dInputGradientAttributes {
  /** Behind 2x2 pooling: dy is (height' / 2, width' / 2, out), and an input are the winners' positions in their windows. */
  readonly pooled?: boolean;
  /** In front of a ReLU: zero wherever the last input, which is the image itself, is not positive. */
  readonly masked?: boolean;
}

/**
 * dy (height', width', out), kernel (kernelHeight, kernelWidth, in, out), winners where pooled, mask where masked
 * → (height, width, in).
 */
export const sparseConv2dInputGradient: Op<SparseConv2dInputGradientAttributes> = {
  name: "sparseConv2dInputGradient",

  infer: (attributes, [dy, kernel]) => conv2dInputGradient.infer(attributes, [dy!, kernel!]),

  reference(attributes, [dy, kernel, ...others], outputs, batch) {
    const { strides, padding, image } = attributes;
    const { winners, mask } = optional(attributes, others);
    const size = convolutionOutput(image, kernel!.shape, strides, padding);
    const dz = winners ? unpooled(dy!, winners, size, batch) : dy!;
    conv2dInputGradient.reference(attributes, [dz, kernel!], outputs, batch);
    const dx = outputs[0]!.data;
    if (mask) for (let i = 0; i < dx.length; i++) if (!(mask.data[i]! > 0)) dx[i] = 0;
  },

  scratchBytes: (attributes, [dy, kernel]) => planOf(attributes, dy!, kernel!).bytes,

  emit(e, attributes, [dy, kernel, ...others], [dx]) {
    const { winners, mask } = optional(attributes, others);
    const plan = planOf(attributes, dy!, kernel!);
    const base = e.scratch();
    packKernel(e, plan, kernel!.address, e.i32(i32.add(base, plan.weights)));
    writeTable(e, e.i32(i32.add(base, plan.table)));
    writeSpans(e, plan, base);
    const n = e.i32();
    const { from, to } = e.samples();
    e.for(n, from, to, 1, () => {
      const position = e.i32(e.address(0, [n, elementsOf(dy!.shape) * 4]));
      buildList(e, plan, { dy: dy!, winners }, position, base);
      const image = e.i32(e.address(dx!.address, [n, elementsOf(dx!.shape) * 4]));
      clearMemory(image, elementsOf(dx!.shape) * 4);
      gatherImage(e, plan, base, image);
      if (mask) applyMask(e, elementsOf(dx!.shape), image, e.i32(i32.add(image, mask.address - dx!.address)));
    });
  },
};

function optional<T>({ pooled, masked }: SparseConv2dInputGradientAttributes, others: readonly T[]) {
  return { winners: pooled ? others[0] : undefined, mask: masked ? others.at(-1) : undefined };
}

function applyMask(e: Emitter, elements: number, image: I32, mask: I32): void {
  const vector = e.v128();
  const apply = (lanes: number) => {
    local.set(vector, v128.load({ align: 4 }, image));
    keepPositive(vector, v128.load({ align: 4 }, mask));
    e.storeLanes(image, 0, vector, lanes);
    local.set(image, i32.add(image, 16));
    local.set(mask, i32.add(mask, 16));
  };
  e.for(e.i32(), 0, Math.floor(elements / 4), 1, () => apply(4));
  if (elements % 4) apply(elements % 4);
}

type Plan = ReturnType<typeof planOf>;

function planOf({ strides, padding, image }: Conv2dInputGradientAttributes, dy: TensorType, kernel: TensorType) {
  const [kernelHeight, kernelWidth, channels, outs] = kernel.shape as [number, number, number, number];
  const [height, width] = image as [number, number];
  const output = convolutionOutput(image, kernel.shape, strides, padding);
  const rowBytes = Math.ceil(channels / 4) * 16;
  const positionBytes = outs * rowBytes;
  const distance = listBytes(elementsOf(dy.shape));
  let end = 0;
  const take = (bytes: number) => {
    const offset = end;
    end += Math.ceil(bytes / 64) * 64;
    return offset;
  };
  return {
    height,
    width,
    channels,
    outs,
    kernelHeight,
    kernelWidth,
    strides,
    padding,
    /** Size of the convolution's output, before pooling. */
    output,
    /** Bytes of one output channel's weights at one place of the kernel, in whole vectors; of all; of a kernel row. */
    rowBytes,
    positionBytes,
    kernelRowBytes: kernelWidth * positionBytes,
    /** Bytes of a row of `starts`. */
    startsPitch: (output[1] + 1) * 4,
    /** Bytes from an entry's offset to its value. */
    distance,
    /** Where in scratch memory lies what. */
    table: take(TABLE_BYTES),
    spans: take(width * 8),
    starts: take(output[0] * (output[1] + 1) * 4),
    list: take(2 * distance),
    weights: take(kernelHeight * kernelWidth * positionBytes + 64),
    bytes: end,
  };
}

/** Packs the kernel (height, width, in, out) as (height, width turned, out, in), rows in whole vectors. */
function packKernel(e: Emitter, plan: Plan, address: number, weights: I32): void {
  const { channels, outs, kernelHeight, kernelWidth } = plan;
  const to = e.i32(weights);
  const turned = e.i32();
  const out = e.i32();
  const from = e.i32();
  const row = e.i32(address);
  e.for(e.i32(), 0, kernelHeight, 1, () => {
    e.for(turned, 0, kernelWidth, 1, () => {
      e.for(out, 0, outs, 1, () => {
        const last = (kernelWidth - 1) * channels * outs * 4;
        local.set(from, e.address(last, [row, 1], [turned, -channels * outs * 4], [out, 4]));
        e.for(e.i32(), 0, channels, 1, () => {
          f32.store({}, to, f32.load({}, from));
          local.set(from, i32.add(from, outs * 4));
          local.set(to, i32.add(to, 4));
        });
        local.set(to, i32.add(to, plan.rowBytes - channels * 4));
      });
    });
    local.set(row, i32.add(row, kernelWidth * channels * outs * 4));
  });
}

/** For each column of the image the first column of the output that reaches it, and the one behind the last; times 4. */
function writeSpans(e: Emitter, plan: Plan, base: I32): void {
  const left = plan.padding[2];
  const stride = plan.strides[1];
  const x = e.i32();
  const span = e.i32(i32.add(base, plan.spans));
  e.for(x, 0, plan.width, 1, () => {
    // Rounded up; below zero division rounds up too, to at most zero.
    const first = e.i32(i32.add(x, left - plan.kernelWidth + 1));
    e.if(
      i32.lt_s(first, 0),
      () => local.set(first, i32.const(0)),
      () => local.set(first, i32.div_u(i32.add(first, stride - 1), stride)),
    );
    const last = e.i32(i32.add(i32.div_u(i32.add(x, left), stride), 1));
    e.if(i32.gt_s(last, plan.output[1]), () => local.set(last, i32.const(plan.output[1])));
    i32.store({}, span, i32.shl(first, 2));
    i32.store({ offset: 4 }, span, i32.shl(last, 2));
    local.set(span, i32.add(span, 8));
  });
}

/**
 * Lists one sample's gradients that are not zero, and where in the list each position of the output begins:
 * `starts[row][column]`, one more column for the row's end. `position` is the byte offset of the sample in dy.
 */
function buildList(
  e: Emitter,
  plan: Plan,
  tensors: { dy: Operand; winners: Operand | undefined },
  position: I32,
  base: I32,
): void {
  const [height, width] = plan.output;
  const size = tensors.winners ? 2 : 1;
  const columns = Math.floor(width / size);
  const placeStep = plan.strides[1] * plan.positionBytes;
  const end = e.i32(i32.add(base, plan.list));
  const table = e.i32(i32.add(base, plan.table));
  const start = e.i32(i32.add(base, plan.starts));
  const winner = e.i32();
  const source = e.i32();
  const place = e.i32();
  const mark = () => {
    i32.store({}, start, end);
    local.set(start, i32.add(start, 4));
  };
  e.for(e.i32(), 0, Math.floor(height / size), 1, () => {
    // Behind pooling the upper row of the windows, then the lower; in each window the left position, then the right.
    e.for(winner, 0, size * size, size, () => {
      local.set(source, position);
      local.set(place, i32.const(0));
      e.for(e.i32(), 0, columns, 1, () => {
        for (let right = 0; right < size; right++) {
          mark();
          const wanted = e.i32(i32.add(winner, right));
          appendPosition(e, plan, tensors, { source, wanted, place, end, table });
          local.set(place, i32.add(place, placeStep));
        }
        local.set(source, i32.add(source, plan.outs * 4));
      });
      for (let rest = size * columns; rest <= width; rest++) mark();
    });
    local.set(position, i32.add(position, columns * plan.outs * 4));
  });
  // A last row that belongs to no window.
  if (height % size) e.for(e.i32(), 0, width + 1, 1, mark);
}

/** Appends the entries of one position: of the channels at `source`, behind pooling, those that the position won. */
function appendPosition(
  e: Emitter,
  plan: Plan,
  { dy, winners }: { dy: Operand; winners: Operand | undefined },
  { source, wanted, place, end, table }: Record<"source" | "wanted" | "place" | "end" | "table", I32>,
): void {
  const from = e.i32(source);
  const { rowBytes } = plan;
  const channels = e.v128(v128.const("i32x4", [0, rowBytes, 2 * rowBytes, 3 * rowBytes]));
  const places = e.v128(i32x4.add(i32x4.splat(place), channels));
  const appendLanes = (lanes: number) => {
    const values = e.v128(v128.load({ offset: dy.address, align: 4 }, from));
    const mask = nonzeroLanes(e, values, lanes);
    if (winners) {
      const winner = e.v128(v128.load({ offset: winners.address, align: 4 }, from));
      local.set(mask, i32.and(mask, i32x4.bitmask(i32x4.eq(winner, i32x4.splat(wanted)))));
    }
    append(e, { end, distance: plan.distance, table }, values, places, mask);
    local.set(from, i32.add(from, lanes * 4));
    local.set(places, i32x4.add(places, i32x4.splat(4 * rowBytes)));
  };
  const rest = plan.outs % 4;
  e.for(e.i32(), 0, (plan.outs - rest) / 4, 1, () => appendLanes(4));
  if (rest) e.scope(() => appendLanes(rest));
}

/** Adds to each pixel of one sample what the list sends to it. */
function gatherImage(e: Emitter, plan: Plan, base: I32, image: I32): void {
  const { height, width, channels, strides, padding, kernelWidth } = plan;
  const [top, , left] = padding;
  const kernelRow = e.i32();
  const weights = e.i32(i32.add(base, plan.weights));
  e.for(kernelRow, 0, plan.kernelHeight, 1, () => {
    const y = e.i32(i32.sub(kernelRow, top));
    const starts = e.i32(i32.add(base, plan.starts));
    e.for(e.i32(), 0, plan.output[0], 1, () => {
      // A row above the first is, as an unsigned number, past the last.
      e.if(i32.lt_u(y, height), () => {
        const pixel = e.i32(e.address(0, [image, 1], [y, width * channels * 4]));
        const span = e.i32(i32.add(base, plan.spans));
        // The weights' turned column of output column 0, for the first pixel.
        const rows = e.i32(i32.add(weights, (kernelWidth - 1 - left) * plan.positionBytes));
        e.for(e.i32(), 0, width, 1, () => {
          const from = e.i32(i32.load({}, i32.add(starts, i32.load({}, span))));
          const end = e.i32(i32.load({}, i32.add(starts, i32.load({ offset: 4 }, span))));
          e.if(i32.lt_s(from, end), () => addToPixel(e, plan, { from, end, distance: plan.distance }, rows, pixel));
          local.set(span, i32.add(span, 8));
          local.set(pixel, i32.add(pixel, channels * 4));
          local.set(rows, i32.sub(rows, plan.positionBytes));
        });
      });
      local.set(y, i32.add(y, strides[0]));
      local.set(starts, i32.add(starts, plan.startsPitch));
    });
    local.set(weights, i32.add(weights, plan.kernelRowBytes));
  });
}

/** Adds part of the list to one pixel, as many channels at a time as there are registers. */
function addToPixel(
  e: Emitter,
  { channels }: Plan,
  part: Parameters<typeof addEntries>[2],
  rows: I32,
  pixel: I32,
): void {
  const vectors = Math.ceil(channels / 4);
  const pieces = Math.ceil(vectors / MOST_SUMS);
  for (let piece = 0; piece < pieces; piece++) {
    const first = Math.floor((piece * vectors) / pieces);
    const count = Math.floor(((piece + 1) * vectors) / pieces) - first;
    e.scope(() => {
      const sums = Array.from({ length: count }, (_, v) => {
        const offset = (first + v) * 16;
        return { sum: e.v128(v128.load({ offset, align: 4 }, pixel)), offset };
      });
      addEntries(e, sums, part, rows);
      for (const { sum, offset } of sums) e.storeLanes(pixel, offset, sum, Math.min(4, channels - offset / 4));
    });
  }
}
