/**
 * Adadelta's update of one weight, in place (Zeiler 2012, https://arxiv.org/abs/1212.5701), as Keras computes it:
 * a = ρ a + (1 - ρ) g²; δ = -g √(d + ε) / √(a + ε); d = ρ d + (1 - ρ) δ²; w += rate δ.
 */
import { f32x4 } from "wasmati";
import type { V128 } from "../wasm/emitter.ts";
import { updateOp } from "./parameter-update.ts";

export interface AdadeltaAttributes {
  readonly rho: number;
  readonly epsilon: number;
}

/** Slots: accumulated squares of gradients and of changes. Scalars: the rate. */
export const adadeltaUpdate = updateOp<AdadeltaAttributes>({
  name: "adadeltaUpdate",

  reference({ rho, epsilon }, { weight, gradient: g, slots, scalars: [rate] }) {
    const a = rho * slots[0]! + (1 - rho) * g * g;
    const change = -(Math.sqrt(slots[1]! + epsilon) * g) / Math.sqrt(a + epsilon);
    return { weight: weight + rate! * change, slots: [a, rho * slots[1]! + (1 - rho) * change * change] };
  },

  emit(e, { rho, epsilon }, { weight, gradient, slots, scalars: [rate] }) {
    const accumulate = (old: V128, value: V128) => {
      const square = e.v128(f32x4.mul(value, value));
      return e.v128(f32x4.add(f32x4.mul(old, f32x4.splat(rho)), f32x4.mul(square, f32x4.splat(1 - rho))));
    };
    const root = (x: V128) => e.v128(f32x4.sqrt(f32x4.add(x, f32x4.splat(epsilon))));
    const a = accumulate(slots[0]!, gradient);
    const product = e.v128(f32x4.mul(root(slots[1]!), gradient));
    const change = e.v128(f32x4.neg(f32x4.div(product, root(a))));
    return { weight: e.v128(f32x4.add(weight, f32x4.mul(change, rate!))), slots: [a, accumulate(slots[1]!, change)] };
  },
});
