/** Sums a value a sample over the batch, in double precision and ascending order, into one place of the results. */
import { f32, f64, i32, local } from "wasmati";
import type { Op } from "./op.ts";

export interface SumSamplesAttributes {
  /** Which element of the results. */
  readonly index: number;
}

/** values (), batched; results (count), state: results[index] = Σ values. No outputs. */
export const sumSamples: Op<SumSamplesAttributes> = {
  name: "sumSamples",

  infer: () => [],

  changes: () => [1],

  reference({ index }, [values, results], _, batch) {
    let sum = 0;
    for (let n = 0; n < batch; n++) sum += values!.data[n]!;
    results!.data[index] = sum;
  },

  emit(e, { index }, [values, results]) {
    e.onFirstThread(() => {
      const sum = e.f64(f64.const(0));
      const address = e.i32();
      const end = e.i32(i32.shl(e.batch, 2));
      e.for(address, 0, end, 4, () => {
        local.set(sum, f64.add(sum, f64.promote_f32(f32.load({ offset: values!.address }, address))));
      });
      f32.store({ offset: results!.address + index * 4 }, e.i32(i32.const(0)), f32.demote_f64(sum));
    });
  },
};
