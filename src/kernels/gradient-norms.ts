/**
 * What clipping gradients by their norms needs of all of them before any is used: sums of squares, and from these a
 * factor for each gradient, by which the updates scale it. Squares are added in double precision, chunk by chunk, each by
 * one thread in ascending order of four lanes, and then the chunks in ascending order: the same bits for any number of
 * threads.
 */
import { f32, f64, f64x2, i32, local, v128 } from "wasmati";
import type { Emitter, F64 } from "../wasm/emitter.ts";
import { elementsOf, type GraphBuilder, type Op, type Operand, type Tensor, type TensorType } from "./op.ts";

/** Elements whose squares one thread adds up. */
const CHUNK = 4096;

const chunksOf = ({ shape }: TensorType) => Math.ceil(elementsOf(shape) / CHUNK);

/** gradients (…), any number of them → the sum of the squares of each chunk, one gradient's after another's, (chunks). */
export const squareSums: Op<object> = {
  name: "squareSums",

  infer: (_, gradients) => {
    const chunks = gradients.reduce((sum, gradient) => sum + chunksOf(gradient), 0);
    return [{ shape: [chunks], batched: false, dtype: "float32" }];
  },

  reference(_, gradients, [sums]) {
    let chunk = 0;
    for (const { data } of gradients) {
      for (let start = 0; start < data.length; start += CHUNK) {
        const values = Array.from(data.subarray(start, start + CHUNK));
        sums!.data[chunk++] = values.reduce((sum, value) => sum + value * value, 0);
      }
    }
  },

  emit(e, _, gradients, [sums]) {
    let first = 0;
    for (const gradient of gradients) {
      e.scope(() => emitChunks(e, gradient, sums!.address + first * 4));
      first += chunksOf(gradient);
    }
  },
};

function emitChunks(e: Emitter, gradient: Operand, target: number): void {
  const size = elementsOf(gradient.shape);
  const last = chunksOf(gradient) - 1;
  const { from, to } = e.share(last + 1);
  const chunk = e.i32();
  e.for(chunk, from, to, 1, () => {
    const halves = [0, 8].map((offset) => ({ offset: gradient.address + offset, sum: e.v128(f64x2.splat(0)) }));
    const end = e.i32(i32.mul(i32.add(chunk, 1), CHUNK * 4));
    e.if(i32.eq(chunk, last), () => local.set(end, i32.const((size - (size % 4)) * 4)));
    const place = e.i32();
    e.for(place, i32.mul(chunk, CHUNK * 4), end, 16, () => {
      for (const { offset, sum } of halves) {
        const pair = e.v128(f64x2.promote_low_f32x4(v128.load64_zero({ offset, align: 4 }, place)));
        local.set(sum, f64x2.add(sum, f64x2.mul(pair, pair)));
      }
    });
    const both = e.v128(f64x2.add(halves[0]!.sum, halves[1]!.sum));
    const total = e.f64(f64.add(f64x2.extract_lane(0, both), f64x2.extract_lane(1, both)));
    e.if(i32.eq(chunk, last), () => {
      for (let i = 0; i < size % 4; i++) {
        const value = e.f64(f64.promote_f32(f32.load({ offset: gradient.address + i * 4 }, place)));
        local.set(total, f64.add(total, f64.mul(value, value)));
      }
    });
    f32.store({ offset: target }, e.i32(i32.shl(chunk, 2)), f32.demote_f64(total));
  });
}

export interface ClipFactorsAttributes {
  /** The largest norm that is left: of each gradient or, with `isGlobal`, of all together. */
  readonly norm: number;
  readonly isGlobal: boolean;
  /** Number of chunks of each gradient. */
  readonly chunks: readonly number[];
}

/**
 * sums of squares (chunks) → the factor of each gradient, (gradients): norm / max(its norm, norm), or with the norm of all
 * together in its place. A norm that is not a number makes the factor none either, and with it the weights, as in Keras.
 */
export const clipFactors: Op<ClipFactorsAttributes> = {
  name: "clipFactors",

  infer: ({ chunks }) => [{ shape: [chunks.length], batched: false, dtype: "float32" }],

  reference({ norm, isGlobal, chunks }, [sums], [factors]) {
    let first = 0;
    const squares = chunks.map((count) => {
      const own = Array.from(sums!.data.subarray(first, first + count));
      first += count;
      return own.reduce((sum, value) => sum + value, 0);
    });
    const all = squares.reduce((sum, square) => sum + square, 0);
    squares.forEach((square, index) => {
      factors!.data[index] = norm / Math.max(Math.sqrt(isGlobal ? all : square), norm);
    });
  },

  emit(e, { norm, isGlobal, chunks }, [sums], [factors]) {
    e.onFirstThread(() => {
      const zero = e.i32(i32.const(0));
      const all = e.f64(f64.const(0));
      const square = e.f64();
      const place = e.i32();
      const storeFactor = (index: number, value: F64) => {
        const factor = f64.div(norm, f64.max(f64.sqrt(value), norm));
        f32.store({ offset: factors!.address + index * 4 }, zero, f32.demote_f64(factor));
      };
      let first = 0;
      for (const [index, count] of chunks.entries()) {
        local.set(square, f64.const(0));
        const end = e.i32(i32.const((first + count) * 4));
        e.for(place, first * 4, end, 4, () => {
          local.set(square, f64.add(square, f64.promote_f32(f32.load({ offset: sums!.address }, place))));
        });
        if (isGlobal) local.set(all, f64.add(all, square));
        else storeFactor(index, square);
        first += count;
      }
      if (isGlobal) for (const index of chunks.keys()) storeFactor(index, all);
    });
  },
};

/** Appends what computes the factors that clip gradients to a norm, each alone or all together; shape (gradients). */
export function clipByNorm(
  graph: GraphBuilder,
  gradients: readonly Tensor[],
  options: { readonly norm: number; readonly isGlobal: boolean },
): Tensor {
  const sums = graph.apply(squareSums, {}, ...gradients);
  return graph.apply(clipFactors, { ...options, chunks: gradients.map(chunksOf) }, sums);
}
