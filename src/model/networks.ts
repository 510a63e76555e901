/** The networks that a model hands to the compiler: its layers' ops, alone and with what training adds to them. */
import { batchTensor, inputTensors } from "../compiler/graph.ts";
import type { Network } from "../compiler/network.ts";
import type { Shape, Tensor } from "../kernels/op.ts";
import { reshape } from "../kernels/reshape.ts";
import { type Compiled, type PlacedLayer, weightsOf } from "./state.ts";

export type TrainingNetwork = Network & Required<Pick<Network, "training">>;

/** The forward pass alone. */
export function forwardNetwork(placed: readonly PlacedLayer[], inputShape: Shape, outputShape: Shape): Network {
  const weights = placed.flatMap((layer) => layer.weights);
  return {
    ...inputTensors(inputShape),
    output: batchTensor("output", outputShape),
    parameters: weightsOf(placed, { trainable: true }),
    untrained: weightsOf(placed, { trainable: false }),
    penalties: new Map(weights.flatMap(({ tensor, regularizer }) => (regularizer ? [[tensor, regularizer]] : []))),
    forward: (graph, x, step) => {
      const lower = (value: Tensor, { layer, weights }: PlacedLayer) =>
        layer.lower(
          graph,
          value,
          weights.map(({ tensor }) => tensor),
          step,
        );
      const result = placed.reduce(lower, x);
      // Layers that do nothing give the input itself, but the output has a place of its own.
      return result === x ? graph.apply(reshape, { shape: x.shape }, x) : result;
    },
  };
}

/** The same with training. Programs that weigh samples cost more, so that they are made only once weights are given. */
export function trainingNetwork(forward: Network, compiled: Compiled, weighed: boolean): TrainingNetwork {
  const { loss, metrics, weights, ...tensors } = compiled;
  const training = {
    ...tensors,
    ...(weighed && { weights }),
    loss: loss.lower,
    metrics: metrics.map(({ lower }) => lower),
  };
  return { ...forward, training };
}
