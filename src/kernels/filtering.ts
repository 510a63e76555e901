/**
 * Filtering by transforms: a tile of inputs and the kernel are transformed, multiplied number by number, and transformed
 * back to a tile of outputs, with fewer multiplications than the sums have. Two such methods: `winograd.ts`, `fourier.ts`.
 */
import type { Emitter, I32, V128 } from "../wasm/emitter.ts";

/** Writes a linear map of vectors in memory: of one number in each of four lanes. */
export type Transform = (vectors: Vectors) => void;

export interface Vectors {
  /** Gives a local with a vector of the input; to be asked for when it is needed, once. */
  load(index: number): V128;
  /** Runs `body` in a loop, each time with all vectors of the input `step` further on. */
  repeat(count: number, step: number, body: (load: Vectors["load"]) => void): void;
  /** Stores a vector of the result. */
  store(index: number, vector: V128): void;
}

/**
 * Takes locals for constants, so that each is made once where the code is entered, and gives the transform. There is memory
 * at `desk` for as many vectors as the transform has inputs or outputs.
 */
export type Writer = (e: Emitter, desk: I32) => Transform;

/** A transform of a matrix: of its columns, which makes `rows` times `parts` numbers of each, and then of each of those rows. */
export interface Passes {
  /** Rows and columns of the matrix. */
  readonly size: readonly [height: number, width: number];
  readonly down: Writer;
  readonly across: Writer;
}

export interface FilteredImage {
  readonly size: readonly [height: number, width: number];
  /** Zeros above and to the left of it. */
  readonly top: number;
  readonly left: number;
  /** Outputs down and across. */
  readonly output: readonly [height: number, width: number];
}

export interface Filtering {
  readonly name: string;
  /** Outputs of a tile, down and across; taps of the kernel, which is square. */
  readonly m: readonly [height: number, width: number];
  readonly r: number;
  /** Inputs of a tile. */
  readonly input: Passes;
  readonly kernel: Passes;
  /** From products to outputs: first each row, which makes `parts` numbers for each column of outputs, and then the columns. */
  readonly output: Passes;
  /** A tile's products: rows, and products in each. */
  readonly rows: number;
  readonly columns: number;
  /** The products' factors that a kernel gives, by the plain definition; for tests. */
  readonly filtered: (tap: (y: number, x: number) => number) => number[];
  /** Numbers that stand for one between the passes: two where it is complex. */
  readonly parts: 1 | 2;
  /** Whether a tile is a whole image, which is read where it lies. */
  readonly isWhole: boolean;
  /** What filtering errs by, for inputs of up to 1, in parts of the sum of the kernel's magnitudes. */
  readonly error: number;
}
