/** What optimizers' kernels share: a walk over all elements of a weight, four at a time, among the threads. */
import { i32 } from "wasmati";
import type { Emitter, I32 } from "../wasm/emitter.ts";
import { elementsOf, type Operand } from "./op.ts";

/** Runs `body` for each vector of this thread's share, with its byte offset. The last may reach into the padding. */
export function eachParameterVector(e: Emitter, parameter: Operand, body: (offset: I32) => void): void {
  const { from, to } = e.share(Math.ceil(elementsOf(parameter.shape) / 4));
  const end = e.i32(i32.mul(to, 16));
  const offset = e.i32();
  e.for(offset, i32.mul(from, 16), end, 16, () => body(offset));
}
