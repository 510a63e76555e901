/**
 * Adam's update of one weight, in place (Kingma & Ba 2015, https://arxiv.org/abs/1412.6980), as Keras computes it:
 * m += (g - m)(1 - β1); v += (g² - v)(1 - β2); w -= α m / (√v + ε), where α = rate · √(1 - β2^t) / (1 - β1^t) comes
 * from JavaScript for each step.
 */
import { f32x4, v128 } from "wasmati";
import type { V128 } from "../wasm/emitter.ts";
import { elementsOf, type Operand } from "./op.ts";
import { type UpdateOp, updateFromMemory } from "./parameter-update.ts";

export interface AdamAttributes {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/** Smaller moments are set to 0: they would become denormals, which are slow and change no weight. */
const SMALLEST_NORMAL = 1.17549435e-38;

/** parameter, gradient, momentum, velocity, all of one shape; scalars (1): α. No outputs: updates in place. */
export const adamUpdate: UpdateOp<AdamAttributes> = {
  name: "adamUpdate",

  infer: () => [],

  reference({ beta1, beta2, epsilon }, [parameter, gradient, momentum, velocity, scalars]) {
    const alpha = scalars!.data[0]!;
    for (let i = 0; i < elementsOf(parameter!.shape); i++) {
      const g = gradient!.data[i]!;
      const m = momentum!.data[i]! + (g - momentum!.data[i]!) * (1 - beta1);
      const v = velocity!.data[i]! + (g * g - velocity!.data[i]!) * (1 - beta2);
      momentum!.data[i] = m;
      velocity!.data[i] = v;
      parameter!.data[i]! -= (alpha * m) / (Math.sqrt(v) + epsilon);
    }
  },

  emit(e, attributes, [parameter, gradient, ...state]) {
    updateFromMemory(e, parameter!, gradient!, adamUpdate.prepare(e, attributes, parameter!, state));
  },

  prepare(e, { beta1, beta2, epsilon }, parameter, [momentum, velocity, scalars]) {
    const alpha = e.v128(v128.load32_splat({ offset: scalars!.address }, e.i32(0)));
    const decay = (old: V128, target: V128, rate: number) => {
      const step = f32x4.mul(f32x4.sub(target, old), f32x4.splat(1 - rate));
      const next = e.v128(f32x4.add(old, step));
      return e.v128(v128.andnot(next, f32x4.lt(f32x4.abs(next), f32x4.splat(SMALLEST_NORMAL))));
    };
    return (offset, gradient, lanes) => {
      e.scope(() => {
        const load = ({ address }: Operand) => e.v128(v128.load({ offset: address, align: 4 }, offset));
        const m = decay(load(momentum!), gradient, beta1);
        const v = decay(load(velocity!), e.v128(f32x4.mul(gradient, gradient)), beta2);
        const denominator = e.v128(f32x4.add(f32x4.sqrt(v), f32x4.splat(epsilon)));
        const step = e.v128(f32x4.div(f32x4.mul(m, alpha), denominator));
        e.storeLanes(offset, momentum!.address, m, lanes);
        e.storeLanes(offset, velocity!.address, v, lanes);
        e.storeLanes(offset, parameter.address, e.v128(f32x4.sub(load(parameter), step)), lanes);
      });
    };
  },
};
