/**
 * Categorical cross-entropy from probabilities, for outputs that no softmax made, as Keras computes it on TensorFlow:
 * the row is scaled to sum 1 (after the clipping where sparse), and probabilities are clipped to [1e-7, 1 - 1e-7].
 * https://keras.io/api/losses/probabilistic_losses/
 */
import { f32, f64, i32, local } from "wasmati";
import type { Emitter, F64, I32 } from "../wasm/emitter.ts";
import { emitLog } from "./exponential.ts";
import { type CategoricalAttributes, eachLossRow, eachTarget, lossTypes, rowsOf, targetOf } from "./loss.ts";
import type { Op } from "./op.ts";

const EPSILON = 1e-7;

/**
 * probabilities (…, classes) and targets → the loss of each sample, (); the gradient of the batch's mean loss, (…, classes).
 *
 * With p the row and q what the logarithm sees: dense, q = clip(p / Σp); sparse, q = clip(p) and the loss is
 * -log(q / Σq).
 */
export const crossEntropy: Op<CategoricalAttributes> = {
  name: "crossEntropy",

  infer: (_, [probabilities]) => lossTypes(probabilities!),

  reference(attributes, [probabilities, targets], [loss, gradient], batch) {
    const { sparse } = attributes;
    const { rows, classes } = rowsOf(probabilities!);
    loss!.data.fill(0);
    const clip = (p: number) => Math.min(Math.max(p, EPSILON), 1 - EPSILON);
    for (let r = 0; r < batch * rows; r++) {
      const p = Array.from(probabilities!.data.subarray(r * classes, (r + 1) * classes));
      const t = p.map((_, i) => targetOf(attributes, targets!.data, r, i, classes));
      const scale = (sparse ? p.map(clip) : p).reduce((sum, value) => sum + value, 0);
      const scaled = sparse ? p : p.map((value) => value / scale);
      const inside = scaled.map((value) => (value === clip(value) ? 1 : 0));
      const q = scaled.map(clip);
      const slopes = q.map((value, i) => (-t[i]! / value) * inside[i]!);
      const through = slopes.reduce((sum, slope, i) => sum + slope * scaled[i]!, 0);
      const total = q.reduce((sum, value, i) => sum - t[i]! * Math.log(sparse ? value / scale : value), 0);
      loss!.data[Math.floor(r / rows)]! += total / rows;
      p.forEach((_, i) => {
        const slope = sparse ? slopes[i]! + inside[i]! / scale : (slopes[i]! - through) / scale;
        gradient!.data[r * classes + i] = slope / (batch * rows);
      });
    }
  },

  emit(e, attributes, [probabilities, targets], [loss, gradient]) {
    const { sparse } = attributes;
    const { rows, classes } = rowsOf(probabilities!);
    const at = (operand: { address: number }, row: I32) => e.i32(i32.add(row, operand.address));
    const count = e.f64(f64.convert_i32_s(i32.mul(e.batch, rows)));
    eachLossRow(e, { rows, width: classes, count: rows }, loss!, (row, total) => {
      const from = at(probabilities!, row);
      const to = at(gradient!, row);
      const scale = emitRowSum(e, from, classes, sparse);
      const through = e.f64(f64.const(0));
      const slope = e.f64();
      eachTarget(e, attributes, { classes, targets: targets!, row }, (offset, target) => {
        const expected = e.f64(f64.promote_f32(target));
        const value = e.f64(f64.promote_f32(f32.load({}, e.i32(i32.add(from, offset)))));
        if (!sparse) local.set(value, f64.div(value, scale));
        const clipped = e.f64(emitClip(value));
        const argument = sparse ? f64.div(clipped, scale) : clipped;
        const logarithm = e.f64(emitLog(e, argument));
        local.set(total, f64.sub(total, f64.mul(expected, logarithm)));
        local.set(slope, f64.const(0));
        e.if(f64.eq(clipped, value), () => {
          local.set(slope, f64.neg(f64.div(expected, value)));
          if (sparse) local.set(slope, f64.add(slope, f64.div(f64.const(1), scale)));
          else local.set(through, f64.add(through, f64.mul(slope, value)));
        });
        f32.store({}, e.i32(i32.add(to, offset)), f32.demote_f64(f64.div(slope, count)));
      });
      if (!sparse) emitRescale(e, { from: to, classes, through: e.f64(f64.div(through, count)), scale });
    });
  },
};

function emitClip(value: F64) {
  return f64.min(f64.max(value, EPSILON), 1 - EPSILON);
}

function emitRowSum(e: Emitter, from: I32, classes: number, clipped: boolean): F64 {
  const sum = e.f64(f64.const(0));
  const offset = e.i32();
  e.for(offset, 0, classes * 4, 4, () => {
    const value = e.f64(f64.promote_f32(f32.load({}, e.i32(i32.add(from, offset)))));
    if (clipped) local.set(value, emitClip(value));
    local.set(sum, f64.add(sum, value));
  });
  return sum;
}

/** slope = (slope - through) / scale, for each slope of a row. */
function emitRescale(
  e: Emitter,
  { from, classes, through, scale }: { from: I32; classes: number; through: F64; scale: F64 },
): void {
  const offset = e.i32();
  e.for(offset, 0, classes * 4, 4, () => {
    const pointer = e.i32(i32.add(from, offset));
    const slope = e.f64(f64.div(f64.sub(f64.promote_f32(f32.load({}, pointer)), through), scale));
    f32.store({}, pointer, f32.demote_f64(slope));
  });
}
