/**
 * Losses that compare outputs and targets element by element, and whose value for a sample is the mean over its elements:
 * squared error, and binary cross-entropy from logits and from probabilities.
 * https://keras.io/api/losses/probabilistic_losses/#binarycrossentropy-class,
 * https://keras.io/api/losses/regression_losses/#meansquarederror-class
 */
import { f32, f32x4, f64, i32, local } from "wasmati";
import type { Emitter, F64 } from "../wasm/emitter.ts";
import { emitExp, emitLog } from "./exponential.ts";
import { eachLossRow, emitWithoutNegligible, lossTypes, withoutNegligible } from "./loss.ts";
import { elementsOf, type Op } from "./op.ts";

export interface ElementLossAttributes {
  /** Targets t become t (1 - smoothing) + smoothing / 2; default 0. */
  readonly smoothing?: number;
}

/** The loss of an element and its slope, of the output and the target. */
interface Formula {
  readonly name: string;
  reference(output: number, target: number): { loss: number; slope: number };
  emit(e: Emitter, output: F64, target: F64): { loss: F64; slope: F64 };
}

/** outputs (…), targets (…) → the loss of each sample, (); the gradient of the batch's mean loss, (…). */
function elementLoss({ name, reference, emit }: Formula): Op<ElementLossAttributes> {
  return {
    name,

    infer: (_, [output]) => lossTypes(output!),

    reference({ smoothing = 0 }, [output, targets], [loss, gradient], batch) {
      const count = elementsOf(output!.shape);
      for (let n = 0; n < batch; n++) {
        let total = 0;
        for (let i = n * count; i < (n + 1) * count; i++) {
          const element = reference(output!.data[i]!, targets!.data[i]! * (1 - smoothing) + smoothing / 2);
          total += element.loss;
          gradient!.data[i] = withoutNegligible(element.slope / (batch * count));
        }
        loss!.data[n] = total / count;
      }
    },

    emit(e, { smoothing = 0 }, [output, targets], [loss, gradient]) {
      const count = elementsOf(output!.shape);
      const divisor = e.f64(f64.convert_i32_s(i32.mul(e.batch, count)));
      eachLossRow(e, { rows: count, width: 1, count }, loss!, (place, total) => {
        const load = ({ address }: { address: number }) => e.f64(f64.promote_f32(f32.load({ offset: address }, place)));
        const target = load(targets!);
        if (smoothing) local.set(target, f64.add(f64.mul(target, 1 - smoothing), smoothing / 2));
        const element = emit(e, load(output!), target);
        local.set(total, f64.add(total, element.loss));
        const slope = e.f32(f32.demote_f64(f64.div(element.slope, divisor)));
        f32.store({ offset: gradient!.address }, place, emitWithoutNegligible(e, slope));
      });
    },
  };
}

/** (output - target)². */
export const squaredError = elementLoss({
  name: "squaredError",

  reference: (output, target) => ({ loss: (output - target) ** 2, slope: 2 * (output - target) }),

  emit(e, output, target) {
    const difference = e.f64(f64.sub(output, target));
    return { loss: e.f64(f64.mul(difference, difference)), slope: e.f64(f64.add(difference, difference)) };
  },
});

/** Cross-entropy of a sigmoid, from the logit x: max(x, 0) - x t + ln(1 + exp(-|x|)), stable for any x. */
export const sigmoidCrossEntropy = elementLoss({
  name: "sigmoidCrossEntropy",

  reference(x, target) {
    const exponential = Math.exp(-Math.abs(x));
    const sigmoid = (x >= 0 ? 1 : exponential) / (1 + exponential);
    return { loss: Math.max(x, 0) - x * target + Math.log1p(exponential), slope: sigmoid - target };
  },

  emit(e, x, target) {
    const negative = e.v128(f32x4.splat(f32.demote_f64(f64.neg(f64.abs(x)))));
    const exponential = e.f64(f64.promote_f32(f32x4.extract_lane(0, e.v128(emitExp(e, negative)))));
    const sum = e.f64(f64.add(exponential, 1));
    const linear = e.f64(f64.sub(f64.max(x, 0), f64.mul(x, target)));
    const logarithm = e.f64(emitLog(e, sum));
    const sigmoid = e.f64(f64.div(1, sum));
    e.if(f64.lt(x, 0), () => local.set(sigmoid, f64.div(exponential, sum)));
    return { loss: e.f64(f64.add(linear, logarithm)), slope: e.f64(f64.sub(sigmoid, target)) };
  },
});

/** Bounds that probabilities are clipped to, in single precision as in Keras: 1 - 1e-7 is 1 - 2^-23 there. */
const LOWEST = Math.fround(1e-7);
const HIGHEST = Math.fround(1 - 1e-7);

/** -(t ln p + (1 - t) ln(1 - p)), p clipped to [1e-7, 1 - 1e-7], where its slope ends. */
export const binaryCrossEntropy = elementLoss({
  name: "binaryCrossEntropy",

  reference(output, target) {
    const p = Math.min(Math.max(output, LOWEST), HIGHEST);
    const loss = -(target * Math.log(p) + (1 - target) * Math.log(1 - p));
    return { loss, slope: p === output ? (p - target) / (p * (1 - p)) : 0 };
  },

  emit(e, output, target) {
    const p = e.f64(f64.min(f64.max(output, LOWEST), HIGHEST));
    const rest = e.f64(f64.sub(1, p));
    const right = e.f64(f64.mul(target, emitLog(e, p)));
    const wrong = e.f64(f64.mul(f64.sub(1, target), emitLog(e, rest)));
    const slope = e.f64(f64.const(0));
    e.if(f64.eq(p, output), () => local.set(slope, f64.div(f64.sub(p, target), f64.mul(p, rest))));
    return { loss: e.f64(f64.neg(f64.add(right, wrong))), slope };
  },
});
