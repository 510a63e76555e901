/**
 * Elementwise activations and their gradients, four elements at a time. A gradient is computed from the activation's
 * output y, so that the input need not be kept: relu' = y > 0, sigmoid' = y (1 - y), tanh' = 1 - y^2.
 */
import { f32x4, type Input, i32, local, v128 } from "wasmati";
import type { Emitter, I32, V128 } from "../wasm/emitter.ts";
import { emitSigmoid, emitTanh } from "./exponential.ts";
import { elementsOf, type Op } from "./op.ts";

type Expression = Input<"v128">;

interface Definition {
  /** y = f(x), in double precision. */
  readonly value: (x: number) => number;
  readonly emitValue: (e: Emitter, x: V128) => Expression;
  /** dx = f'(x) dy, from y. */
  readonly slope: (y: number, dy: number) => number;
  readonly emitSlope: (e: Emitter, y: V128, dy: V128) => Expression;
}

/**
 * Runs `body` for each vector of this thread's share of the batch's samples, with the byte offset of the vector. The
 * last vector may reach past the batch, but not out of the memory that is set aside for the tensor.
 */
export function eachVector(e: Emitter, size: number, body: (offset: I32) => void): void {
  const { from, to } = e.share(e.i32(i32.shr_u(i32.add(i32.mul(e.batch, size), 3), 2)));
  const end = e.i32(i32.mul(to, 16));
  const offset = e.i32();
  e.for(offset, i32.mul(from, 16), end, 16, () => body(offset));
}

/** ReLU's gradient on a vector, in place: zero where the ReLU's output was not positive. */
export function keepPositive(gradient: V128, output: Expression): void {
  local.set(gradient, v128.and(gradient, f32x4.gt(output, f32x4.splat(0))));
}

function elementwise(name: string, definition: Definition): { value: Op<object>; gradient: Op<object> } {
  const gradient: Op<object> = {
    name: `${name}Gradient`,
    infer: (_, [y]) => [{ shape: y!.shape, batched: true, dtype: "float32" }],
    reference(_, [y, dy], [dx], batch) {
      const count = batch * elementsOf(y!.shape);
      for (let i = 0; i < count; i++) dx!.data[i] = definition.slope(y!.data[i]!, dy!.data[i]!);
    },
    emit(e, _, [y, dy], [dx]) {
      eachVector(e, elementsOf(y!.shape), (offset) => {
        const output = e.v128(v128.load({ offset: y!.address }, offset));
        const incoming = e.v128(v128.load({ offset: dy!.address }, offset));
        const result = e.v128(definition.emitSlope(e, output, incoming));
        v128.store({ offset: dx!.address }, offset, result);
      });
    },
  };
  const value: Op<object> = {
    name,
    infer: (_, [x]) => [{ shape: x!.shape, batched: true, dtype: "float32" }],
    reference(_, [x], [y], batch) {
      const count = batch * elementsOf(x!.shape);
      for (let i = 0; i < count; i++) y!.data[i] = definition.value(x!.data[i]!);
    },
    gradient: (graph, { outputs: [y] }, [dy]) => [graph.apply(gradient, {}, y!, dy!)],
    emit(e, _, [x], [y]) {
      eachVector(e, elementsOf(x!.shape), (offset) => {
        const input = e.v128(v128.load({ offset: x!.address }, offset));
        const result = e.v128(definition.emitValue(e, input));
        v128.store({ offset: y!.address }, offset, result);
      });
    },
  };
  return { value, gradient };
}

const zero = () => f32x4.splat(0);
const one = () => f32x4.splat(1);

/** max(x, 0); a NaN stays one. Its gradient at 0 is 0, as in TensorFlow. */
export const { value: relu, gradient: reluGradient } = elementwise("relu", {
  value: (x) => Math.max(x, 0),
  emitValue: (_, x) => f32x4.pmax(x, zero()),
  slope: (y, dy) => (y > 0 ? dy : 0),
  emitSlope: (_, y, dy) => v128.and(f32x4.gt(y, zero()), dy),
});

/** 1 / (1 + exp(-x)). */
export const { value: sigmoid, gradient: sigmoidGradient } = elementwise("sigmoid", {
  value: (x) => 1 / (1 + Math.exp(-x)),
  emitValue: emitSigmoid,
  slope: (y, dy) => dy * y * (1 - y),
  emitSlope: (_, y, dy) => f32x4.mul(f32x4.mul(dy, y), f32x4.sub(one(), y)),
});

/** (exp(x) - exp(-x)) / (exp(x) + exp(-x)). */
export const { value: tanh, gradient: tanhGradient } = elementwise("tanh", {
  value: Math.tanh,
  emitValue: emitTanh,
  slope: (y, dy) => dy * (1 - y * y),
  emitSlope: (_, y, dy) => f32x4.mul(dy, f32x4.sub(one(), f32x4.mul(y, y))),
});
