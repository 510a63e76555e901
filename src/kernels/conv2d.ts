/**
 * 2-D convolution (cross-correlation, as in Keras) of height x width x channels images, with bias, ReLU and 2x2 max
 * pooling fused behind it. Threads share the samples; each packs the weights for itself and pads one sample at a time
 * into its scratch memory, which stays in cache. See `convolution.ts` for the method, `scatter-convolution.ts` for that of
 * images of one channel that are mostly zero, and `sparse-convolution.ts` for that behind a ReLU without pooling.
 */
import { i32, local, v128 } from "wasmati";
import type { Emitter, I32 } from "../wasm/emitter.ts";
import { reluGradient } from "./activations.ts";
import { addSegments } from "./add-segments.ts";
import { finishSums, PANEL_BYTES, PANEL_COLUMNS } from "./block.ts";
import { channelSum } from "./channel-sum.ts";
import { conv2dWeightGradient } from "./conv2d-weight-gradient.ts";
import {
  type ConvolutionPlan,
  clearMemory,
  copyInside,
  emitConvolution,
  paddedBytes,
  panelBytes,
  windowMap,
} from "./convolution.ts";
import { filteredConv2dWeightGradient, gradientFiltering } from "./filtered-conv2d-weight-gradient.ts";
import type { FilteredImage, Filtering } from "./filtering.ts";
import { bestFiltering } from "./filtering-plan.ts";
import { elementsOf, type GraphBuilder, type Op, type Operand, type Tensor, type TensorType } from "./op.ts";
import { packPanel } from "./packing.ts";
import {
  canScatter,
  emitScatter,
  listPixels,
  prepareScatter,
  type ScatterConvolution,
  scatterLayout,
} from "./scatter-convolution.ts";
import { sparseConv2dInputGradient } from "./sparse-conv2d-input-gradient.ts";
import { sparseConv2dWeightGradient } from "./sparse-conv2d-weight-gradient.ts";
import { emitSparseConvolution, prepareSparse, type SparseConvolution, sparseLayout } from "./sparse-convolution.ts";
import { turnKernel } from "./turn-kernel.ts";
import { convolutionOutput, NEIGHBOURS, type Padding, windowSize } from "./window.ts";
import { mapBytes, mapWindows } from "./window-map.ts";
import { winnerAt } from "./winners.ts";

export interface Conv2dAttributes {
  readonly strides: readonly [number, number];
  /** Distance of the pixels that the kernel takes, down and across; default 1. */
  readonly dilation?: readonly [number, number];
  /** Rows and columns of zeros around the image. */
  readonly padding: Padding;
  readonly relu?: boolean;
  /** Maximum over windows of 2x2 with stride 2, after ReLU. */
  readonly pool?: boolean;
  /** The input comes from a ReLU: about half of it is zero. */
  readonly sparseInput?: boolean;
}

/** The size of the output before pooling. */
function outputSize({ strides, dilation = NEIGHBOURS, padding }: Conv2dAttributes, x: TensorType, kernel: TensorType) {
  return convolutionOutput(x.shape, windowSize(kernel.shape, dilation), strides, padding);
}

/** The methods that leave work out, filtering and the sparse ones, are for neighbouring pixels. */
export const isDilated = ({ dilation = NEIGHBOURS }: Conv2dAttributes) => dilation.some((distance) => distance > 1);

/** The filtering of a convolution; none where it saves no work against a `share` of all products. */
export function filteringOf(
  attributes: Conv2dAttributes,
  x: TensorType,
  kernel: TensorType,
  share = 1,
): Filtering | undefined {
  if (attributes.strides.some((stride) => stride > 1) || isDilated(attributes)) return undefined;
  return bestFiltering(kernel.shape, filteredImage(attributes, x, kernel), share);
}

export function filteredImage(attributes: Conv2dAttributes, x: TensorType, kernel: TensorType): FilteredImage {
  const [height, width] = x.shape as [number, number, number];
  const [top, , left] = attributes.padding;
  return { size: [height, width], top, left, output: outputSize(attributes, x, kernel) };
}

/**
 * x (height, width, in), kernel (kernelHeight, kernelWidth, in, out), optionally bias (out)
 * → (height', width', out); where pooling, and a gradient asks for them, also the winners of its windows (`winners.ts`), int32, of the same shape.
 */
export const conv2d: Op<Conv2dAttributes> = {
  name: "conv2d",

  infer(attributes, [x, kernel]) {
    const [height, width] = outputSize(attributes, x!, kernel!);
    const channels = kernel!.shape[3]!;
    if (!attributes.pool) return [{ shape: [height, width, channels], batched: true, dtype: "float32" }];
    const shape = [Math.floor(height / 2), Math.floor(width / 2), channels];
    return [
      { shape, batched: true, dtype: "float32" },
      { shape, batched: true, dtype: "int32" },
    ];
  },

  reference({ strides, dilation = NEIGHBOURS, padding, relu, pool }, [x, kernel, bias], [y, winners], batch) {
    const [h, w, channels] = x!.shape as [number, number, number];
    const [kernelHeight, kernelWidth, , outs] = kernel!.shape as [number, number, number, number];
    const [top, , left] = padding;
    const convolved = (n: number, row: number, column: number, out: number) => {
      let sum = bias ? bias.data[out]! : 0;
      for (let ky = 0; ky < kernelHeight; ky++) {
        for (let kx = 0; kx < kernelWidth; kx++) {
          const iy = row * strides[0] + ky * dilation[0] - top;
          const ix = column * strides[1] + kx * dilation[1] - left;
          if (iy < 0 || iy >= h || ix < 0 || ix >= w) continue;
          for (let c = 0; c < channels; c++) {
            const weight = kernel!.data[((ky * kernelWidth + kx) * channels + c) * outs + out]!;
            sum += x!.data[((n * h + iy) * w + ix) * channels + c]! * weight;
          }
        }
      }
      return sum;
    };
    const activate = (value: number) => (relu && value < 0 ? 0 : value);
    const size = elementsOf(y!.shape);
    for (let i = 0; i < batch * size; i++) {
      const out = i % outs;
      const column = Math.floor(i / outs) % y!.shape[1]!;
      const row = Math.floor(i / outs / y!.shape[1]!) % y!.shape[0]!;
      const n = Math.floor(i / size);
      if (!pool) y!.data[i] = activate(convolved(n, row, column, out));
      else {
        const window = [0, 1, 2, 3].map((r) => convolved(n, 2 * row + (r >> 1), 2 * column + (r & 1), out));
        y!.data[i] = activate(Math.max(...window));
        if (winners) winners.data[i] = winnerAt(window.indexOf(Math.max(...window)));
      }
    }
  },

  gradient(graph, { attributes, inputs: [x, kernel, bias], outputs: [y, winners] }, [dy], wanted) {
    const gradients: Gradients = {
      x: x!,
      kernel: kernel!,
      dy: attributes.relu ? graph.apply(reluGradient, {}, y!, dy!) : dy!,
      winners: attributes.pool ? [winners!] : [],
    };
    // Units of the kernel's gradient are large: threads that are done with them early take more of the input's.
    return [
      wanted[0] ? inputGradient(graph, attributes, gradients) : undefined,
      ...ownGradients(graph, attributes, gradients, bias !== undefined),
    ];
  },

  operations(attributes, [x, kernel]) {
    return elementsOf(outputSize(attributes, x!, kernel!)) * elementsOf(kernel!.shape);
  },

  scratchBytes(attributes, [x, kernel], batchSize) {
    if (isSparse(attributes)) return sparseLayout(sparseOf(attributes, x!, kernel!)).bytes;
    const plan = planOf(attributes, x!, kernel!);
    const scatter = scatterOf(attributes, plan, batchSize);
    return directBytes(plan) + (scatter ? scatterLayout(scatter).bytes : 0);
  },

  emit(e, attributes, [x, kernel, bias], [y, winners]) {
    if (isSparse(attributes)) {
      emitSparse(e, attributes, { x: x!, kernel: kernel!, bias, y: y! });
    } else {
      emitDirect(e, attributes, { x: x!, kernel: kernel!, bias, y: y!, winners });
    }
  },
};

/** Share of the products that lists behind a ReLU do, about. */
const BEHIND_RELU = 0.5;

/** What the gradients are computed from: that of the output is behind the ReLU, where there is one. */
interface Gradients {
  readonly x: Tensor;
  readonly kernel: Tensor;
  readonly dy: Tensor;
  /** Of the windows, where pooling. */
  readonly winners: readonly Tensor[];
}

/**
 * Behind pooling most of the output's gradient is zero, and with strides zeros would lie between its values: it is listed.
 * Else the input's is a convolution of it, which is filtered where that saves work; where not, ReLU's zeros are left out.
 */
function inputGradient(
  graph: GraphBuilder,
  attributes: Conv2dAttributes,
  { x, kernel, dy, winners }: Gradients,
): Tensor {
  const { strides, dilation = NEIGHBOURS, padding, relu, pool = false } = attributes;
  const turned: Conv2dAttributes = { strides, dilation, padding: turnedPadding(attributes, kernel) };
  const isConvolved = strides.every((stride) => stride === 1) && !pool;
  const isFiltered = () => filteringOf(turned, dy, turnKernel.infer({}, [kernel])[0]!, BEHIND_RELU) !== undefined;
  if (isConvolved && (!relu || isDilated(attributes) || isFiltered())) {
    return graph.apply(conv2d, turned, dy, graph.apply(turnKernel, {}, kernel));
  }
  return graph.apply(
    sparseConv2dInputGradient,
    { strides, padding, image: x.shape, pooled: pool },
    dy,
    kernel,
    ...winners,
  );
}

/** The gradients of kernel and bias; as with the input's, what is mostly zero is listed, else filtered where that saves work. */
function ownGradients(
  graph: GraphBuilder,
  attributes: Conv2dAttributes,
  { x, kernel, dy, winners }: Gradients,
  hasBias: boolean,
): (Tensor | undefined)[] {
  const { strides, dilation = NEIGHBOURS, padding, relu, pool } = attributes;
  const [height, width] = kernel.shape as [number, number];
  const own = { strides, dilation, padding, kernelSize: [height, width] as const };
  const added = (sums: Tensor) =>
    graph.applyAll(addSegments, { kernel: kernel.shape as [number, number, number, number] }, sums);
  if (!pool && gradientFiltering(own, x, dy, relu ? BEHIND_RELU : 1))
    return added(graph.apply(filteredConv2dWeightGradient, own, x, dy));
  if ((pool || relu) && !isDilated(attributes)) {
    return added(graph.apply(sparseConv2dWeightGradient, own, x, dy, ...winners));
  }
  return [graph.apply(conv2dWeightGradient, own, x, dy), hasBias ? graph.apply(channelSum, {}, dy) : undefined];
}

/** Rows and columns of zeros around the gradient of the output, of which a convolution gives that of the input. */
function turnedPadding({ dilation = NEIGHBOURS, padding }: Conv2dAttributes, kernel: TensorType): Padding {
  const window = windowSize(kernel.shape, dilation);
  return padding.map((side, i) => window[i < 2 ? 0 : 1]! - 1 - side) as unknown as Padding;
}

interface Tensors {
  readonly x: Operand;
  readonly kernel: Operand;
  readonly bias: Operand | undefined;
  readonly y: Operand;
  readonly winners?: Operand | undefined;
}

/** Scratch memory for packed weights, a padded sample and its map; in whole cache lines. */
const directBytes = (plan: ConvolutionPlan) =>
  Math.ceil((panelBytes(plan) + paddedBytes(plan.image) + 64 + mapBytes(windowMap(plan))) / 64) * 64;

/** Batches from which on a second method repays its code, 2 % of the time of `lenet predict`. */
const LEAST_SCATTERED = 4;

/** How samples of one channel are convolved that are mostly zero. */
function scatterOf(
  { padding }: Conv2dAttributes,
  plan: ConvolutionPlan,
  batchSize: number,
): ScatterConvolution | undefined {
  const { image, strides, dilation } = plan;
  const [top, bottom, left, right] = padding;
  if (batchSize < LEAST_SCATTERED || image.channels > 1) return undefined;
  if ([...strides, ...dilation].some((step) => step > 1)) return undefined;
  const scatter = { ...plan, size: [image.height - top - bottom, image.width - left - right] as const, top, left };
  return canScatter(scatter) ? scatter : undefined;
}

function emitDirect(e: Emitter, attributes: Conv2dAttributes, { x, kernel, bias, y, winners }: Tensors): void {
  const plan = { ...planOf(attributes, x, kernel), ...(bias && { bias: bias.address }) };
  const [top, bottom, left, right] = attributes.padding;
  const panels = e.scratch();
  const padded = e.i32(i32.add(panels, panelBytes(plan)));
  const map = e.i32(i32.add(padded, paddedBytes(plan.image) + 64));
  packKernel(e, plan, kernel.address, panels);
  const isPadded = top + bottom + left + right > 0;
  if (isPadded) clearMemory(padded, paddedBytes(plan.image));
  const sampleBytes = elementsOf(x.shape) * 4;
  const outputBytes = elementsOf(y.shape) * 4;
  const convolveDirectly = (image: I32, output: I32, won: I32 | undefined) => {
    const inside = { top, left, rows: x.shape[0]!, rowBytes: sampleBytes / x.shape[0]! };
    if (isPadded) {
      copyInside(e, plan.image, inside, image, padded);
      local.set(image, padded);
    }
    mapWindows(e, windowMap(plan), image, map);
    emitConvolution(e, plan, { image, panels, output, map, ...(won && { winners: won }) });
  };
  const scatter = scatterOf(attributes, plan, e.batchSize);
  const base = scatter && e.i32(i32.add(panels, directBytes(plan)));
  if (base) prepareScatter(e, scatter, kernel.address, base);
  e.eachUnit(e.batch, (n) => {
    const image = e.i32(e.address(x.address, [n, sampleBytes]));
    const output = e.i32(e.address(y.address, [n, outputBytes]));
    const won = winners && e.i32(e.address(winners.address, [n, outputBytes]));
    const sumDirectly = () => convolveDirectly(image, output, won);
    if (!base) return sumDirectly();
    const isMostlyZero = listPixels(e, scatter, image, base);
    e.if(i32.ne(isMostlyZero, 0), () => emitScatter(e, scatter, { base, output, winners: won }), sumDirectly);
  });
}

/** The sparse method gathers what the dense one multiplies; for pooling there is no need of it. */
const isSparse = (attributes: Conv2dAttributes) =>
  attributes.sparseInput === true && !attributes.pool && !isDilated(attributes);

function sparseOf({ strides, padding }: Conv2dAttributes, x: TensorType, kernel: TensorType): SparseConvolution {
  const [height, width] = convolutionOutput(x.shape, kernel.shape, strides, padding);
  return {
    source: x.shape as [number, number, number],
    target: [height, width, kernel.shape[3]!],
    isGradient: false,
    kernel: [kernel.shape[0]!, kernel.shape[1]!],
    strides,
    top: padding[0],
    left: padding[2],
  };
}

function emitSparse(e: Emitter, attributes: Conv2dAttributes, { x, kernel, bias, y }: Tensors): void {
  const plan = sparseOf(attributes, x, kernel);
  const base = e.scratch();
  prepareSparse(e, plan, kernel, base);
  e.eachUnit(e.batch, (n) => {
    const position = e.i32(e.address(0, [n, elementsOf(x.shape) * 4]));
    const target = e.i32(e.address(y.address, [n, elementsOf(y.shape) * 4]));
    emitSparseConvolution(e, plan, { source: x }, { position, target, base });
    finishPixels(e, attributes.relu ?? false, bias, y, target);
  });
}

/** Bias and ReLU on one sample, in place. */
function finishPixels(e: Emitter, relu: boolean, bias: Operand | undefined, { shape }: Operand, image: I32): void {
  const [height, width, channels] = shape as [number, number, number];
  if (!bias && !relu) return;
  const pixel = e.i32(image);
  const sum = e.v128();
  e.for(e.i32(), 0, height * width, 1, () => {
    for (let channel = 0; channel < channels; channel += 4) {
      local.set(sum, v128.load({ offset: channel * 4, align: 4 }, pixel));
      finishSums([[sum]], bias && e.i32(i32.const(bias.address + channel * 4)), relu);
      e.storeLanes(pixel, channel * 4, sum, Math.min(4, channels - channel));
    }
    local.set(pixel, i32.add(pixel, channels * 4));
  });
}

function planOf(attributes: Conv2dAttributes, x: TensorType, kernel: TensorType): ConvolutionPlan {
  const { strides, dilation = NEIGHBOURS, padding, relu, pool } = attributes;
  const [height, width, channels] = x.shape as [number, number, number];
  const [top, bottom, left, right] = padding;
  return {
    image: { height: height + top + bottom, width: width + left + right, channels },
    kernel: [kernel.shape[0]!, kernel.shape[1]!],
    strides,
    dilation,
    output: outputSize(attributes, x, kernel),
    outputChannels: kernel.shape[3]!,
    relu: relu ?? false,
    pool: pool ?? false,
  };
}

/** Packs a kernel (height, width, in, out) at `address` into panels of eight output channels. */
function packKernel(e: Emitter, plan: ConvolutionPlan, address: number, panels: I32): void {
  const inner = plan.kernel[0] * plan.kernel[1] * plan.image.channels;
  const to = e.i32(panels);
  for (let first = 0; first < plan.outputChannels; first += PANEL_COLUMNS) {
    const columns = Math.min(PANEL_COLUMNS, plan.outputChannels - first);
    const from = e.i32(address + (first * PANEL_BYTES) / PANEL_COLUMNS);
    e.scope(() => packPanel(e, { rows: inner, columns, rowBytes: plan.outputChannels * 4 }, from, to));
  }
}
