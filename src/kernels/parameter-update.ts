/**
 * What optimizers' kernels share. An update works on one vector of a weight at a time, so that it can stand alone, in a
 * walk over the whole weight, or behind the kernel that finishes the gradient.
 */
import { i32, v128 } from "wasmati";
import type { Emitter, I32, V128 } from "../wasm/emitter.ts";
import { elementsOf, type Op, type Operand } from "./op.ts";

/** Updates the vector at byte `offset` in the weight, its first `lanes` lanes. */
export type VectorUpdate = (offset: I32, gradient: V128, lanes: number) => void;

/** An op whose inputs are a parameter, its gradient, and the optimizer's slots and scalars. It has no outputs. */
export interface UpdateOp<Attributes> extends Op<Attributes> {
  /** Writes what comes before the first vector; `state` are the slots and, last, the scalars. */
  prepare(e: Emitter, attributes: Attributes, parameter: Operand, state: readonly Operand[]): VectorUpdate;
}

export function isUpdate(op: Op<unknown>): op is UpdateOp<unknown> {
  return "prepare" in op;
}

/** Updates all of a weight from a gradient in memory, four elements at a time, shared among the threads. */
export function updateFromMemory(e: Emitter, parameter: Operand, gradient: Operand, update: VectorUpdate): void {
  const { from, to } = e.share(Math.ceil(elementsOf(parameter.shape) / 4));
  const end = e.i32(i32.mul(to, 16));
  const offset = e.i32();
  // The last vector may reach into the padding behind the weight.
  e.for(offset, i32.mul(from, 16), end, 16, () => {
    update(offset, e.v128(v128.load({ offset: gradient.address }, offset)), 4);
  });
}
