/** Softmax over the last axis, exp(x - max) / Σ exp(x - max), and its logarithm. Threads share the rows. */
import { f32, f32x4, f64, i32, local, v128 } from "wasmati";
import type { Emitter, F32, I32 } from "../wasm/emitter.ts";
import { emitExp, emitLog } from "./exponential.ts";
import { elementsOf, type Op } from "./op.ts";

/** x (..., classes) → the same shape; every row sums to 1. */
export const softmax: Op<object> = {
  name: "softmax",

  infer: (_, [x]) => [{ shape: x!.shape, batched: true, dtype: "float32" }],

  reference(_, [x], [y], batch) {
    const classes = x!.shape.at(-1)!;
    for (let start = 0; start < batch * elementsOf(x!.shape); start += classes) {
      const row = Array.from(x!.data.subarray(start, start + classes));
      const maximum = Math.max(...row);
      const exponentials = row.map((value) => Math.exp(value - maximum));
      const sum = exponentials.reduce((total, value) => total + value, 0);
      for (let i = 0; i < classes; i++) y!.data[start + i] = exponentials[i]! / sum;
    }
  },

  gradient: (graph, { outputs: [y] }, [dy]) => [graph.apply(softmaxGradient, {}, y!, dy!)],

  emit(e, _, [x], [y]) {
    const classes = x!.shape.at(-1)!;
    eachRow(e, elementsOf(x!.shape) / classes, classes, (row) => {
      emitSoftmaxRow(e, classes, e.i32(i32.add(row, x!.address)), e.i32(i32.add(row, y!.address)));
    });
  },
};

/** y and dy (..., classes) → dx = y (dy - Σ dy y). */
export const softmaxGradient: Op<object> = {
  name: "softmaxGradient",

  infer: (_, [y]) => [{ shape: y!.shape, batched: true, dtype: "float32" }],

  reference(_, [y, dy], [dx], batch) {
    const classes = y!.shape.at(-1)!;
    for (let start = 0; start < batch * elementsOf(y!.shape); start += classes) {
      let product = 0;
      for (let i = start; i < start + classes; i++) product += y!.data[i]! * dy!.data[i]!;
      for (let i = start; i < start + classes; i++) dx!.data[i] = y!.data[i]! * (dy!.data[i]! - product);
    }
  },

  emit(e, _, [y, dy], [dx]) {
    const classes = y!.shape.at(-1)!;
    const product = e.f32();
    const index = e.i32();
    eachRow(e, elementsOf(y!.shape) / classes, classes, (row) => {
      const end = e.i32(i32.add(row, classes * 4));
      const load = (operand: { address: number }) => f32.load({ offset: operand.address }, index);
      local.set(product, f32.const(0));
      e.for(index, row, end, 4, () => local.set(product, f32.add(f32.mul(load(y!), load(dy!)), product)));
      e.for(index, row, end, 4, () => {
        const difference = e.f32(f32.sub(load(dy!), product));
        const slope = e.f32(f32.mul(load(y!), difference));
        f32.store({ offset: dx!.address }, index, slope);
      });
    });
  },
};

/** x (..., classes) → ln softmax(x) = x - max - ln Σ exp(x - max). */
export const logSoftmax: Op<object> = {
  name: "logSoftmax",

  infer: (_, [x]) => [{ shape: x!.shape, batched: true, dtype: "float32" }],

  reference(_, [x], [y], batch) {
    const classes = x!.shape.at(-1)!;
    for (let start = 0; start < batch * elementsOf(x!.shape); start += classes) {
      const row = Array.from(x!.data.subarray(start, start + classes));
      const maximum = Math.max(...row);
      const logSum = Math.log(row.reduce((total, value) => total + Math.exp(value - maximum), 0));
      for (let i = 0; i < classes; i++) y!.data[start + i] = row[i]! - maximum - logSum;
    }
  },

  gradient: (graph, { outputs: [y] }, [dy]) => [graph.apply(logSoftmaxGradient, {}, y!, dy!)],

  emit(e, _, [x], [y]) {
    const classes = x!.shape.at(-1)!;
    eachRow(e, elementsOf(x!.shape) / classes, classes, (row) => {
      const from = e.i32(i32.add(row, x!.address));
      const { maximum, sum } = emitSoftmaxRow(e, classes, from, e.i32(i32.add(row, y!.address)));
      const base = e.f64(f64.promote_f32(maximum));
      const logSum = e.f64(emitLog(e, f64.promote_f32(sum)));
      const index = e.i32();
      e.for(index, row, e.i32(i32.add(row, classes * 4)), 4, () => {
        const shifted = e.f64(f64.sub(f64.promote_f32(f32.load({ offset: x!.address }, index)), base));
        f32.store({ offset: y!.address }, index, f32.demote_f64(f64.sub(shifted, logSum)));
      });
    });
  },
};

/** y and dy (..., classes) → dx = dy - exp(y) Σ dy. */
export const logSoftmaxGradient: Op<object> = {
  name: "logSoftmaxGradient",

  infer: (_, [y]) => [{ shape: y!.shape, batched: true, dtype: "float32" }],

  reference(_, [y, dy], [dx], batch) {
    const classes = y!.shape.at(-1)!;
    for (let start = 0; start < batch * elementsOf(y!.shape); start += classes) {
      let sum = 0;
      for (let i = start; i < start + classes; i++) sum += dy!.data[i]!;
      for (let i = start; i < start + classes; i++) dx!.data[i] = dy!.data[i]! - Math.exp(y!.data[i]!) * sum;
    }
  },

  emit(e, _, [y, dy], [dx]) {
    const classes = y!.shape.at(-1)!;
    const sum = e.f32();
    const index = e.i32();
    eachRow(e, elementsOf(y!.shape) / classes, classes, (row) => {
      const end = e.i32(i32.add(row, classes * 4));
      local.set(sum, f32.const(0));
      e.for(index, row, end, 4, () => local.set(sum, f32.add(sum, f32.load({ offset: dy!.address }, index))));
      e.for(index, row, end, 4, () => {
        const probability = e.v128(emitExp(e, e.v128(v128.load32_splat({ offset: y!.address }, index))));
        const share = e.f32(f32.mul(f32x4.extract_lane(0, probability), sum));
        f32.store({ offset: dx!.address }, index, f32.sub(f32.load({ offset: dy!.address }, index), share));
      });
    });
  },
};

/** Runs `body` for each row of `classes` elements of this thread's samples, with the row's byte offset. */
function eachRow(e: Emitter, rowsPerSample: number, classes: number, body: (row: I32) => void): void {
  const { from, to } = e.share(e.i32(i32.mul(e.batch, rowsPerSample)));
  const row = e.i32();
  const end = e.i32(i32.mul(to, classes * 4));
  e.for(row, i32.mul(from, classes * 4), end, classes * 4, () => body(row));
}

/**
 * Writes the softmax of the row at `from` to `to`. Returns the row's maximum and the sum of the exponentials of what
 * lies below it, which the logarithm of a probability is made of.
 */
export function emitSoftmaxRow(e: Emitter, classes: number, from: I32, to: I32): { maximum: F32; sum: F32 } {
  const offset = e.i32();
  const maximum = e.f32(f32.load({}, from));
  const pointer = e.i32();
  const at = (base: I32) => local.set(pointer, i32.add(base, offset));
  e.for(offset, 4, e.i32(i32.const(classes * 4)), 4, () => {
    at(from);
    local.set(maximum, f32.max(maximum, f32.load({}, pointer)));
  });
  const rest = classes % 4;
  const exponentiate = (lanes: number) => {
    at(from);
    const shifted = e.v128(f32x4.sub(v128.load({ align: 4 }, pointer), f32x4.splat(maximum)));
    const exponential = e.v128(emitExp(e, shifted));
    at(to);
    e.storeLanes(pointer, 0, exponential, lanes);
  };
  e.for(offset, 0, (classes - rest) * 4, 16, () => exponentiate(4));
  if (rest) e.scope(() => exponentiate(rest));
  const sum = e.f32(f32.const(0));
  e.for(offset, 0, classes * 4, 4, () => {
    at(to);
    local.set(sum, f32.add(sum, f32.load({}, pointer)));
  });
  e.for(offset, 0, classes * 4, 4, () => {
    at(to);
    f32.store({}, pointer, f32.div(f32.load({}, pointer), sum));
  });
  return { maximum, sum };
}
