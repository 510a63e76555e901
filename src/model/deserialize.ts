/** A model from what Keras wrote: configs that are JSON, weights that have names. */
import { type Config, isConfig, show } from "../arguments.ts";
import { formatShape } from "../array.ts";
import { UserError } from "../errors.ts";
import type { NamedTensor, SavedModel } from "../formats/saved-model.ts";
import type { Tensor } from "../kernels/op.ts";
import * as layers from "../layers/index.ts";
import type { Layer, LayerType } from "../layers/layer.ts";
import { refuseUnsupported } from "../layers/unsupported.ts";
import { toLoss } from "../losses.ts";
import type { Metric } from "../metrics.ts";
import { toOptimizer } from "../optimizers/index.ts";
import { learningRateOf } from "../optimizers/optimizer.ts";
import type { LoadOptions } from "./options.ts";
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
export function fromSavedModel(saved: SavedModel, where: string, options: LoadOptions = {}): Sequential {
  const { compile = true, seed, strict } = options;
  const config = saved.modelConfig;
  if (!isConfig(config) || !isConfig(config.config)) throw new UserError(`${where}: the model's config is damaged.`);
  if (config.class_name !== "Sequential") {
    throw new UserError(`${where}: the model is a ${plain(config.class_name)}; only Sequential models are supported.`);
  }
  refuseUnsupported("Sequential", config.config, {});
  const { name, layers: configs } = config.config;
  if (!Array.isArray(configs)) throw new UserError(`${where}: the model's config has no list of layers.`);
  const made = configs.map((entry) => toLayer(entry, where));
  const model = new Sequential(withInput(made, configs), {
    ...(typeof name === "string" && { name }),
    ...(seed !== undefined && { seed }),
    ...(strict !== undefined && { strict }),
  });
  loadWeights(model, saved, where);
  if (compile && isConfig(saved.trainingConfig)) {
    compileFrom(model, saved.trainingConfig, where);
    if (saved.optimizer) loadOptimizer(model, saved, where);
  }
  return model;
}

function toLayer(entry: unknown, where: string): Layer {
  if (!isConfig(entry) || !isConfig(entry.config)) throw new UserError(`${where}: the config of a layer is damaged.`);
  const { class_name: className, config } = entry;
  const { name, trainable } = config;
  const type = typeof className === "string" ? layerTypes.get(className) : undefined;
  if (!type) {
    const known = [...layerTypes.keys()].join(", ");
    throw new UserError(
      `${where}: layer ${show(name)} is a ${plain(className)}, which is not supported; known are ${known}.`,
    );
  }
  const options = type.optionsOf(config);
  const given = Object.entries({ ...options, name, trainable }).filter(
    ([, value]) => (value ?? undefined) !== undefined,
  );
  return type(Object.fromEntries(given));
}

/** A class name as it reads in messages, whatever the file has in its place. */
const plain = (name: unknown) => (typeof name === "string" && /^[\w.>]+$/.test(name) ? name : show(name));

/** Keras 2 may leave the input layer out and give the first layer the shape. */
function withInput(made: readonly Layer[], configs: readonly unknown[]): readonly Layer[] {
  const first = (configs[0] as { config?: Config } | undefined)?.config;
  if (!first || made[0]?.className === "InputLayer" || first.batch_input_shape === undefined) return made;
  return [layers.input(layers.input.optionsOf(first)), ...made];
}

/** A path as Keras 3 has it: Keras 2 wrote TensorFlow's output number, `conv2d/kernel:0`, and `depthwise_kernel`. */
const asInKeras3 = (path: string) => path.replace(/:\d+$/, "").replace(/\bdepthwise_kernel\b/, "kernel");

/** The last part of a path: `sequential/conv2d/kernel` is a kernel. */
const lastPart = (path: string) => asInKeras3(path).split("/").at(-1)!;

function loadWeights(model: Sequential, saved: SavedModel, where: string): void {
  for (const { name, weights } of model.placed) {
    if (weights.length === 0) continue;
    const found = saved.layers.find((layer) => layer.name === name);
    if (!found) throw new UserError(`${where}: the file has no weights for layer ${show(name)}.`);
    for (const weight of weights) {
      const tensor = found.weights.find((candidate) => lastPart(candidate.name) === weight.name);
      if (!tensor) throw new UserError(`${where}: layer ${show(name)} has no ${weight.name} in the file.`);
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

function compileFrom(model: Sequential, config: Config, where: string): void {
  const { loss, loss_weights: lossWeights, metrics, optimizer_config: optimizer } = config;
  try {
    if (lossWeights) throw new UserError(`compile: loss_weights ${show(lossWeights)} is not supported.`);
    // Keras 2 has a list for each output.
    const names = Array.isArray(metrics) ? metrics.flat(2).map(savedMetric) : [];
    model.compile({ loss: toLoss(loss), optimizer: toOptimizer(optimizer), metrics: names });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const message = `${where}: ${error.message} Load it with { compile: false } to do without the training configuration.`;
    throw new UserError(message, { cause: error });
  }
}

/** Keras 2 writes every metric as an object, Keras 3 as the user gave it: "accuracy" then was chosen by the loss. */
function savedMetric(metric: unknown): string | Metric {
  if (!isConfig(metric) || metric.class_name !== "MeanMetricWrapper") return metric as string | Metric;
  const { name } = isConfig(metric.config) ? metric.config : {};
  if (typeof name !== "string") throw new UserError(`compile: the saved metric ${show(metric)} is not supported.`);
  return name === "categorical_accuracy" || name === "sparse_categorical_accuracy" ? "accuracy" : name;
}

function loadOptimizer(model: Sequential, saved: SavedModel, where: string): void {
  const { optimizer, slots } = model.compiled!;
  const { iterations, weights } = saved.optimizer!;
  const rate = weights.find(({ name }) => lastPart(name) === LEARNING_RATE);
  // The config has the rate as it was given, the file's tensor as it was used: in single precision.
  if (!optimizer.schedule && rate?.data.length === 1 && rate.data[0] !== Math.fround(optimizer.learningRate)) {
    optimizer.learningRate = learningRateOf(`${where}: ${rate.name}`, rate.data[0]);
  }
  optimizer.iterations = iterations;
  // A file saved before the first step may have no slots.
  const isEmpty = weights.every((tensor) => tensor === rate);
  if (isEmpty && iterations === 0) return;
  const placed = model.placed.flatMap(({ name, weights }) =>
    weights.filter(({ trainable }) => trainable).map((weight) => `${name}/${weight.name}`),
  );
  slots.forEach((tensors, index) => {
    tensors.forEach((tensor, slot) => {
      const found = findSlot(weights, tensor.name, placed[index]!, optimizer.slotNames[slot]!);
      if (!found) {
        throw new UserError(
          `${where}: the optimizer's state has no ${tensor.name}; load it with { compile: false } to do without the state.`,
        );
      }
      model.variables.write(tensor, checkShape(found, tensor, where));
    });
  });
}

/** What Keras 2 calls the slots, of Adam and of others. */
const shortNames: Record<string, readonly string[]> = {
  momentum: ["m"],
  velocity: ["v", "rms"],
  velocity_hat: ["vhat"],
  average_gradient: ["mg"],
  accumulated_grad: ["accum_grad"],
  accumulated_delta_var: ["accum_var"],
};

/**
 * The state of a weight, `conv2d/kernel`, as one Keras or another names it: 3 `adam/sequential_conv2d_kernel_momentum`,
 * 3.0 without `adam/`, 2.11 `Adam/m/conv2d/kernel:0`, before `Adam/conv2d/kernel/m:0`, SGD's `SGD/conv2d/kernel/momentum:0`.
 */
function findSlot(state: readonly NamedTensor[], name: string, weight: string, slot: string): NamedTensor | undefined {
  const exact = state.find((tensor) => tensor.name === name);
  if (exact) return exact;
  const flat = (path: string) => `_${asInKeras3(path).replaceAll("/", "_")}`;
  const endings = [slot, ...(shortNames[slot] ?? [])].flatMap((short) => [
    flat(`${weight}/${short}`),
    flat(`${short}/${weight}`),
  ]);
  // The shortest: the state of layer "my_conv2d" ends like that of layer "conv2d", which has less before it.
  return state
    .filter((tensor) => endings.some((ending) => flat(tensor.name).endsWith(ending)))
    .sort((a, b) => a.name.length - b.name.length)[0];
}
