/** What goes into a model: checked once, then copied batch by batch into the engine's memory. */

import { show } from "../arguments.ts";
import { formatShape, NDArray, sizeOf, type TypedArray } from "../array.ts";
import type { InputTensors } from "../compiler/network.ts";
import { UserError } from "../errors.ts";
import type { Buffer, Shape, Tensor } from "../kernels/op.ts";
import type { Loss } from "../losses.ts";
import type { Session } from "./session.ts";

/** Inputs and, where there is a loss, targets of the same number of samples. */
export interface Samples {
  readonly count: number;
  readonly x: NDArray;
  readonly y: NDArray;
  /** What each sample's loss counts; undefined: 1. */
  readonly weights?: Float32Array | undefined;
}

/** Checks inputs against the shape of one sample. `layer` is the layer that takes them. */
export function checkInputs(where: string, x: unknown, shape: Shape, layer: string): NDArray {
  if (!(x instanceof NDArray)) throw new UserError(`${where}: x must be an NDArray, got ${describe(x)}.`);
  const matches = x.shape.length === shape.length + 1 && shape.every((size, axis) => x.shape[axis + 1] === size);
  if (!matches) {
    throw new UserError(
      `${where}: layer "${layer}" expects x of shape ${formatShape([null, ...shape])}, got ${formatShape(x.shape)}; ` +
        `reshape x before.`,
    );
  }
  if (x.length === 0) throw new UserError(`${where}: x has no samples.`);
  return x;
}

/** Checks targets against the loss and the model's output of shape `output`, made by `layer`. */
export function checkTargets(where: string, y: unknown, loss: Loss, output: Shape, layer: string): NDArray {
  if (!(y instanceof NDArray)) throw new UserError(`${where}: y must be an NDArray, got ${describe(y)}.`);
  const { shape } = loss.target(output);
  const matches = (expected: Shape) => formatShape(y.shape.slice(1)) === formatShape(expected);
  // A last axis of one element may be left out, and put behind class numbers, as in Keras.
  const isColumn = loss.sparse ? matches([...shape, 1]) : shape.at(-1) === 1 && matches(shape.slice(0, -1));
  if (!matches(shape) && !isColumn) {
    throw new UserError(
      `${where}: ${loss.name} of layer "${layer}" expects y of shape ${formatShape([null, ...shape])}, ` +
        `got ${formatShape(y.shape)}${hintFor(y, loss)}.`,
    );
  }
  if (loss.sparse) checkLabels(where, y, output.at(-1)!, layer);
  return y;
}

function hintFor(y: NDArray, loss: Loss): string {
  if (loss.sparse) return "; one-hot targets belong to categorical_crossentropy";
  if (loss.name !== "categorical_crossentropy" || y.shape.length !== 1) return "";
  return "; make it with toCategorical, or use sparse_categorical_crossentropy";
}

function checkLabels(where: string, y: NDArray, classes: number, layer: string): void {
  const wrong = y.data.findIndex((label) => !(Number.isInteger(label) && label >= 0 && label < classes));
  if (wrong >= 0) {
    throw new UserError(
      `${where}: y[${wrong}] is ${y.data[wrong]}; layer "${layer}" has ${classes} classes, so labels must be integers ` +
        `from 0 to ${classes - 1}.`,
    );
  }
}

export function checkLengths(where: string, x: NDArray, y: NDArray): Samples {
  if (x.length === y.length) return { count: x.length, x, y };
  throw new UserError(`${where}: x has ${x.length} samples, y has ${y.length}; they must be equally many.`);
}

/** A value that is to be an NDArray and is not. */
export function describe(value: unknown): string {
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}; wrap it: new NDArray(data, shape)`;
  return Array.isArray(value) ? "an array; wrap it: new NDArray(Float32Array.from(...), shape)" : show(value);
}

/** The samples of a batch: `count` of them from `start` on, in the data's order or in another. */
export interface Batch {
  readonly start: number;
  readonly count: number;
  readonly order?: Uint32Array | undefined;
}

/** Copies a batch of inputs into the engine's memory: as bytes where they are bytes, or bytes to be divided. */
export function copyInputs(session: Session, tensors: InputTensors, x: NDArray, batch: Batch): void {
  const row = sizeOf(x.shape.slice(1));
  const bytes = x.dtype === "uint8" ? { bytes: x.data, divisor: 1 } : x.quotient;
  session.view(tensors.inputDivisor)[0] = bytes?.divisor ?? 0;
  if (bytes) copyRows(session.view(tensors.inputBytes), bytes.bytes, row, batch);
  else copyRows(session.view(tensors.input), x.data, row, batch);
}

/** Where a batch with its targets and weights goes. */
export interface BatchTensors {
  readonly inputs: InputTensors;
  readonly targets: Tensor;
  /** Only programs that weigh samples have it. */
  readonly weights: Tensor;
}

/** Copies a batch of inputs, targets and weights into the engine's memory. */
export function copyBatch(session: Session, tensors: BatchTensors, { x, y, weights }: Samples, batch: Batch): void {
  copyInputs(session, tensors.inputs, x, batch);
  copyRows(session.view(tensors.targets), y.data, sizeOf(y.shape.slice(1)), batch);
  if (!session.holds(tensors.weights)) return;
  const view = session.view(tensors.weights);
  if (weights) copyRows(view, weights, 1, batch);
  else view.fill(1);
}

/**
 * Copies rows of so many elements, one after another. Rows in another order come from all over main memory: the first
 * element of each is read before, because the processor waits for many reads at a time, but for one copy after another.
 */
function copyRows(target: Buffer, source: TypedArray, row: number, { start, count, order }: Batch): void {
  if (!order) {
    target.set(source.subarray(start * row, (start + count) * row));
    return;
  }
  for (let i = 0; i < count; i++) target[i] = source[order[start + i]! * row]!;
  for (let i = 0; i < count; i++) {
    const index = order[start + i]!;
    target.set(source.subarray(index * row, (index + 1) * row), i * row);
  }
}
