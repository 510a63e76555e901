/**
 * Categorical cross-entropy of a softmax, from the logits: stable where a probability underflows. The loss and its
 * gradient come out together. https://keras.io/api/losses/probabilistic_losses/
 */
import { f32, f64, i32, local } from "wasmati";
import { emitLog } from "./exponential.ts";
import {
  type CategoricalAttributes,
  eachLossRow,
  eachTarget,
  emitWithoutNegligible,
  lossTypes,
  rowsOf,
  targetOf,
  withoutNegligible,
} from "./loss.ts";
import type { Op } from "./op.ts";
import { emitSoftmaxRow } from "./softmax.ts";

/** logits (…, classes) and targets → the loss of each sample, (); the gradient of the batch's mean loss, (…, classes). */
export const softmaxCrossEntropy: Op<CategoricalAttributes> = {
  name: "softmaxCrossEntropy",

  infer: (_, [logits]) => lossTypes(logits!),

  reference(attributes, [logits, targets], [loss, gradient], batch) {
    const { rows, classes } = rowsOf(logits!);
    loss!.data.fill(0);
    for (let r = 0; r < batch * rows; r++) {
      const row = Array.from(logits!.data.subarray(r * classes, (r + 1) * classes));
      const maximum = Math.max(...row);
      const sum = row.reduce((total, value) => total + Math.exp(value - maximum), 0);
      let total = 0;
      row.forEach((value, i) => {
        const target = targetOf(attributes, targets!.data, r, i, classes);
        const logProbability = value - maximum - Math.log(sum);
        total -= target === 0 ? 0 : target * logProbability;
        gradient!.data[r * classes + i] = withoutNegligible((Math.exp(logProbability) - target) / (batch * rows));
      });
      loss!.data[Math.floor(r / rows)]! += total / rows;
    }
  },

  emit(e, attributes, [logits, targets], [loss, gradient]) {
    const { rows, classes } = rowsOf(logits!);
    const scale = e.f32(f32.div(f32.const(1), f32.convert_i32_s(i32.mul(e.batch, rows))));
    eachLossRow(e, { rows, width: classes, count: rows }, loss!, (row, total) => {
      const from = e.i32(i32.add(row, logits!.address));
      const to = e.i32(i32.add(row, gradient!.address));
      const { maximum, sum } = emitSoftmaxRow(e, classes, from, to);
      const logSum = e.f64(emitLog(e, f64.promote_f32(sum)));
      eachTarget(e, attributes, { classes, targets: targets!, row }, (offset, target) => {
        const pointer = e.i32(i32.add(from, offset));
        const shifted = f64.sub(f64.promote_f32(f32.load({}, pointer)), f64.promote_f32(maximum));
        const logProbability = e.f64(f64.sub(shifted, logSum));
        // A class that is not expected adds nothing, not even where its logit is infinite.
        e.if(f32.ne(target, 0), () => {
          local.set(total, f64.sub(total, f64.mul(f64.promote_f32(target), logProbability)));
        });
        local.set(pointer, i32.add(to, offset));
        const difference = e.f32(f32.sub(f32.load({}, pointer), target));
        local.set(difference, f32.mul(difference, scale));
        f32.store({}, pointer, emitWithoutNegligible(e, difference));
      });
    });
  },
};
