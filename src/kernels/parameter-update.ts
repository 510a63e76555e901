/**
 * What optimizers' kernels share. An update works on one vector of a weight at a time, so that it can stand alone, in a
 * walk over the whole weight, or behind the kernel that finishes the gradient. Before an optimizer's own formula come, as
 * in Keras, the clipping of the gradient and the decay of the weight (keras/src/optimizers/base_optimizer.py).
 */
import { f32x4, i32, v128 } from "wasmati";
import type { Emitter, I32, V128 } from "../wasm/emitter.ts";
import { elementsOf, type Op, type Operand } from "./op.ts";

/** Updates the vector at byte `offset` in the weight, its first `lanes` lanes. */
export type VectorUpdate = (offset: I32, gradient: V128, lanes: number) => void;

/** What all updates can do besides their own. */
export interface UpdateAttributes {
  /** Number of scalars of the formula; default 1. */
  readonly scalars?: number;
  /** The scalar behind the formula's is a share of the weight, which is taken off before the update; default false. */
  readonly decays?: boolean;
  /** Gradients are clipped to [-clipvalue, clipvalue]. */
  readonly clipvalue?: number;
  /** The last input has factors for gradients, of which this is the place of this weight's. */
  readonly factor?: number;
}

/**
 * An op whose inputs are a parameter, its gradient, the optimizer's slots and scalars and, with `factor`, the factors. It
 * has no outputs.
 */
export interface UpdateOp<Attributes> extends Op<Attributes> {
  /** Writes what comes before the first vector; `state` are the inputs behind the gradient. */
  prepare(e: Emitter, attributes: Attributes, parameter: Operand, state: readonly Operand[]): VectorUpdate;
}

export function isUpdate(op: Op<unknown>): op is UpdateOp<unknown> {
  return "prepare" in op;
}

/** A weight, its gradient, its slots, and the scalars of the step: one element of each, or vectors of them. */
export interface Elements<Value> {
  readonly weight: Value;
  readonly gradient: Value;
  readonly slots: readonly Value[];
  readonly scalars: readonly Value[];
}

/** What an update leaves. */
export type Updated<Value> = Pick<Elements<Value>, "weight" | "slots">;

/** An optimizer's own part: its formula for one element, plainly, and for four as WebAssembly. */
export interface UpdateFormula<Attributes> {
  readonly name: string;
  /** By slot: smaller magnitudes change no weight, and are set to 0. Where none is given, these are the denormals. */
  readonly negligible?: readonly number[];
  reference(attributes: Attributes, elements: Elements<number>): Updated<number>;
  emit(e: Emitter, attributes: Attributes, elements: Elements<V128>): Updated<V128>;
}

/** Denormals are slow. */
const SMALLEST_NORMAL = 1.17549435e-38;

/** The op of an optimizer's formula. */
export function updateOp<Attributes>(formula: UpdateFormula<Attributes>): UpdateOp<Attributes & UpdateAttributes> {
  const op: UpdateOp<Attributes & UpdateAttributes> = {
    name: formula.name,

    infer: () => [],

    changes: (attributes, [, , ...state]) => [0, ...partsOf(attributes, state).slots.map((_, slot) => 2 + slot)],

    reference(attributes, [parameter, gradient, ...state], _, __) {
      const { clipvalue = Number.POSITIVE_INFINITY } = attributes;
      const { slots, scalars, decay, factor } = partsOf(attributes, state);
      const values = scalars.data.subarray(0, attributes.scalars ?? 1);
      for (let i = 0; i < elementsOf(parameter!.shape); i++) {
        const scaled = gradient!.data[i]! * (factor ? factor.in.data[factor.at]! : 1);
        const weight = parameter!.data[i]!;
        const updated = formula.reference(attributes, {
          weight: decay === undefined ? weight : weight - weight * scalars.data[decay]!,
          gradient: Math.min(Math.max(scaled, -clipvalue), clipvalue),
          slots: slots.map(({ data }) => data[i]!),
          scalars: Array.from(values),
        });
        parameter!.data[i] = updated.weight;
        for (const [slot, value] of updated.slots.entries()) slots[slot]!.data[i] = value;
      }
    },

    emit(e, attributes, [parameter, gradient, ...state]) {
      updateFromMemory(e, parameter!, gradient!, op.prepare(e, attributes, parameter!, state));
    },

    prepare(e, attributes, parameter, state) {
      const { slots, scalars, decay, factor } = partsOf(attributes, state);
      const zero = e.i32(i32.const(0));
      const splat = ({ address }: Operand, index: number) =>
        e.v128(v128.load32_splat({ offset: address + index * 4 }, zero));
      const own = Array.from({ length: attributes.scalars ?? 1 }, (_, index) => splat(scalars, index));
      const share = decay === undefined ? undefined : splat(scalars, decay);
      const scale = factor && splat(factor.in, factor.at);
      return (offset, gradient, lanes) => {
        e.scope(() => {
          const load = ({ address }: Operand) => e.v128(v128.load({ offset: address, align: 4 }, offset));
          const weight = load(parameter);
          const updated = formula.emit(e, attributes, {
            weight: share ? e.v128(f32x4.sub(weight, f32x4.mul(weight, share))) : weight,
            gradient: clipped(e, scale ? e.v128(f32x4.mul(gradient, scale)) : gradient, attributes.clipvalue),
            slots: slots.map(load),
            scalars: own,
          });
          for (const [slot, value] of updated.slots.entries()) {
            const least = formula.negligible?.[slot] ?? SMALLEST_NORMAL;
            e.storeLanes(offset, slots[slot]!.address, withoutNegligible(e, value, least), lanes);
          }
          e.storeLanes(offset, parameter.address, updated.weight, lanes);
        });
      };
    },
  };
  return op;
}

/** The inputs behind the gradient, by what they are. */
function partsOf<Input>({ scalars: own = 1, decays, factor }: UpdateAttributes, state: readonly Input[]) {
  const end = factor === undefined ? state.length : state.length - 1;
  return {
    slots: state.slice(0, end - 1),
    scalars: state[end - 1]!,
    decay: decays ? own : undefined,
    factor: factor === undefined ? undefined : { in: state[end]!, at: factor },
  };
}

function clipped(e: Emitter, gradient: V128, bound: number | undefined): V128 {
  if (bound === undefined) return gradient;
  return e.v128(f32x4.min(f32x4.max(gradient, f32x4.splat(-bound)), f32x4.splat(bound)));
}

/** The value, or 0 where its magnitude is less. A NaN stays. */
function withoutNegligible(e: Emitter, value: V128, magnitude: number): V128 {
  return e.v128(v128.andnot(value, f32x4.lt(f32x4.abs(value), f32x4.splat(magnitude))));
}

/** Updates all of a weight from a gradient in memory, four elements at a time, shared among the threads. */
function updateFromMemory(e: Emitter, parameter: Operand, gradient: Operand, update: VectorUpdate): void {
  const { from, to } = e.share(Math.ceil(elementsOf(parameter.shape) / 4));
  const end = e.i32(i32.mul(to, 16));
  const offset = e.i32();
  // The last vector may reach into the padding behind the weight.
  e.for(offset, i32.mul(from, 16), end, 16, () => {
    update(offset, e.v128(v128.load({ offset: gradient.address }, offset)), 4);
  });
}
