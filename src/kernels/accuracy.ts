/** Accuracy of a classification: whether the largest output is that of the expected class, the first where several are. */
import { f32, i32, local } from "wasmati";
import type { Emitter, I32 } from "../wasm/emitter.ts";
import type { CategoricalAttributes } from "./loss.ts";
import type { Op } from "./op.ts";
import { eachRow } from "./softmax.ts";

/** output (classes), targets (classes) or, where sparse, () int32 → 1 where right, else 0, (). */
export const accuracy: Op<CategoricalAttributes> = {
  name: "accuracy",

  infer: () => [{ shape: [], batched: true, dtype: "float32" }],

  reference({ sparse }, [output, targets], [correct], batch) {
    const classes = output!.shape[0]!;
    const largest = (data: ArrayLike<number>, n: number) => {
      const row = Array.from({ length: classes }, (_, i) => data[n * classes + i]!);
      return row.indexOf(Math.max(...row));
    };
    for (let n = 0; n < batch; n++) {
      const expected = sparse ? targets!.data[n] : largest(targets!.data, n);
      correct!.data[n] = largest(output!.data, n) === expected ? 1 : 0;
    }
  },

  emit(e, { sparse }, [output, targets], [correct]) {
    const classes = output!.shape[0]!;
    eachRow(e, 1, classes, (row) => {
      const sample = e.i32(i32.div_u(row, classes));
      const found = emitLargest(e, e.i32(i32.add(row, output!.address)), classes);
      const expected = sparse
        ? e.i32(i32.load({ offset: targets!.address }, sample))
        : emitLargest(e, e.i32(i32.add(row, targets!.address)), classes);
      f32.store({ offset: correct!.address }, sample, f32.convert_i32_u(i32.eq(found, expected)));
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
