/**
 * Adam's update of one weight, in place (Kingma & Ba 2015, https://arxiv.org/abs/1412.6980), as Keras computes it:
 * m += (g - m)(1 - β1); v += (g² - v)(1 - β2); w -= α m / (√v + ε), where α = rate · √(1 - β2^t) / (1 - β1^t) comes
 * from JavaScript for each step. With AMSGrad (Reddi et al. 2018) the largest v so far takes the place of v.
 */
import { f32x4 } from "wasmati";
import type { V128 } from "../wasm/emitter.ts";
import { updateOp } from "./parameter-update.ts";

export interface AdamAttributes {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Default false. */
  readonly amsgrad?: boolean;
}

/** Slots: momentum, velocity and, with AMSGrad, the largest velocity. Scalars: α. */
export const adamUpdate = updateOp<AdamAttributes>({
  name: "adamUpdate",
  // Moments of gradients that stay zero decay for dozens of steps through numbers whose product with α is denormal.
  negligible: [1e-30],

  reference({ beta1, beta2, epsilon, amsgrad }, { weight, gradient: g, slots, scalars: [alpha] }) {
    const m = slots[0]! + (g - slots[0]!) * (1 - beta1);
    const v = slots[1]! + (g * g - slots[1]!) * (1 - beta2);
    const largest = amsgrad ? Math.max(slots[2]!, v) : v;
    return {
      weight: weight - (alpha! * m) / (Math.sqrt(largest) + epsilon),
      slots: amsgrad ? [m, v, largest] : [m, v],
    };
  },

  emit(e, { beta1, beta2, epsilon, amsgrad }, { weight, gradient, slots, scalars: [alpha] }) {
    const decay = (old: V128, target: V128, rate: number) => {
      const step = f32x4.mul(f32x4.sub(target, old), f32x4.splat(1 - rate));
      return e.v128(f32x4.add(old, step));
    };
    const m = decay(slots[0]!, gradient, beta1);
    const v = decay(slots[1]!, e.v128(f32x4.mul(gradient, gradient)), beta2);
    const largest = amsgrad ? e.v128(f32x4.max(slots[2]!, v)) : v;
    const denominator = e.v128(f32x4.add(f32x4.sqrt(largest), f32x4.splat(epsilon)));
    const step = e.v128(f32x4.div(f32x4.mul(m, alpha!), denominator));
    return { weight: e.v128(f32x4.sub(weight, step)), slots: amsgrad ? [m, v, largest] : [m, v] };
  },
});
