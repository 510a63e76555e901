/**
 * The update of stochastic gradient descent, in place, as Keras computes it (https://keras.io/api/optimizers/sgd/):
 * w -= rate g; with momentum: m = momentum m - rate g, then w += m, or with Nesterov's w += momentum m - rate g.
 */
import { f32x4 } from "wasmati";
import type { V128 } from "../wasm/emitter.ts";
import { updateOp } from "./parameter-update.ts";

export interface SgdAttributes {
  readonly momentum: number;
  readonly nesterov: boolean;
}

/** Slots: momentum where it is above 0. Scalars: the rate. */
export const sgdUpdate = updateOp<SgdAttributes>({
  name: "sgdUpdate",

  reference({ momentum, nesterov }, { weight, gradient, slots, scalars: [rate] }) {
    const step = -rate! * gradient;
    if (momentum === 0) return { weight: weight + step, slots: [] };
    const m = momentum * slots[0]! + step;
    return { weight: weight + (nesterov ? momentum * m + step : m), slots: [m] };
  },

  emit(e, { momentum, nesterov }, { weight, gradient, slots, scalars: [rate] }) {
    const step = e.v128(f32x4.neg(f32x4.mul(rate!, gradient)));
    if (momentum === 0) return { weight: e.v128(f32x4.add(weight, step)), slots: [] };
    const scaled = (m: V128) => e.v128(f32x4.add(f32x4.mul(m, f32x4.splat(momentum)), step));
    const m = scaled(slots[0]!);
    return { weight: e.v128(f32x4.add(weight, nesterov ? scaled(m) : m)), slots: [m] };
  },
});
