/** What the model hands to the compiler: the forward pass, and what training adds to it. Data and functions, no state. */
import type { GraphBuilder, Tensor } from "../kernels/op.ts";
import type { Penalty } from "../kernels/weight-penalty.ts";

/** A loss as ops: the value that is reported, and the gradient that training starts from. */
export interface LoweredLoss {
  /** Loss of each sample; batched, shape (). */
  readonly perSample: Tensor;
  /** The tensor that the gradient belongs to: the network's output, or the logits behind its softmax. */
  readonly differentiated: Tensor;
  /** Gradient of the batch's mean loss with respect to `differentiated`. */
  readonly gradient: Tensor;
}

/** How a weight is updated from its gradient. Implemented by the optimizers. */
export interface UpdateRule {
  /** Names of the state tensors that each weight needs, for example momentum and velocity. */
  readonly slotNames: readonly string[];
  /** How many scalars change from step to step; JavaScript writes them before each step. */
  readonly scalarCount: number;
  /**
   * Where all gradients are needed before any is used: appends what computes a factor for each, shape (gradients). A step
   * then has two halves. Without it updates may be fused behind the gradients.
   */
  factors?(graph: GraphBuilder, gradients: readonly Tensor[]): Tensor;
  /** Appends the ops that update a parameter and its slots in place. */
  update(graph: GraphBuilder, update: ParameterUpdate): void;
}

export interface ParameterUpdate {
  readonly parameter: Tensor;
  readonly gradient: Tensor;
  readonly slots: readonly Tensor[];
  /** Shape (scalarCount). */
  readonly scalars: Tensor;
  /** What `factors` made, and the gradient's place in it. */
  readonly factor?: { readonly factors: Tensor; readonly index: number } | undefined;
}

export interface Training {
  /** The expected outputs; batched. */
  readonly targets: Tensor;
  /** What each sample's loss counts; batched, shape (). Absent: all count 1. */
  readonly weights?: Tensor;
  loss(graph: GraphBuilder, output: Tensor, targets: Tensor): LoweredLoss;
  /** Each metric gives a value a sample (batched, shape ()); the programs report their sums. */
  readonly metrics: readonly ((graph: GraphBuilder, output: Tensor, targets: Tensor) => Tensor)[];
  readonly optimizer: UpdateRule;
  /** For each of `Network.parameters` its slots, in the order of `optimizer.slotNames`. */
  readonly slots: readonly (readonly Tensor[])[];
  /** The optimizer's scalars for the coming step; state, shape (scalarCount). */
  readonly scalars: Tensor;
  /** Number of updates made before the coming one, which random numbers are made of; state, int32, shape (1). */
  readonly step: Tensor;
  /** Where the programs leave the sums over the batch: the loss, then each metric; state, shape (1 + metrics). */
  readonly results: Tensor;
}

/** Where the caller leaves a batch of inputs: as floats in `input`, or as bytes, of which the programs make the floats. */
export interface InputTensors {
  /** What the network takes; batched, float32. */
  readonly input: Tensor;
  /** The same as bytes; batched, uint8. */
  readonly inputBytes: Tensor;
  /** What to divide the bytes by; 0 where the batch lies in `input`. State, shape (1). */
  readonly inputDivisor: Tensor;
}

export interface Network extends InputTensors {
  /** Builds the forward pass. Called once a program; in training with `Training.step`, for layers that behave otherwise then. */
  forward(graph: GraphBuilder, input: Tensor, step?: Tensor): Tensor;
  /** Where the `forward` program leaves the network's output; batched. */
  readonly output: Tensor;
  /** The trainable weights, as state tensors. */
  readonly parameters: readonly Tensor[];
  /** The weights that no gradient changes, as state tensors: of frozen layers, and those that ops update in place. */
  readonly untrained?: readonly Tensor[];
  /** What the loss has for weights, among `parameters`. */
  readonly penalties?: ReadonlyMap<Tensor, Penalty>;
  /** Absent before `compile`: then there is only the `forward` program. */
  readonly training?: Training;
}

/**
 * The programs of a compiled network, which are the exports of its module: `forward` fills the output; `evaluateStep` fills
 * the results; `trainStep` fills the results and updates the weights. The first two need what `prepare`, where there is one,
 * makes of the weights as they are.
 */
export type Program = "prepare" | "forward" | "evaluateStep" | "trainStep";
