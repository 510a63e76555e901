/**
 * Depthwise 2-D convolution: each channel with a kernel of its own. See `windows.ts` for the walk. Several outputs a channel
 * are as many channels, each repeated: `repeat-channels.ts`.
 *
 * In the weight gradient threads share the weights, a row of the kernel and a panel of channels at a time, and run over
 * all samples: a sum a sample, then their sum.
 */
import { f32x4, i32, local, v128 } from "wasmati";
import type { Emitter, I32, V128 } from "../wasm/emitter.ts";
import { withColumns } from "./block.ts";
import { clearMemory } from "./convolution.ts";
import { elementsOf, type Op, type Operand, type Shape } from "./op.ts";
import { convolutionOutput, type Padding, windowSize } from "./window.ts";
import { eachWindow, lanesOf, PANEL, panelVectors, type Windows } from "./windows.ts";

export interface DepthwiseAttributes {
  readonly strides: readonly [number, number];
  readonly dilation: readonly [number, number];
  /** Rows and columns of zeros around the image. */
  readonly padding: Padding;
}

/** x (height, width, channels), kernel (kernelHeight, kernelWidth, …) with a weight a channel → (height', width', channels). */
export const depthwiseConv2d: Op<DepthwiseAttributes> = {
  name: "depthwiseConv2d",

  infer({ strides, dilation, padding }, [x, kernel]) {
    const output = convolutionOutput(x!.shape, windowSize(kernel!.shape, dilation), strides, padding);
    return [{ shape: [...output, x!.shape[2]!], batched: true, dtype: "float32" }];
  },

  reference(attributes, [x, kernel], [y], batch) {
    const sums = new Float64Array(batch * elementsOf(y!.shape));
    eachProduct(windowsOf(attributes, x!.shape, kernel!.shape, y!.shape), batch, (input, weight, output) => {
      sums[output]! += x!.data[input]! * kernel!.data[weight]!;
    });
    y!.data.set(sums);
  },

  gradient: (graph, { attributes, inputs: [x, kernel] }, [dy], wanted) => [
    wanted[0] ? graph.apply(depthwiseConv2dInputGradient, { ...attributes, image: x!.shape }, dy!, kernel!) : undefined,
    graph.apply(depthwiseConv2dWeightGradient, { ...attributes, kernel: kernel!.shape }, x!, dy!),
  ],

  operations: (_, [, kernel], [y]) => kernel!.shape[0]! * kernel!.shape[1]! * elementsOf(y!.shape),

  emit(e, attributes, [x, kernel], [y]) {
    const windows = windowsOf(attributes, x!.shape, kernel!.shape, y!.shape);
    eachWindow(e, windows, { image: x!.address, output: y!.address }, (panel) => {
      const sums = panelVectors(e, panel.channels);
      for (const sum of sums) local.set(sum, f32x4.splat(0));
      panel.eachPixel((source, weight) => {
        for (const [v, sum] of sums.entries()) {
          const value = e.v128(v128.load({ offset: v * 16, align: 4 }, source));
          e.accumulate(sum, value, v128.load({ offset: kernel!.address + v * 16, align: 4 }, weight));
        }
      });
      for (const [v, sum] of sums.entries()) e.storeLanes(panel.output, v * 16, sum, lanesOf(panel.channels, v));
    });
  },
};

interface InputGradientAttributes extends DepthwiseAttributes {
  /** Shape of the convolution's input. */
  readonly image: Shape;
}

/** dy (height', width', channels), kernel → (height, width, channels). */
export const depthwiseConv2dInputGradient: Op<InputGradientAttributes> = {
  name: "depthwiseConv2dInputGradient",

  infer: ({ image }) => [{ shape: image, batched: true, dtype: "float32" }],

  reference(attributes, [dy, kernel], [dx], batch) {
    const sums = new Float64Array(batch * elementsOf(dx!.shape));
    eachProduct(windowsOf(attributes, dx!.shape, kernel!.shape, dy!.shape), batch, (input, weight, output) => {
      sums[input]! += dy!.data[output]! * kernel!.data[weight]!;
    });
    dx!.data.set(sums);
  },

  operations: (_, [dy, kernel]) => kernel!.shape[0]! * kernel!.shape[1]! * elementsOf(dy!.shape),

  emit(e, attributes, [dy, kernel], [dx]) {
    const bytes = elementsOf(dx!.shape) * 4;
    const { from, to } = e.samples();
    const n = e.i32();
    e.for(n, from, to, 1, () => clearMemory(e.i32(e.address(dx!.address, [n, bytes])), bytes));
    const windows = windowsOf(attributes, dx!.shape, kernel!.shape, dy!.shape);
    eachWindow(e, windows, { image: dx!.address, output: dy!.address }, (panel) => {
      const slopes = panelVectors(e, panel.channels);
      for (const [v, slope] of slopes.entries()) {
        local.set(slope, v128.load({ offset: v * 16, align: 4 }, panel.output));
      }
      panel.eachPixel((target, weight) => {
        for (const [v, slope] of slopes.entries()) {
          const sum = e.v128(v128.load({ offset: v * 16, align: 4 }, target));
          e.accumulate(sum, slope, v128.load({ offset: kernel!.address + v * 16, align: 4 }, weight));
          e.storeLanes(target, v * 16, sum, lanesOf(panel.channels, v));
        }
      });
    });
  },
};

interface WeightGradientAttributes extends DepthwiseAttributes {
  /** Shape of the kernel. */
  readonly kernel: Shape;
}

/** x (height, width, channels), dy (height', width', channels) → the kernel's shape, the sum over the batch. */
export const depthwiseConv2dWeightGradient: Op<WeightGradientAttributes> = {
  name: "depthwiseConv2dWeightGradient",

  infer: ({ kernel }) => [{ shape: kernel, batched: false, dtype: "float32" }],

  reference(attributes, [x, dy], [dw], batch) {
    const sums = new Float64Array(elementsOf(dw!.shape));
    eachProduct(windowsOf(attributes, x!.shape, dw!.shape, dy!.shape), batch, (input, weight, output) => {
      sums[weight]! += x!.data[input]! * dy!.data[output]!;
    });
    dw!.data.set(sums);
  },

  operations: ({ kernel }, [, dy]) => kernel[0]! * kernel[1]! * elementsOf(dy!.shape),

  emit(e, attributes, [x, dy], [dw]) {
    const windows = windowsOf(attributes, x!.shape, dw!.shape, dy!.shape);
    const channels = x!.shape[2]!;
    const panels = Math.ceil(channels / PANEL);
    const { from, to } = e.share(windows.window[0] * panels);
    const piece = e.i32();
    e.for(piece, from, to, 1, () => {
      const row = e.i32(i32.div_u(piece, panels));
      const panel = e.i32(i32.rem_u(piece, panels));
      const offset = e.i32(i32.mul(panel, PANEL * 4));
      const sum = (count: number) => sumRow(e, windows, { x: x!, dy: dy!, dw: dw!, row, offset }, count);
      withColumns(e, channels, panel, sum, PANEL);
    });
  },
};

interface Piece {
  readonly x: Operand;
  readonly dy: Operand;
  readonly dw: Operand;
  /** Number of the kernel's row. */
  readonly row: I32;
  /** Byte offset of the panel. */
  readonly offset: I32;
}

/**
 * The gradients of one row of the kernel, for a panel of `channels` channels. They are carried in memory from sample to
 * sample, of which the panel's values stay in the first-level cache from pixel to pixel of the row.
 */
function sumRow(e: Emitter, windows: Windows, { x, dy, dw, row, offset }: Piece, channels: number): void {
  const { image, window } = windows;
  const bytes = image[2]! * 4;
  const first = e.i32(e.address(dw.address, [row, window[1] * bytes], [offset, 1]));
  const rows = positionsInImage(e, windows, row, 0);
  const sums = panelVectors(e, channels);
  const clear = () => {
    for (const sum of sums) local.set(sum, f32x4.splat(0));
  };
  const store = (target: I32) => {
    for (const [v, sum] of sums.entries()) e.storeLanes(target, v * 16, sum, lanesOf(channels, v));
  };
  const target = e.i32(first);
  const pixel = e.i32();
  const eachPixel = (body: () => void) => {
    local.set(target, first);
    e.for(pixel, 0, window[1], 1, () => {
      body();
      local.set(target, i32.add(target, bytes));
    });
  };
  clear();
  eachPixel(() => store(target));
  const n = e.i32();
  e.for(n, 0, e.batch, 1, () => {
    eachPixel(() => {
      clear();
      sumPixel(e, windows, { x, dy, n, rows, pixel, offset }, sums);
      for (const [v, sum] of sums.entries()) {
        local.set(sum, f32x4.add(sum, v128.load({ offset: v * 16, align: 4 }, target)));
      }
      store(target);
    });
  });
}

interface SamplePixel extends Pick<Piece, "x" | "dy" | "offset"> {
  /** The sample. */
  readonly n: I32;
  /** Rows of positions at which the row of the kernel is in the image. */
  readonly rows: ReturnType<typeof positionsInImage>;
  /** Number of the pixel in its row. */
  readonly pixel: I32;
}

/** Adds one sample's products of one pixel of the kernel to the sums. */
function sumPixel(
  e: Emitter,
  windows: Windows,
  { x, dy, n, rows, pixel, offset }: SamplePixel,
  sums: readonly V128[],
): void {
  const { image, output, strides } = windows;
  const bytes = image[2]! * 4;
  const columns = positionsInImage(e, windows, pixel, 1);
  const row = e.i32();
  e.for(row, rows.from, rows.to, 1, () => {
    const y = e.i32(i32.add(i32.mul(row, strides[0]), rows.start));
    const line = e.i32(e.address(x.address, [n, elementsOf(image) * 4], [y, image[1]! * bytes]));
    const first = e.i32(i32.add(i32.mul(columns.from, strides[1]), columns.start));
    const source = e.i32(e.address(0, [line, 1], [first, bytes], [offset, 1]));
    const start = e.address(dy.address, [n, elementsOf(output) * bytes], [row, output[1]! * bytes]);
    const slope = e.i32(i32.add(start, e.address(0, [columns.from, bytes], [offset, 1])));
    e.for(e.i32(), columns.from, columns.to, 1, () => {
      for (const [v, sum] of sums.entries()) {
        const value = e.v128(v128.load({ offset: v * 16, align: 4 }, source));
        e.accumulate(sum, value, v128.load({ offset: v * 16, align: 4 }, slope));
      }
      local.set(source, i32.add(source, strides[1] * bytes));
      local.set(slope, i32.add(slope, bytes));
    });
  });
}

/**
 * The positions of the output at which pixel `index` of the window is in the image, along an axis, as [from, to); at
 * position p it is pixel p · stride + start of the image.
 */
function positionsInImage(e: Emitter, windows: Windows, index: I32, axis: 0 | 1) {
  const stride = windows.strides[axis];
  const start = e.i32(e.address(-windows.padding[2 * axis]!, [index, windows.dilation[axis]]));
  const from = e.i32(0);
  e.if(i32.lt_s(start, 0), () => local.set(from, i32.div_s(i32.sub(stride - 1, start), stride)));
  const to = e.i32(i32.sub(windows.image[axis]! + stride - 1, start));
  // What lies behind the image wholly has no positions, and division would round towards zero.
  e.atLeast(to, 0);
  local.set(to, i32.div_s(to, stride));
  e.atMost(to, windows.output[axis]!);
  return { start, from, to };
}

function windowsOf(attributes: DepthwiseAttributes, image: Shape, kernel: Shape, output: Shape): Windows {
  const { strides, dilation, padding } = attributes;
  const window = [kernel[0]!, kernel[1]!] as const;
  return { image, output: output.slice(0, 2), window, strides, dilation, padding };
}

/** Indices of the input, the weight and the output of every product, plainly. */
function eachProduct(
  { image, output, window, strides, dilation, padding }: Windows,
  batch: number,
  body: (input: number, weight: number, output: number) => void,
): void {
  const [height, width, channels] = image as [number, number, number];
  const size = elementsOf(output) * channels;
  for (let i = 0; i < batch * size; i++) {
    const channel = i % channels;
    const column = Math.floor(i / channels) % output[1]!;
    const row = Math.floor(i / channels / output[1]!) % output[0]!;
    for (let k = 0; k < window[0] * window[1]; k++) {
      const iy = row * strides[0] + Math.floor(k / window[1]) * dilation[0] - padding[0];
      const ix = column * strides[1] + (k % window[1]) * dilation[1] - padding[2];
      if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
      body(((Math.floor(i / size) * height + iy) * width + ix) * channels + channel, k * channels + channel, i);
    }
  }
}
