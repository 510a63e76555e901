/**
 * Input gradient of a convolution: a convolution itself, of the output gradient, spread out by the strides and padded,
 * with the kernel turned by 180 degrees and its channels exchanged. Threads share the samples.
 */
import { i32, local } from "wasmati";
import type { Emitter, I32 } from "../wasm/emitter.ts";
import { PANEL_BYTES, PANEL_COLUMNS } from "./block.ts";
import {
  type ConvolutionPlan,
  clearMemory,
  copyInside,
  emitConvolution,
  paddedBytes,
  panelBytes,
} from "./convolution.ts";
import { elementsOf, type Op, type Shape, type TensorType } from "./op.ts";
import { packTransposedPanel } from "./packing.ts";
import { convolutionOutput, NEIGHBOURS, type Padding, windowSize } from "./window.ts";

export interface Conv2dInputGradientAttributes {
  readonly strides: readonly [number, number];
  /** Distance of the pixels that the kernel takes, down and across; default 1. */
  readonly dilation?: readonly [number, number];
  readonly padding: Padding;
  /** Shape of the convolution's input: (height, width, in). */
  readonly image: Shape;
}

/** dy (height', width', out), kernel (kernelHeight, kernelWidth, in, out) → (height, width, in). */
export const conv2dInputGradient: Op<Conv2dInputGradientAttributes> = {
  name: "conv2dInputGradient",

  infer: ({ image }) => [{ shape: image, batched: true, dtype: "float32" }],

  reference({ strides, dilation = NEIGHBOURS, padding, image }, [dy, kernel], [dx], batch) {
    const [height, width, channels] = image as [number, number, number];
    const [rows, columns, outs] = dy!.shape as [number, number, number];
    const [kernelHeight, kernelWidth] = kernel!.shape as [number, number];
    const sums = new Float64Array(batch * height * width * channels);
    for (let n = 0; n < batch; n++) {
      for (let position = 0; position < rows * columns; position++) {
        const top = Math.floor(position / columns) * strides[0] - padding[0];
        const left = (position % columns) * strides[1] - padding[2];
        for (let k = 0; k < kernelHeight * kernelWidth; k++) {
          const iy = top + Math.floor(k / kernelWidth) * dilation[0];
          const ix = left + (k % kernelWidth) * dilation[1];
          if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
          for (let c = 0; c < channels; c++) {
            let sum = 0;
            for (let o = 0; o < outs; o++) {
              sum +=
                dy!.data[(n * rows * columns + position) * outs + o]! * kernel!.data[(k * channels + c) * outs + o]!;
            }
            sums[((n * height + iy) * width + ix) * channels + c]! += sum;
          }
        }
      }
    }
    dx!.data.set(sums);
  },

  operations({ image, strides, dilation = NEIGHBOURS, padding }, [, kernel]) {
    const window = windowSize(kernel!.shape, dilation);
    return elementsOf(convolutionOutput(image, window, strides, padding)) * elementsOf(kernel!.shape);
  },

  scratchBytes(attributes, [, kernel]) {
    const plan = planOf(attributes, kernel!);
    // Packing four rows at a time may write three rows too many.
    return panelBytes(plan) + 4 * PANEL_BYTES + paddedBytes(plan.image) + 64;
  },

  emit(e, attributes, [dy, kernel], [dx]) {
    const plan = planOf(attributes, kernel!);
    const panels = e.scratch();
    const padded = e.i32(i32.add(panels, panelBytes(plan) + 4 * PANEL_BYTES));
    packTurnedKernel(e, plan, kernel!.address, panels);
    clearMemory(padded, paddedBytes(plan.image));
    const n = e.i32();
    const { from, to } = e.samples();
    e.for(n, from, to, 1, () => {
      const source = e.i32(e.address(dy!.address, [n, elementsOf(dy!.shape) * 4]));
      spread(e, attributes, plan, dy!.shape, source, padded);
      const output = e.i32(e.address(dx!.address, [n, elementsOf(dx!.shape) * 4]));
      emitConvolution(e, plan, { image: padded, panels, output });
    });
  },
};

function planOf({ image, dilation = NEIGHBOURS }: Conv2dInputGradientAttributes, kernel: TensorType): ConvolutionPlan {
  const [height, width, channels] = image as [number, number, number];
  const [kernelHeight, kernelWidth, , outs] = kernel.shape as [number, number, number, number];
  const window = windowSize(kernel.shape, dilation);
  return {
    image: { height: height + window[0] - 1, width: width + window[1] - 1, channels: outs },
    kernel: [kernelHeight, kernelWidth],
    strides: [1, 1],
    dilation,
    output: [height, width],
    outputChannels: channels,
    relu: false,
    pool: false,
  };
}

/** Copies one sample of dy into the padded image, `strides` apart. */
function spread(
  e: Emitter,
  { strides, padding }: Conv2dInputGradientAttributes,
  { image, kernel, dilation }: ConvolutionPlan,
  shape: Shape,
  source: I32,
  padded: I32,
): void {
  const [rows, columns, channels] = shape as [number, number, number];
  const window = windowSize(kernel, dilation);
  const top = window[0] - 1 - padding[0];
  const left = window[1] - 1 - padding[2];
  if (strides[0] === 1 && strides[1] === 1) {
    copyInside(e, image, { top, left, rows, rowBytes: columns * channels * 4 }, source, padded);
    return;
  }
  // A row at a time, each position to its place; a row counts as an image of single positions.
  const pitch = image.width * channels * 4;
  const from = e.i32(source);
  const to = e.i32(i32.add(padded, top * pitch));
  const positions = { height: columns * strides[1], width: strides[1], channels };
  e.for(e.i32(), 0, rows, 1, () => {
    const target = e.i32(i32.add(to, left * channels * 4));
    copyInside(e, positions, { top: 0, left: 0, rows: columns, rowBytes: channels * 4 }, from, target);
    local.set(from, i32.add(from, columns * channels * 4));
    local.set(to, i32.add(to, pitch * strides[0]));
  });
}

/** Packs the turned kernel: for each of its positions, last to first, the transposed matrix of channels. */
function packTurnedKernel(e: Emitter, plan: ConvolutionPlan, address: number, panels: I32): void {
  const outs = plan.image.channels;
  const channels = plan.outputChannels;
  const positions = plan.kernel[0] * plan.kernel[1];
  const to = e.i32(panels);
  // In ascending order, so that the rows written past the end of one piece are overwritten by the next.
  for (let first = 0; first < channels; first += PANEL_COLUMNS) {
    const columns = Math.min(PANEL_COLUMNS, channels - first);
    e.scope(() => {
      const from = e.i32(address + ((positions - 1) * channels + first) * outs * 4);
      e.for(e.i32(), 0, positions, 1, () => {
        packTransposedPanel(e, { rows: outs, columns, rowBytes: outs * 4 }, from, to);
        local.set(from, i32.sub(from, channels * outs * 4));
        local.set(to, i32.add(to, outs * PANEL_BYTES));
      });
    });
  }
}
