/**
 * Penalties on weights: l1 Σ|w| + l2 Σw², added to the loss, and their gradient. Terms are added in double precision,
 * chunk by chunk, each by one thread in ascending order, and then the chunks in ascending order: the same bits for any
 * number of threads.
 */
import { f32, f32x4, f64, i32, local, v128 } from "wasmati";
import { elementsOf, type Op } from "./op.ts";

/** The factors; at least 0. */
export interface Penalty {
  readonly l1: number;
  readonly l2: number;
}

/** Elements whose terms one thread adds up. */
const CHUNK = 4096;

/** w (…), a weight → the penalty of each chunk of it, (chunks). */
export const penaltySums: Op<Penalty> = {
  name: "penaltySums",

  infer: (_, [w]) => [{ shape: [Math.ceil(elementsOf(w!.shape) / CHUNK)], batched: false, dtype: "float32" }],

  reference({ l1, l2 }, [w], [sums]) {
    for (let chunk = 0; chunk < sums!.data.length; chunk++) {
      let sum = 0;
      for (const value of w!.data.subarray(chunk * CHUNK, (chunk + 1) * CHUNK)) {
        sum += l1 * Math.abs(value) + l2 * value * value;
      }
      sums!.data[chunk] = sum;
    }
  },

  emit(e, { l1, l2 }, [w], [sums]) {
    const { from, to } = e.share(sums!.shape[0]!);
    const chunk = e.i32();
    const value = e.f64();
    e.for(chunk, from, to, 1, () => {
      const sum = e.f64(f64.const(0));
      const place = e.i32();
      const end = e.i32(i32.mul(i32.add(chunk, 1), CHUNK * 4));
      const size = elementsOf(w!.shape) * 4;
      e.atMost(end, size);
      e.for(place, i32.mul(chunk, CHUNK * 4), end, 4, () => {
        local.set(value, f64.promote_f32(f32.load({ offset: w!.address }, place)));
        if (l1) local.set(sum, f64.add(sum, f64.mul(f64.abs(value), l1)));
        if (l2) local.set(sum, f64.add(sum, f64.mul(f64.mul(value, value), l2)));
      });
      f32.store({ offset: sums!.address }, e.i32(i32.shl(chunk, 2)), f32.demote_f64(sum));
    });
  },
};

/**
 * sums (chunks), results (count), state: results[0], the sum of the samples' losses, grows by the penalty for each sample,
 * in place. No outputs.
 */
export const addPenalty: Op<object> = {
  name: "addPenalty",

  infer: () => [],

  changes: () => [1],

  reference(_, [sums, results], __, batch) {
    results!.data[0]! += batch * Array.from(sums!.data).reduce((sum, value) => sum + value, 0);
  },

  emit(e, _, [sums, results]) {
    e.onFirstThread(() => {
      const zero = e.i32(i32.const(0));
      const total = e.f64(f64.const(0));
      const place = e.i32();
      e.for(place, 0, sums!.shape[0]! * 4, 4, () => {
        local.set(total, f64.add(total, f64.promote_f32(f32.load({ offset: sums!.address }, place))));
      });
      const before = e.f64(f64.promote_f32(f32.load({ offset: results!.address }, zero)));
      const added = e.f64(f64.mul(total, f64.convert_i32_u(e.batch)));
      f32.store({ offset: results!.address }, zero, f32.demote_f64(f64.add(before, added)));
    });
  },
};

/** gradient (…), w (…) → the gradient plus that of the penalty, l1 sign(w) + 2 l2 w, where sign(0) is 0. */
export const addPenaltyGradient: Op<Penalty> = {
  name: "addPenaltyGradient",

  infer: (_, [gradient]) => [{ shape: gradient!.shape, batched: false, dtype: "float32" }],

  reference({ l1, l2 }, [gradient, w], [sum]) {
    w!.data.forEach((value, i) => {
      sum!.data[i] = gradient!.data[i]! + l1 * Math.sign(value) + 2 * l2 * value;
    });
  },

  emit(e, { l1, l2 }, [gradient, w], [sum]) {
    const { from, to } = e.share(Math.ceil(elementsOf(w!.shape) / 4));
    const end = e.i32(i32.mul(to, 16));
    const zero = e.v128(f32x4.splat(0));
    const step = e.v128(f32x4.splat(l1));
    const place = e.i32();
    // The last vector may reach into the padding behind the tensors.
    e.for(place, i32.mul(from, 16), end, 16, () => {
      const weight = e.v128(v128.load({ offset: w!.address }, place));
      const total = e.v128(v128.load({ offset: gradient!.address }, place));
      if (l1) {
        const above = e.v128(v128.and(f32x4.gt(weight, zero), step));
        const below = e.v128(v128.and(f32x4.lt(weight, zero), step));
        local.set(total, f32x4.add(total, f32x4.sub(above, below)));
      }
      if (l2) local.set(total, f32x4.add(total, f32x4.mul(weight, f32x4.splat(2 * l2))));
      v128.store({ offset: sum!.address }, place, total);
    });
  },
};
