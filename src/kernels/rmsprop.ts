/**
 * RMSprop's update of one weight, in place (Hinton 2012), as Keras computes it (https://keras.io/api/optimizers/rmsprop/):
 * v = ρ v + (1 - ρ) g²; w -= rate g / √(v + ε). Centred, with the mean a = ρ a + (1 - ρ) g, the root is √(v - a² + ε).
 * With momentum the step is added to m = momentum m + step, and w -= m.
 */
import { f32x4 } from "wasmati";
import type { V128 } from "../wasm/emitter.ts";
import { updateOp } from "./parameter-update.ts";

export interface RmspropAttributes {
  readonly rho: number;
  readonly momentum: number;
  readonly epsilon: number;
  readonly centered: boolean;
}

/** Slots: velocity; where it is above 0 momentum; where centred the average gradient. Scalars: the rate. */
export const rmspropUpdate = updateOp<RmspropAttributes>({
  name: "rmspropUpdate",

  reference({ rho, momentum, epsilon, centered }, { weight, gradient: g, slots, scalars: [rate] }) {
    const mean = (old: number, value: number) => rho * old + (1 - rho) * value;
    const v = mean(slots[0]!, g * g);
    const averages = centered ? [mean(slots.at(-1)!, g)] : [];
    const step = (rate! * g) / Math.sqrt(averages.reduce((rest, a) => rest - a * a, v) + epsilon);
    if (momentum === 0) return { weight: weight - step, slots: [v, ...averages] };
    const m = momentum * slots[1]! + step;
    return { weight: weight - m, slots: [v, m, ...averages] };
  },

  emit(e, { rho, momentum, epsilon, centered }, { weight, gradient, slots, scalars: [rate] }) {
    const mean = (old: V128, value: V128) =>
      e.v128(f32x4.add(f32x4.mul(old, f32x4.splat(rho)), f32x4.mul(value, f32x4.splat(1 - rho))));
    const v = mean(slots[0]!, e.v128(f32x4.mul(gradient, gradient)));
    const averages = centered ? [mean(slots.at(-1)!, gradient)] : [];
    const variance = averages.reduce((rest, a) => e.v128(f32x4.sub(rest, f32x4.mul(a, a))), v);
    const root = e.v128(f32x4.sqrt(f32x4.add(variance, f32x4.splat(epsilon))));
    const step = e.v128(f32x4.div(f32x4.mul(gradient, rate!), root));
    if (momentum === 0) return { weight: e.v128(f32x4.sub(weight, step)), slots: [v, ...averages] };
    const m = e.v128(f32x4.add(f32x4.mul(slots[1]!, f32x4.splat(momentum)), step));
    return { weight: e.v128(f32x4.sub(weight, m)), slots: [v, m, ...averages] };
  },
});
