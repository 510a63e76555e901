/** Accuracy of a classification: whether the largest output is that of the expected class, the first where several are. */
import { f32, f64, i32, local } from "wasmati";
import type { Emitter, I32 } from "../wasm/emitter.ts";
import { type CategoricalAttributes, eachLossRow, rowsOf } from "./loss.ts";
import type { Op } from "./op.ts";

/** output (…, classes), targets (…, classes) or, where sparse, (…) int32 → the share of rows that are right, (). */
export const accuracy: Op<CategoricalAttributes> = {
  name: "accuracy",

  infer: () => [{ shape: [], batched: true, dtype: "float32" }],

  reference({ sparse }, [output, targets], [correct], batch) {
    const { rows, classes } = rowsOf(output!);
    const largest = (data: ArrayLike<number>, r: number) => {
      const row = Array.from({ length: classes }, (_, i) => data[r * classes + i]!);
      return row.indexOf(Math.max(...row));
    };
    correct!.data.fill(0);
    for (let r = 0; r < batch * rows; r++) {
      const expected = sparse ? targets!.data[r] : largest(targets!.data, r);
      correct!.data[Math.floor(r / rows)]! += largest(output!.data, r) === expected ? 1 / rows : 0;
    }
  },

  emit(e, { sparse }, [output, targets], [correct]) {
    const { rows, classes } = rowsOf(output!);
    eachLossRow(e, { rows, width: classes, count: rows }, correct!, (row, total) => {
      const found = emitLargest(e, e.i32(i32.add(row, output!.address)), classes);
      const expected = sparse
        ? e.i32(i32.load({ offset: targets!.address }, e.i32(i32.div_u(row, classes))))
        : emitLargest(e, e.i32(i32.add(row, targets!.address)), classes);
      local.set(total, f64.add(total, f64.convert_i32_u(i32.eq(found, expected))));
    });
  },
};

/** Index of the first largest of `classes` values at `from`. */
function emitLargest(e: Emitter, from: I32, classes: number): I32 {
  const winner = e.i32(i32.const(0));
  const maximum = e.f32(f32.load({}, from));
  const index = e.i32();
  e.for(index, 1, classes, 1, () => {
    const value = e.f32(f32.load({}, e.i32(i32.add(from, i32.shl(index, 2)))));
    e.if(f32.gt(value, maximum), () => {
      local.set(maximum, value);
      local.set(winner, index);
    });
  });
  return winner;
}
