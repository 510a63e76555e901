/**
 * Input gradient of a convolution with ReLU or 2x2 max pooling behind it, or with strides: the products with gradients that
 * the former made zero are left out, as are the zeros that the latter would put between gradients. Exact. Threads share the
 * samples. See `sparse-convolution.ts` for the method, and `turn-kernel.ts` for the gradient of other convolutions.
 */
import { i32, local, v128 } from "wasmati";
import type { Emitter, I32 } from "../wasm/emitter.ts";
import { keepPositive } from "./activations.ts";
import { elementsOf, type Op, type Shape, type TensorType, type Value } from "./op.ts";
import { emitSparseConvolution, prepareSparse, type SparseConvolution, sparseLayout } from "./sparse-convolution.ts";
import { convolutionOutput, type Padding } from "./window.ts";
import { unpooled } from "./winners.ts";

export interface SparseConv2dInputGradientAttributes {
  readonly strides: readonly [number, number];
  readonly padding: Padding;
  /** Shape of the convolution's input: (height, width, in). */
  readonly image: Shape;
  /** Behind 2x2 pooling: dy is (height' / 2, width' / 2, out), and an input are the winners of its windows. */
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

  infer: ({ image }) => [{ shape: image, batched: true, dtype: "float32" }],

  reference(attributes, [dy, kernel, ...others], outputs, batch) {
    const { strides, padding, image } = attributes;
    const { winners, mask } = optional(attributes, others);
    const size = convolutionOutput(image, kernel!.shape, strides, padding);
    const dz = winners ? unpooled(dy!, winners, size, batch) : dy!;
    const dx = outputs[0]!.data;
    dx.set(plainGradient(attributes, dz, kernel!, batch));
    if (mask) for (let i = 0; i < dx.length; i++) if (!(mask.data[i]! > 0)) dx[i] = 0;
  },

  operations({ image, strides, padding }, [, kernel]) {
    return elementsOf(convolutionOutput(image, kernel!.shape, strides, padding)) * elementsOf(kernel!.shape);
  },

  scratchBytes: (attributes, [, kernel]) => sparseLayout(planOf(attributes, kernel!)).bytes,

  emit(e, attributes, [dy, kernel, ...others], [dx]) {
    const { winners, mask } = optional(attributes, others);
    const plan = planOf(attributes, kernel!);
    const base = e.scratch();
    prepareSparse(e, plan, kernel!, base);
    e.eachUnit(e.batch, (n) => {
      const position = e.i32(e.address(0, [n, elementsOf(dy!.shape) * 4]));
      const target = e.i32(e.address(dx!.address, [n, elementsOf(dx!.shape) * 4]));
      emitSparseConvolution(e, plan, { source: dy!, winners }, { position, target, base });
      if (mask) applyMask(e, elementsOf(dx!.shape), target, e.i32(i32.add(target, mask.address - dx!.address)));
    });
  },
};

/** The gradient of each input: the sum over all outputs that it is in. */
function plainGradient(
  { strides, padding, image }: SparseConv2dInputGradientAttributes,
  dy: Value,
  kernel: Value,
  batch: number,
): Float64Array {
  const [height, width, channels] = image as [number, number, number];
  const [rows, columns, outs] = dy.shape as [number, number, number];
  const [kernelHeight, kernelWidth] = kernel.shape as [number, number];
  const sums = new Float64Array(batch * height * width * channels);
  for (let n = 0; n < batch; n++) {
    for (let position = 0; position < rows * columns; position++) {
      const top = Math.floor(position / columns) * strides[0] - padding[0];
      const left = (position % columns) * strides[1] - padding[2];
      for (let k = 0; k < kernelHeight * kernelWidth; k++) {
        const iy = top + Math.floor(k / kernelWidth);
        const ix = left + (k % kernelWidth);
        if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
        for (let c = 0; c < channels; c++) {
          let sum = 0;
          for (let o = 0; o < outs; o++) {
            sum += dy.data[(n * rows * columns + position) * outs + o]! * kernel.data[(k * channels + c) * outs + o]!;
          }
          sums[((n * height + iy) * width + ix) * channels + c]! += sum;
        }
      }
    }
  }
  return sums;
}

function optional<T>({ pooled, masked }: SparseConv2dInputGradientAttributes, others: readonly T[]) {
  return { winners: pooled ? others[0] : undefined, mask: masked ? others.at(-1) : undefined };
}

function planOf(attributes: SparseConv2dInputGradientAttributes, kernel: TensorType): SparseConvolution {
  const { strides, padding, image, pooled = false } = attributes;
  const [kernelHeight, kernelWidth, , outs] = kernel.shape as [number, number, number, number];
  return {
    source: [...convolutionOutput(image, kernel.shape, strides, padding), outs],
    target: image as [number, number, number],
    isGradient: true,
    pooled,
    kernel: [kernelHeight, kernelWidth],
    strides,
    top: padding[0],
    left: padding[2],
  };
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
