/** A typed array with a shape: the only data structure that crosses the public API. Row-major, always contiguous. */
import { badArgument } from "./arguments.ts";
import { UserError } from "./errors.ts";

/** Element types: images arrive as uint8, labels as uint8 or int32, everything computed is float32. */
export type DType = "float32" | "int32" | "uint8";

export type TypedArray = Float32Array | Int32Array | Uint8Array;

/** The typed arrays that hold the elements. */
export type DataOf = { float32: Float32Array; int32: Int32Array; uint8: Uint8Array };

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
 * Bytes that are to be divided: what a float32 array consists of until somebody reads its elements. They take a quarter
 * of the memory, and the engine takes them as they are.
 */
class Quotient {
  readonly bytes: Uint8Array;
  readonly divisor: number;
  readonly #whole: { readonly quotient: Quotient; readonly start: number } | undefined;
  #elements: Float32Array | undefined;

  constructor(bytes: Uint8Array, divisor: number, whole?: { readonly quotient: Quotient; readonly start: number }) {
    this.bytes = bytes;
    this.divisor = divisor;
    this.#whole = whole;
  }

  get length(): number {
    return this.bytes.length;
  }

  /** The elements, computed when they are first asked for, and once: views of one array share them. */
  get elements(): Float32Array {
    if (this.#whole) {
      const { quotient, start } = this.#whole;
      return quotient.elements.subarray(start, start + this.length);
    }
    this.#elements ??= divided(this.bytes, this.divisor);
    return this.#elements;
  }

  /** Whether somebody has the elements, and may have written to them. */
  get isRead(): boolean {
    return this.#whole ? this.#whole.quotient.isRead : this.#elements !== undefined;
  }

  subarray(start: number, end: number): Quotient {
    return new Quotient(this.bytes.subarray(start, end), this.divisor, { quotient: this, start });
  }
}

function divided(data: TypedArray, divisor: number): Float32Array {
  const quotient = new Float32Array(data.length);
  for (let i = 0; i < quotient.length; i++) quotient[i] = (data[i] as number) / divisor;
  return quotient;
}

/**
 * An n-dimensional array, as in NumPy.
 *
 * @throws UserError for data or a shape of another kind, or data that does not fill the shape.
 */
export class NDArray<D extends DType = DType> {
  readonly dtype: D;
  readonly data!: DataOf[D];
  readonly shape: readonly number[];
  readonly #quotient: Quotient | undefined;

  constructor(data: DataOf[D], shape: readonly number[]);
  /** @internal */
  constructor(data: DataOf[D] | Quotient, shape: readonly number[]);
  constructor(data: DataOf[D] | Quotient, shape: readonly number[]) {
    const isData = [Float32Array, Int32Array, Uint8Array, Quotient].some((type) => data instanceof type);
    if (!isData) throw badArgument("NDArray", "data", "a Float32Array, Int32Array or Uint8Array", data);
    const isShape = Array.isArray(shape) && shape.every((dimension) => Number.isInteger(dimension) && dimension >= 0);
    if (!isShape) throw badArgument("NDArray", "shape", "an array of integers of at least 0", shape);
    if (data.length !== sizeOf(shape)) {
      throw new UserError(`NDArray: shape ${formatShape(shape)} needs ${sizeOf(shape)} elements, got ${data.length}.`);
    }
    this.shape = [...shape];
    if (data instanceof Quotient) {
      this.dtype = "float32" as D;
      this.#quotient = data;
      const property = { configurable: true, enumerable: true };
      const get = () => {
        Object.defineProperty(this, "data", { ...property, value: data.elements });
        return this.data;
      };
      Object.defineProperty(this, "data", { ...property, get });
    } else {
      this.dtype = dtypeOf(data) as D;
      this.data = data;
    }
  }

  /** The bytes and the divisor of which the elements are to be made, as long as nobody has read them. @internal */
  get quotient(): { readonly bytes: Uint8Array; readonly divisor: number } | undefined {
    return this.#lazy;
  }

  get #lazy(): Quotient | undefined {
    return this.#quotient?.isRead ? undefined : this.#quotient;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
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
    return new NDArray<D>(this.#lazy ?? this.data, resolved);
  }

  /**
   * Every element divided by a number, as float32 (computed in float32, as NumPy and TensorFlow do). Of bytes a copy is
   * kept, and the floats are made when `data` is first read; models never need them.
   */
  divide(divisor: number): NDArray<"float32"> {
    if (typeof divisor !== "number") throw badArgument("divide", "the divisor", "a number", divisor);
    // Single precision gives the same bits as double precision, rounded, where it has the divisor itself.
    const isExact = Math.fround(divisor) === divisor && divisor !== 0;
    if (this.dtype !== "uint8" || !isExact) return new NDArray(divided(this.data, divisor), this.shape);
    return new NDArray<"float32">(new Quotient(new Uint8Array(this.data), divisor), this.shape);
  }

  /**
   * Rows `start` (inclusive) to `end` (exclusive) of the first axis; a view, no copy. As in JavaScript, negative numbers
   * count from the end, and what lies outside is left out.
   *
   * @throws UserError for a number that is no integer.
   */
  slice(start: number, end: number = this.length): NDArray<D> {
    const row = sizeOf(this.shape.slice(1));
    const place = (name: string, index: number) => {
      if (!Number.isInteger(index) && Math.abs(index) !== Number.POSITIVE_INFINITY) {
        throw badArgument("slice", name, "an integer", index);
      }
      return Math.min(Math.max(index < 0 ? index + this.length : index, 0), this.length);
    };
    const from = place("start", start);
    const to = Math.max(place("end", end), from);
    const data = (this.#lazy ?? this.data).subarray(from * row, to * row) as DataOf[D] | Quotient;
    return new NDArray<D>(data, [to - from, ...this.shape.slice(1)]);
  }
}
