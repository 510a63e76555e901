/**
 * The update of stochastic gradient descent, in place, as Keras computes it (https://keras.io/api/optimizers/sgd/):
 * w -= rate g; with momentum: m = momentum m - rate g, then w += m, or with Nesterov's w += momentum m - rate g.
 */
import { f32x4, v128 } from "wasmati";
import type { V128 } from "../wasm/emitter.ts";
import { elementsOf, type Operand } from "./op.ts";
import { type UpdateOp, updateFromMemory } from "./parameter-update.ts";

export interface SgdAttributes {
  readonly momentum: number;
  readonly nesterov: boolean;
}

/** parameter, gradient and, where momentum > 0, momentum, of one shape; scalars (1): the rate. Updates in place. */
export const sgdUpdate: UpdateOp<SgdAttributes> = {
  name: "sgdUpdate",

  infer: () => [],

  reference({ momentum: factor, nesterov }, inputs) {
    const [parameter, gradient] = inputs;
    const momentum = factor > 0 ? inputs[2]! : undefined;
    const rate = inputs.at(-1)!.data[0]!;
    for (let i = 0; i < elementsOf(parameter!.shape); i++) {
      const step = -rate * gradient!.data[i]!;
      if (!momentum) parameter!.data[i]! += step;
      else {
        const m = factor * momentum.data[i]! + step;
        momentum.data[i] = m;
        parameter!.data[i]! += nesterov ? factor * m + step : m;
      }
    }
  },

  emit(e, attributes, [parameter, gradient, ...state]) {
    updateFromMemory(e, parameter!, gradient!, sgdUpdate.prepare(e, attributes, parameter!, state));
  },

  prepare(e, { momentum: factor, nesterov }, parameter, state) {
    const momentum = factor > 0 ? state[0]! : undefined;
    const rate = e.v128(v128.load32_splat({ offset: state.at(-1)!.address }, e.i32(0)));
    return (offset, gradient, lanes) => {
      e.scope(() => {
        const load = ({ address }: Operand) => e.v128(v128.load({ offset: address, align: 4 }, offset));
        const step = e.v128(f32x4.neg(f32x4.mul(rate, gradient)));
        const scaled = (m: V128) => e.v128(f32x4.add(f32x4.mul(m, f32x4.splat(factor)), step));
        let change = step;
        if (momentum) {
          const m = scaled(load(momentum));
          e.storeLanes(offset, momentum.address, m, lanes);
          change = nesterov ? scaled(m) : m;
        }
        e.storeLanes(offset, parameter.address, e.v128(f32x4.add(load(parameter), change)), lanes);
      });
    };
  },
};
