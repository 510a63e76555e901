/** A model from what Keras wrote: configs that are JSON, weights that have names. */
import { type Config, isConfig, show } from "../arguments.ts";
import { formatShape } from "../array.ts";
import { UserError } from "../errors.ts";
import type { NamedTensor, SavedModel } from "../formats/keras-h5.ts";
import type { Tensor } from "../kernels/op.ts";
import * as layers from "../layers/index.ts";
import type { Layer, LayerType } from "../layers/layer.ts";
import { toLoss } from "../losses.ts";
import { toOptimizer } from "../optimizers/index.ts";
import { Sequential } from "./sequential.ts";
import { LEARNING_RATE } from "./serialize.ts";

/** By Keras's class name: the one list of layers, looked at from the other side. */
const layerTypes = new Map(
  Object.values(layers).map((type) => [type.className, type as unknown as LayerType<{ name?: string }>]),
);

/**
 * Rebuilds a model. `compile: false` leaves the training configuration and the optimizer's state aside.
 *
 * @throws UserError for what we do not have, by name, and for a config or weights that make no sense.
 */
export function fromSavedModel(saved: SavedModel, where: string, { compile = true } = {}): Sequential {
  const config = saved.modelConfig;
  if (!isConfig(config) || !isConfig(config.config)) throw new UserError(`${where}: the model's config is damaged.`);
  if (config.class_name !== "Sequential") {
    throw new UserError(`${where}: the model is a ${show(config.class_name)}; only Sequential models are supported.`);
  }
  const { name, layers: configs } = config.config;
  if (!Array.isArray(configs)) throw new UserError(`${where}: the model's config has no list of layers.`);
  const made = configs.map((entry) => toLayer(entry, where));
  const model = new Sequential(withInput(made, configs), typeof name === "string" ? { name } : {});
  loadWeights(model, saved, where);
  if (compile && isConfig(saved.trainingConfig)) {
    compileFrom(model, saved.trainingConfig);
    if (saved.optimizer) loadOptimizer(model, saved.optimizer, where);
  }
  return model;
}

function toLayer(entry: unknown, where: string): Layer {
  if (!isConfig(entry) || !isConfig(entry.config)) throw new UserError(`${where}: the config of a layer is damaged.`);
  const { name } = entry.config;
  const type = layerTypes.get(String(entry.class_name));
  if (!type) {
    const known = [...layerTypes.keys()].join(", ");
    throw new UserError(
      `${where}: layer "${name}" is a ${entry.class_name}, which is not supported; known are ${known}.`,
    );
  }
  const options = type.optionsOf(entry.config);
  const given = Object.entries({ ...options, name }).filter(([, value]) => value !== undefined);
  return type(Object.fromEntries(given));
}

/** Keras 2 may leave the input layer out and give the first layer the shape. */
function withInput(made: readonly Layer[], configs: readonly unknown[]): readonly Layer[] {
  const first = (configs[0] as { config?: Config } | undefined)?.config;
  if (!first || made[0]?.className === "InputLayer" || first.batch_input_shape === undefined) return made;
  return [layers.input(layers.input.optionsOf(first)), ...made];
}

/** The last part of a weight's path, without TensorFlow's output number: `conv2d/kernel:0` is a kernel. */
const lastPart = (path: string) => path.split("/").at(-1)!.replace(/:\d+$/, "");

function loadWeights(model: Sequential, saved: SavedModel, where: string): void {
  for (const { name, weights } of model.placed) {
    const found = saved.layers.find((layer) => layer.name === name);
    if (weights.length === 0) continue;
    if (!found) throw new UserError(`${where}: the file has no weights for layer "${name}".`);
    for (const weight of weights) {
      const tensor = found.weights.find((candidate) => lastPart(candidate.name) === weight.name);
      if (!tensor) throw new UserError(`${where}: layer "${name}" has no ${weight.name} in the file.`);
      model.variables.write(weight.tensor, checkShape(tensor, weight.tensor, where));
    }
  }
}

function checkShape(found: NamedTensor, expected: Tensor, where: string): Float32Array {
  if (formatShape(found.shape) === formatShape(expected.shape)) return found.data;
  throw new UserError(
    `${where}: ${found.name} has shape ${formatShape(found.shape)}, the model's config asks for ${formatShape(expected.shape)}.`,
  );
}

function compileFrom(model: Sequential, { loss, metrics, optimizer_config: optimizer }: Config): void {
  const names = Array.isArray(metrics) ? metrics.flat().map(metricName) : [];
  model.compile({ loss: toLoss(loss), optimizer: toOptimizer(optimizer), metrics: names });
}

/** Keras 2 writes a metric as an object, Keras 3 as the name that the user gave. */
function metricName(metric: unknown): string {
  const name = isConfig(metric) && isConfig(metric.config) ? metric.config.name : metric;
  if (typeof name !== "string") throw new UserError(`the saved metric ${show(metric)} is not supported.`);
  return name === "categorical_accuracy" || name === "sparse_categorical_accuracy" ? "accuracy" : name;
}

function loadOptimizer(model: Sequential, state: NonNullable<SavedModel["optimizer"]>, where: string): void {
  const { optimizer, slots } = model.compiled!;
  const byName = new Map(state.weights.map((tensor) => [tensor.name, tensor]));
  const rate = state.weights.find(({ name }) => lastPart(name) === LEARNING_RATE);
  if (rate?.data.length === 1) optimizer.learningRate = rate.data[0]!;
  optimizer.iterations = state.iterations;
  // A file saved before the first step may have no slots.
  const isEmpty = state.weights.every((tensor) => tensor === rate);
  if (isEmpty && state.iterations === 0) return;
  for (const tensor of slots.flat()) {
    const found = byName.get(tensor.name);
    if (!found) {
      throw new UserError(
        `${where}: the optimizer's state has no ${tensor.name}; load it with { compile: false } to do without the state.`,
      );
    }
    model.variables.write(tensor, checkShape(found, tensor, where));
  }
}
