/** Accuracies: whether the outputs are right, for each sample the share of its rows or elements that are. */
import { f32, f64, i32, local } from "wasmati";
import type { Emitter, F32, I32 } from "../wasm/emitter.ts";
import { type CategoricalAttributes, eachLossRow, rowsOf } from "./loss.ts";
import { elementsOf, type Op, type TensorType } from "./op.ts";

const perSample: TensorType = { shape: [], batched: true, dtype: "float32" };

/**
 * Whether the largest output is that of the expected class, the first where several are. output (…, classes), targets (…, classes) or, where sparse, (…) int32 → the share of rows that are right, ().
 */
export const accuracy: Op<CategoricalAttributes> = {
  name: "accuracy",

  infer: () => [perSample],

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

export interface TopKAttributes extends CategoricalAttributes {
  readonly k: number;
}

/**
 * Whether fewer than k outputs are larger than that of the expected class, which must be a number. Types as of `accuracy`.
 */
export const topKAccuracy: Op<TopKAttributes> = {
  name: "topKAccuracy",

  infer: () => [perSample],

  reference({ sparse, k }, [output, targets], [correct], batch) {
    const { rows, classes } = rowsOf(output!);
    correct!.data.fill(0);
    for (let r = 0; r < batch * rows; r++) {
      const row = Array.from({ length: classes }, (_, i) => output!.data[r * classes + i]!);
      const expected = Array.from({ length: classes }, (_, i) => targets!.data[r * classes + i]!);
      const value = row[sparse ? targets!.data[r]! : expected.indexOf(Math.max(...expected))]!;
      const isIn = Number.isFinite(value) && row.filter((other) => other > value).length < k;
      correct!.data[Math.floor(r / rows)]! += isIn ? 1 / rows : 0;
    }
  },

  emit(e, { sparse, k }, [output, targets], [correct]) {
    const { rows, classes } = rowsOf(output!);
    eachLossRow(e, { rows, width: classes, count: rows }, correct!, (row, total) => {
      const expected = sparse
        ? e.i32(i32.load({ offset: targets!.address }, e.i32(i32.div_u(row, classes))))
        : emitLargest(e, e.i32(i32.add(row, targets!.address)), classes);
      const from = e.i32(i32.add(row, output!.address));
      const value = e.f32(f32.load({}, e.i32(i32.add(from, i32.shl(expected, 2)))));
      const larger = e.i32(0);
      const place = e.i32();
      const end = e.i32(i32.add(from, classes * 4));
      e.for(place, from, end, 4, () => local.set(larger, i32.add(larger, isLarger(place, value))));
      // A number less itself is 0 only where it is finite.
      const isNumber = e.i32(f32.eq(f32.sub(value, value), 0));
      local.set(total, f64.add(total, f64.convert_i32_u(i32.and(isNumber, i32.lt_u(larger, k)))));
    });
  },
};

const isLarger = (place: I32, value: F32) => f32.gt(f32.load({}, place), value);

export interface BinaryAccuracyAttributes {
  readonly threshold: number;
}

/** output (…), targets (…) → the share of elements that are 1 above the threshold and else 0, as their target is, (). */
export const binaryAccuracy: Op<BinaryAccuracyAttributes> = {
  name: "binaryAccuracy",

  infer: () => [perSample],

  reference({ threshold }, [output, targets], [correct], batch) {
    const count = elementsOf(output!.shape);
    correct!.data.fill(0);
    for (let i = 0; i < batch * count; i++) {
      const isRight = Number(output!.data[i]! > Math.fround(threshold)) === targets!.data[i];
      correct!.data[Math.floor(i / count)]! += isRight ? 1 / count : 0;
    }
  },

  emit(e, { threshold }, [output, targets], [correct]) {
    const count = elementsOf(output!.shape);
    eachLossRow(e, { rows: count, width: 1, count }, correct!, (place, total) => {
      const side = e.f32(f32.convert_i32_u(f32.gt(f32.load({ offset: output!.address }, place), threshold)));
      const isRight = e.i32(f32.eq(side, f32.load({ offset: targets!.address }, place)));
      local.set(total, f64.add(total, f64.convert_i32_u(isRight)));
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
