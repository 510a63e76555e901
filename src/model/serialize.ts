/** A model as Keras writes it: configs are JSON, weights have names. `deserialize.ts` is the way back. */
import type { Config } from "../arguments.ts";
import type { NamedTensor, SavedModel } from "../formats/saved-model.ts";
import type { Tensor } from "../kernels/op.ts";
import { toLoss } from "../losses.ts";
import type { Compiled, ModelState } from "./state.ts";

/** What Keras keeps besides the slots: the number of steps, and this. */
export const LEARNING_RATE = "learning_rate";

/** @param value copies a tensor's value, if nothing else is given */
export function toSavedModel(
  model: ModelState,
  value = (tensor: Tensor): Float32Array => model.variables.read(tensor),
): SavedModel {
  const { compiled } = model;
  const named = (name: string, tensor: Tensor): NamedTensor => ({ name, shape: tensor.shape, data: value(tensor) });
  const saved = {
    modelConfig: modelConfig(model),
    layers: model.placed
      .filter(({ layer }) => layer.className !== "InputLayer")
      .map(({ name, weights }) => ({ name, weights: weights.map(({ tensor }) => named(tensor.name, tensor)) })),
  };
  if (!compiled) return saved;
  const { optimizer } = compiled;
  const rate = { name: `${optimizer.name}/${LEARNING_RATE}`, shape: [], data: Float32Array.of(optimizer.learningRate) };
  const state = slotsInKerasOrder(compiled).map((tensor) => named(tensor.name, tensor));
  return {
    ...saved,
    trainingConfig: trainingConfig(model),
    // A rate that follows a schedule is no variable.
    optimizer: {
      name: optimizer.name,
      iterations: optimizer.iterations,
      weights: [...(optimizer.schedule ? [] : [rate]), ...state],
    },
  };
}

/** The optimizer's state in the order in which Keras makes it. */
export function slotsInKerasOrder({ optimizer, slots }: Pick<Compiled, "optimizer" | "slots">): Tensor[] {
  return optimizer.slotGroups.flatMap((group) =>
    slots.flatMap((tensors) => group.map((slot) => tensors[optimizer.slotNames.indexOf(slot)]!)),
  );
}

/** { class_name, config }, as Keras makes models of it. */
export function modelConfig({ name, placed }: ModelState): Config {
  const layers = placed.map(({ layer, name }) => ({
    class_name: layer.className,
    // Keras 2 refuses `trainable` of an input.
    config: {
      name,
      ...(layer.className !== "InputLayer" && { trainable: layer.trainable ?? true }),
      dtype: "float32",
      ...layer.getConfig(),
    },
  }));
  return { class_name: "Sequential", config: { name, layers } };
}

/** What `compile` was told, as Keras has it. */
export function trainingConfig({ compiled }: ModelState): Config {
  const { loss, optimizer, metrics } = compiled!;
  const plain = JSON.stringify(loss.config) === JSON.stringify(toLoss(loss.name).config);
  return {
    loss: plain ? loss.name : { class_name: loss.className, config: loss.config },
    loss_weights: null,
    metrics: metrics.map(({ saved }) => saved),
    weighted_metrics: null,
    run_eagerly: false,
    steps_per_execution: 1,
    jit_compile: false,
    optimizer_config: { class_name: optimizer.className, config: optimizer.getConfig() },
  };
}
