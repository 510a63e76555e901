/** A typed array with a shape: the only data structure that crosses the public API. Row-major, always contiguous. */
import { UserError } from "./errors.ts";

/** Element types: images arrive as uint8, labels as uint8 or int32, everything computed is float32. */
export type DType = "float32" | "int32" | "uint8";

export type TypedArray = Float32Array | Int32Array | Uint8Array;

type DataOf = { float32: Float32Array; int32: Int32Array; uint8: Uint8Array };

/** Number of elements of a shape; 1 for the empty shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/** A shape as it reads in messages: `(28, 28, 1)`, `(10,)`, `(None, 10)`. */
export function formatShape(shape: readonly (number | null)[]): string {
  const inner = shape.map((dimension) => dimension ?? "None").join(", ");
  return shape.length === 1 ? `(${inner},)` : `(${inner})`;
}

function dtypeOf(data: TypedArray): DType {
  if (data instanceof Float32Array) return "float32";
  return data instanceof Int32Array ? "int32" : "uint8";
}

/**
 * An n-dimensional array, as in NumPy.
 *
 * @throws UserError when the data does not fill the shape.
 */
export class NDArray<D extends DType = DType> {
  readonly dtype: D;
  readonly data: DataOf[D];
  readonly shape: readonly number[];

  constructor(data: DataOf[D], shape: readonly number[]) {
    if (data.length !== sizeOf(shape)) {
      throw new UserError(`NDArray: shape ${formatShape(shape)} needs ${sizeOf(shape)} elements, got ${data.length}.`);
    }
    this.dtype = dtypeOf(data) as D;
    this.data = data;
    this.shape = shape;
  }

  /** Number of elements. */
  get size(): number {
    return this.data.length;
  }

  /** Length of the first axis; 1 for a scalar. */
  get length(): number {
    return this.shape[0] ?? 1;
  }

  /**
   * The same data under another shape; one dimension may be -1 and is worked out.
   *
   * @throws UserError when the sizes differ.
   */
  reshape(shape: readonly number[]): NDArray<D> {
    const known = shape.reduce((product, dimension) => (dimension === -1 ? product : product * dimension), 1);
    const unknowns = shape.filter((dimension) => dimension === -1).length;
    const resolved = shape.map((dimension) => (dimension === -1 ? this.size / known : dimension));
    const valid = unknowns <= 1 && resolved.every((dimension) => Number.isInteger(dimension) && dimension >= 0);
    if (!valid || sizeOf(resolved) !== this.size) {
      throw new UserError(
        `reshape: cannot make ${formatShape(shape)} of ${formatShape(this.shape)}, which has ${this.size} elements.`,
      );
    }
    return new NDArray(this.data, resolved);
  }

  /** Every element divided by a number, as float32 (computed in float32, as NumPy and TensorFlow do). */
  divide(divisor: number): NDArray<"float32"> {
    const quotient = new Float32Array(this.size);
    for (let i = 0; i < quotient.length; i++) quotient[i] = (this.data[i] as number) / divisor;
    return new NDArray(quotient, this.shape);
  }

  /** Rows `start` (inclusive) to `end` (exclusive) of the first axis; a view, no copy. */
  slice(start: number, end: number = this.length): NDArray<D> {
    const row = sizeOf(this.shape.slice(1));
    const from = Math.min(Math.max(start, 0), this.length);
    const to = Math.min(Math.max(end, from), this.length);
    const data = this.data.subarray(from * row, to * row) as DataOf[D];
    return new NDArray(data, [to - from, ...this.shape.slice(1)]);
  }
}
