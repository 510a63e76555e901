/**
 * Weight gradient of a convolution behind 2x2 max pooling: at most one in four of its output gradients is not zero, and
 * ReLU leaves fewer, so the products with zero are left out. Exact.
 *
 * Threads share the output channels. For each sample and channel the gradients that are not zero become a list of
 * (place in the padded image, value); for each row of the kernel, whose weights' inputs are contiguous in the image, the
 * list runs over a few vectors of sums. They are kept in scratch memory as (out, kernelHeight, kernelWidth * in), and
 * turned to the gradient's order at the end.
 */
import { f32, i32, local, v128 } from "wasmati";
import type { Emitter, I32 } from "../wasm/emitter.ts";
import { type Conv2dWeightGradientAttributes, conv2dWeightGradient } from "./conv2d-weight-gradient.ts";
import { clearMemory, copyInside, type PaddedImage, paddedBytes } from "./convolution.ts";
import { unpool2x2 } from "./max-pool2d.ts";
import { elementsOf, type Op, type Operand, type TensorType } from "./op.ts";
import { addEntries, ENTRY_BYTES } from "./sparse-run.ts";
import { convolutionOutput } from "./window.ts";

/** Sums in registers at a time; with the value and a row they stay within 15. */
const VECTORS = 6;

/**
 * x (height, width, in), dy and winners' positions (pooledHeight, pooledWidth, out)
 * → (kernelHeight, kernelWidth, in, out), the sum over the batch.
 */
export const pooledConv2dWeightGradient: Op<Conv2dWeightGradientAttributes> = {
  name: "pooledConv2dWeightGradient",

  infer: (attributes, [x, dy]) => conv2dWeightGradient.infer(attributes, [x!, dy!]),

  reference(attributes, [x, dy, winners], outputs, batch) {
    const { kernelSize, strides, padding } = attributes;
    const [height, width] = convolutionOutput(x!.shape, kernelSize, strides, padding);
    const shape = [height, width, dy!.shape[2]!];
    const dz = { ...dy!, shape, data: new Float32Array(batch * elementsOf(shape)) };
    unpool2x2.reference({ height, width }, [dy!, winners!], [dz], batch);
    conv2dWeightGradient.reference(attributes, [x!, dz], outputs, batch);
  },

  scratchBytes(attributes, [x, dy]) {
    const plan = planOf(attributes, x!, dy!);
    return plan.imageBytes + plan.listBytes + plan.channels * plan.channelBytes;
  },

  emit(e, attributes, [x, dy, winners], [dw]) {
    const plan = planOf(attributes, x!, dy!);
    const { image } = plan;
    const padded = e.scratch();
    const list = e.i32(i32.add(padded, plan.imageBytes));
    const sums = e.i32(i32.add(list, plan.listBytes));
    const channels = e.share(plan.channels);
    const isPadded = attributes.padding.some((side) => side > 0);
    if (isPadded) clearMemory(padded, paddedBytes(image));
    const channel = e.i32();
    const row = e.i32(sums);
    e.for(channel, channels.from, channels.to, 1, () => {
      clearMemory(row, plan.channelBytes);
      local.set(row, i32.add(row, plan.channelBytes));
    });
    const n = e.i32();
    const sampleBytes = elementsOf(x!.shape) * 4;
    const gradientBytes = elementsOf(dy!.shape) * 4;
    e.for(n, 0, e.batch, 1, () => {
      const source = e.i32(e.address(x!.address, [n, sampleBytes]));
      if (isPadded) {
        const [top, , left] = attributes.padding;
        const inside = { top, left, rows: x!.shape[0]!, rowBytes: sampleBytes / x!.shape[0]! };
        copyInside(e, image, inside, source, padded);
        local.set(source, padded);
      }
      local.set(row, sums);
      e.for(channel, channels.from, channels.to, 1, () => {
        const position = e.i32(e.address(0, [n, gradientBytes], [channel, 4]));
        const end = buildList(e, plan, { dy: dy!, winners: winners! }, position, list);
        addList(e, plan, { list, end, image: source }, row);
      });
    });
    storeSums(e, plan, dw!, channels, sums);
  },
};

interface Plan {
  readonly image: PaddedImage;
  readonly strides: readonly [number, number];
  readonly kernelHeight: number;
  /** Values in a row of the kernel, all input channels. */
  readonly run: number;
  /** Pooled positions and channels of dy. */
  readonly rows: number;
  readonly columns: number;
  readonly channels: number;
  readonly imageBytes: number;
  readonly listBytes: number;
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
  return {
    image,
    strides,
    kernelHeight: kernelSize[0],
    run,
    rows,
    columns,
    channels,
    imageBytes: paddedBytes(image) + 64,
    listBytes: (rows * columns + 1) * ENTRY_BYTES,
    runBytes,
    channelBytes: kernelSize[0] * runBytes,
  };
}

/** Lists one channel's gradients that are not zero. `position` is the byte offset of its first; returns the list's end. */
function buildList(
  e: Emitter,
  plan: Plan,
  { dy, winners }: { dy: Operand; winners: Operand },
  position: I32,
  list: I32,
): I32 {
  const stepX = plan.strides[1] * plan.image.channels * 4;
  const stepY = plan.strides[0] * plan.image.width * plan.image.channels * 4;
  const end = e.i32(list);
  const value = e.f32();
  const winner = e.i32();
  const window = e.i32();
  const line = e.i32(0);
  e.for(e.i32(), 0, plan.rows, 1, () => {
    local.set(window, line);
    e.for(e.i32(), 0, plan.columns, 1, () => {
      local.set(value, f32.load({ offset: dy.address }, position));
      local.set(winner, i32.load({ offset: winners.address }, position));
      const right = i32.mul(i32.and(winner, 1), stepX);
      const down = i32.mul(i32.shr_u(winner, 1), stepY);
      i32.store({}, end, i32.add(window, i32.add(right, down)));
      f32.store({ offset: 4 }, end, value);
      // Every value is written, but the end moves on for those only that are not zero: no branch to mispredict.
      local.set(end, i32.add(end, i32.mul(f32.ne(value, 0), ENTRY_BYTES)));
      local.set(window, i32.add(window, 2 * stepX));
      local.set(position, i32.add(position, plan.channels * 4));
    });
    local.set(line, i32.add(line, 2 * stepY));
  });
  return end;
}

/** Adds one channel's list to its sums, row of the kernel by row. Leaves `row` at the next channel's sums. */
function addList(e: Emitter, plan: Plan, { list, end, image }: Record<"list" | "end" | "image", I32>, row: I32): void {
  const vectors = plan.runBytes / 16;
  const pieces = Math.ceil(vectors / VECTORS);
  const base = e.i32(image);
  e.for(e.i32(), 0, plan.kernelHeight, 1, () => {
    for (let piece = 0; piece < pieces; piece++) {
      const first = Math.floor((piece * vectors) / pieces);
      const count = Math.floor(((piece + 1) * vectors) / pieces) - first;
      e.scope(() => {
        const sums = Array.from({ length: count }, (_, i) => ({ sum: e.v128(), offset: (first + i) * 16 }));
        for (const { sum, offset } of sums) local.set(sum, v128.load({ offset }, row));
        addEntries(e, sums, list, end, base);
        for (const { sum, offset } of sums) v128.store({ offset }, row, sum);
      });
    }
    local.set(row, i32.add(row, plan.runBytes));
    local.set(base, i32.add(base, plan.image.width * plan.image.channels * 4));
  });
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
