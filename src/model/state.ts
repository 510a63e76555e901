/** What a model consists of: its layers in their places, what `compile` decided, and the values of its variables. */
import type { Shape, Tensor } from "../kernels/op.ts";
import type { Penalty } from "../kernels/weight-penalty.ts";
import type { Layer } from "../layers/layer.ts";
import type { Loss } from "../losses.ts";
import type { PlacedMetric } from "../metrics.ts";
import type { Optimizer } from "../optimizers/index.ts";
import type { Variables } from "./variables.ts";

/** A layer in its place: with its name, shapes and weights. */
export interface PlacedLayer {
  readonly layer: Layer;
  readonly name: string;
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  readonly weights: readonly PlacedWeight[];
  /** Has a layer whose seed comes from the model's. */
  readonly withSeed?: NonNullable<Layer["withSeed"]>;
}

export interface PlacedWeight {
  readonly name: string;
  readonly tensor: Tensor;
  /** Whether the optimizer changes it. */
  readonly trainable: boolean;
  readonly regularizer: Penalty | undefined;
}

/** What `compile` decides. */
export interface Compiled {
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  readonly metrics: readonly PlacedMetric[];
  /** For each weight, in order, the optimizer's state. */
  readonly slots: readonly (readonly Tensor[])[];
  readonly scalars: Tensor;
  readonly step: Tensor;
  readonly results: Tensor;
  readonly targets: Tensor;
  /** What each sample's loss counts; in the programs once weights have been given. */
  readonly weights: Tensor;
}

export interface ModelState {
  readonly name: string;
  readonly inputShape: Shape;
  readonly placed: readonly PlacedLayer[];
  readonly compiled: Compiled | undefined;
  readonly variables: Variables;
}

/** The weights' tensors, in Keras's order: all, or those that the optimizer changes, or the others. */
export function weightsOf(
  placed: readonly PlacedLayer[],
  { trainable }: { readonly trainable?: boolean } = {},
): Tensor[] {
  const weights = placed.flatMap((layer) => layer.weights);
  return weights
    .filter((weight) => trainable === undefined || weight.trainable === trainable)
    .map(({ tensor }) => tensor);
}
