/**
 * Multiply-adds on registers alone, as many as `length` says on each thread: what profiles measure the machine's ceiling
 * with. Twelve sums hide the latency; nothing is loaded.
 */
import { f32x4, i32, local, v128 } from "wasmati";
import type { Op } from "./op.ts";

export interface MultiplyAddAttributes {
  readonly length: number;
}

const SUMS = 12;

/** Floating-point operations of one thread. */
export const multiplyAddFlops = ({ length }: MultiplyAddAttributes) => length * SUMS * 4 * 2;

/** → one number a thread that nobody needs. */
export const multiplyAdd: Op<MultiplyAddAttributes> = {
  name: "multiplyAdd",

  infer: () => [{ shape: [64], batched: false, dtype: "float32" }],

  reference(_, __, [result]) {
    result!.data.fill(0);
  },

  emit(e, { length }, _, [result]) {
    const factor = e.v128(f32x4.splat(0.5));
    const addend = e.v128(f32x4.splat(0));
    const sums = Array.from({ length: SUMS }, () => e.v128(f32x4.splat(0)));
    const end = e.i32(i32.const(length));
    e.doFor(e.i32(), 0, end, 1, () => {
      for (const sum of sums) e.accumulate(sum, factor, addend);
    });
    for (const sum of sums) local.set(addend, f32x4.add(addend, sum));
    e.onFirstThread(() => v128.store({}, e.i32(i32.const(result!.address)), addend));
  },
};
