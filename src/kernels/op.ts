/**
 * What an op is. Every op is one file in this folder: its shape rule, a plain TypeScript reference that tests hold it
 * to, its gradient in terms of other ops, and the emitter that writes it as WebAssembly.
 *
 * The batch dimension is never part of a shape: a batched tensor's `shape` is that of one sample, and the number of
 * samples is given when a program runs. All images are height x width x channels.
 */
import type { Emitter } from "../wasm/emitter.ts";

/** Lengths of the axes, without that of the batch. */
export type Shape = readonly number[];

export type ElementType = "float32" | "int32" | "uint8";

export interface TensorType {
  /** Of one sample where `batched`, else of the whole tensor. */
  readonly shape: Shape;
  readonly batched: boolean;
  readonly dtype: ElementType;
}

/** A value in the graph. Compared by identity. */
export interface Tensor extends TensorType {
  readonly name: string;
}

/** A tensor that has its place in memory. */
export interface Operand extends TensorType {
  /** Byte address of the first element, a multiple of 64. */
  readonly address: number;
}

/** Number of elements of a shape. */
export function elementsOf(shape: Shape): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

export type Buffer = Float32Array | Int32Array | Uint8Array;

/** A tensor with its elements, as references take it; those of one sample follow those of the one before. */
export interface Value extends TensorType {
  readonly data: Buffer;
}

/** Adds ops to a graph. Layers, losses, gradients and optimizers all build with it. */
export interface GraphBuilder {
  /** Appends an op and returns its first output. */
  apply<Attributes>(op: Op<Attributes>, attributes: Attributes, ...inputs: Tensor[]): Tensor;
  /** Appends an op and returns all of its outputs. */
  applyAll<Attributes>(op: Op<Attributes>, attributes: Attributes, ...inputs: Tensor[]): Tensor[];
  /** The node that a tensor is an output of; none for inputs and weights. */
  producer(tensor: Tensor): Node | undefined;
}

/** One op of a graph, applied to tensors. */
export interface Node<Attributes = unknown> {
  readonly op: Op<Attributes>;
  readonly attributes: Attributes;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
}

export interface Op<Attributes> {
  readonly name: string;

  /** The first output is the first input's memory: nothing is computed. */
  readonly isView?: boolean;

  /** The shape rule: types of the outputs from the types of the inputs. Layers check what users pass before this. */
  infer(attributes: Attributes, inputs: readonly TensorType[]): TensorType[];

  /**
   * The plain reference: computes `outputs` from `inputs` for `batch` samples, in the order of operations that the
   * emitted kernel keeps where that order is promised, in double precision where it is not.
   */
  reference(attributes: Attributes, inputs: readonly Value[], outputs: readonly Value[], batch: number): void;

  /**
   * Builds the gradients of the inputs from those of the outputs; `undefined` for an input that has none.
   * `wanted[i]` tells whether the gradient of input i is used at all.
   */
  gradient?(
    graph: GraphBuilder,
    node: Node<Attributes>,
    outputGradients: readonly Tensor[],
    wanted: readonly boolean[],
  ): (Tensor | undefined)[];

  /** Multiply-adds that one sample takes when nothing is left out; for profiles. */
  operations?(attributes: Attributes, inputs: readonly TensorType[], outputs: readonly TensorType[]): number;

  /** Bytes of scratch memory that each thread needs for batches of up to `batchSize`; none where absent. */
  scratchBytes?(attributes: Attributes, inputs: readonly TensorType[], batchSize: number): number;

  /** Which inputs the kernel changes, by their numbers; none where absent. */
  changes?(attributes: Attributes, inputs: readonly TensorType[]): readonly number[];

  /**
   * Writes the body of the WebAssembly function. All threads run it; it takes its share of the work from
   * `emitter.thread`, `emitter.threads` and `emitter.batch`. Each output element is written by one thread, in an order
   * of operations that does not depend on the number of threads.
   */
  emit(emitter: Emitter, attributes: Attributes, inputs: readonly Operand[], outputs: readonly Operand[]): void;
}
