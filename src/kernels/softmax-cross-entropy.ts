/**
 * Categorical cross-entropy of a softmax, from the logits: stable where a probability underflows. The loss and its
 * gradient come out together. https://keras.io/api/losses/probabilistic_losses/
 */
import { f32, f64, i32, local } from "wasmati";
import type { Emitter, F32, I32 } from "../wasm/emitter.ts";
import { emitLog } from "./exponential.ts";
import type { Op, Operand } from "./op.ts";
import { eachRow, emitSoftmaxRow } from "./softmax.ts";

export interface CrossEntropyAttributes {
  /** Targets are class numbers (int32), not one row of probabilities a sample. */
  readonly sparse: boolean;
}

/**
 * logits (classes), targets (classes) or, where sparse, () int32
 * → the loss of each sample, (); the gradient of the batch's mean loss, (classes).
 */
export const softmaxCrossEntropy: Op<CrossEntropyAttributes> = {
  name: "softmaxCrossEntropy",

  infer: (_, [logits]) => [
    { shape: [], batched: true, dtype: "float32" },
    { shape: logits!.shape, batched: true, dtype: "float32" },
  ],

  reference({ sparse }, [logits, targets], [loss, gradient], batch) {
    const classes = logits!.shape[0]!;
    for (let n = 0; n < batch; n++) {
      const row = Array.from(logits!.data.subarray(n * classes, (n + 1) * classes));
      const maximum = Math.max(...row);
      const sum = row.reduce((total, value) => total + Math.exp(value - maximum), 0);
      loss!.data[n] = 0;
      let total = 0;
      row.forEach((value, i) => {
        const target = targetOf(sparse, targets!.data, n, i, classes);
        const logProbability = value - maximum - Math.log(sum);
        total -= target === 0 ? 0 : target * logProbability;
        gradient!.data[n * classes + i] = (Math.exp(logProbability) - target) / batch;
      });
      loss!.data[n] = total;
    }
  },

  emit(e, { sparse }, [logits, targets], [loss, gradient]) {
    const classes = logits!.shape[0]!;
    const scale = e.f32(f32.div(f32.const(1), f32.convert_i32_s(e.batch)));
    eachRow(e, 1, classes, (row) => {
      const from = e.i32(i32.add(row, logits!.address));
      const to = e.i32(i32.add(row, gradient!.address));
      const { maximum, sum } = emitSoftmaxRow(e, classes, from, to);
      const logSum = e.f64(emitLog(e, f64.promote_f32(sum)));
      const total = e.f64(f64.const(0));
      eachTarget(e, { sparse, classes, targets: targets!, row }, (offset, target) => {
        const pointer = e.i32(i32.add(from, offset));
        const shifted = f64.sub(f64.promote_f32(f32.load({}, pointer)), f64.promote_f32(maximum));
        const logProbability = e.f64(f64.sub(shifted, logSum));
        // A class that is not expected adds nothing, not even where its logit is infinite.
        e.if(f32.ne(target, 0), () => {
          local.set(total, f64.sub(total, f64.mul(f64.promote_f32(target), logProbability)));
        });
        local.set(pointer, i32.add(to, offset));
        const difference = e.f32(f32.sub(f32.load({}, pointer), target));
        f32.store({}, pointer, f32.mul(difference, scale));
      });
      storeLoss(e, loss!, row, classes, total);
    });
  },
};

/** The expected probability of class `i` for sample `n`. */
export function targetOf(sparse: boolean, targets: ArrayLike<number>, n: number, i: number, classes: number): number {
  if (sparse) return targets[n] === i ? 1 : 0;
  return targets[n * classes + i]!;
}

/** Stores a sample's loss; `row` is the byte offset of the sample's row of `classes`. */
export function storeLoss(
  e: Emitter,
  loss: Operand,
  row: I32,
  classes: number,
  total: ReturnType<Emitter["f64"]>,
): void {
  const sample = e.i32(i32.div_u(row, classes));
  f32.store({ offset: loss.address }, sample, f32.demote_f64(total));
}

interface TargetRow {
  readonly sparse: boolean;
  readonly classes: number;
  readonly targets: Operand;
  /** Byte offset of the row among rows of `classes` elements. */
  readonly row: I32;
}

/** Runs `body` for each class with its byte offset in the row and its expected probability. */
export function eachTarget(
  e: Emitter,
  { sparse, classes, targets, row }: TargetRow,
  body: (offset: I32, target: F32) => void,
): void {
  const offset = e.i32();
  const target = e.f32();
  const label = sparse ? e.i32(i32.load({ offset: targets.address }, e.i32(i32.div_u(row, classes)))) : undefined;
  e.for(offset, 0, classes * 4, 4, () => {
    if (label) local.set(target, f32.convert_i32_u(i32.eq(i32.shl(label, 2), offset)));
    else local.set(target, f32.load({ offset: targets.address }, e.i32(i32.add(row, offset))));
    body(offset, target);
  });
}
