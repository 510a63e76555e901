/** A model from what Keras wrote: configs that are JSON, weights that have names. */
import { type Config, isConfig, show } from "../arguments.ts";
import { UserError } from "../errors.ts";
import type { SavedModel } from "../formats/saved-model.ts";
import * as layers from "../layers/index.ts";
import type { Layer, LayerType } from "../layers/layer.ts";
import { refuseUnsupported } from "../layers/unsupported.ts";
import { toLoss } from "../losses.ts";
import type { Metric } from "../metrics.ts";
import { toOptimizer } from "../optimizers/index.ts";
import type { LoadOptions } from "./options.ts";
import { loadOptimizer, loadWeights } from "./restore.ts";
import { Sequential } from "./sequential.ts";

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
  const current = /^[12]\./.test(saved.kerasVersion ?? "") ? configs.flatMap(fromKeras2) : configs;
  const made = current.map((entry) => toLayer(entry, where));
  const model = new Sequential(withInput(made, configs), {
    ...(typeof name === "string" && { name }),
    ...(seed !== undefined && { seed }),
    ...(strict !== undefined && { strict }),
  });
  loadWeights(model, saved.layers, where);
  if (compile && isConfig(saved.trainingConfig)) {
    compileFrom(model, saved.trainingConfig, where);
    if (saved.optimizer && saved.trainingConfig.optimizer_config) loadOptimizer(model, saved.optimizer, where);
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
  try {
    const options = type.optionsOf(config);
    const given = Object.entries({ ...options, name, trainable }).filter(
      ([, value]) => (value ?? undefined) !== undefined,
    );
    return type(Object.fromEntries(given));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${where}: layer ${show(name)}: ${error.message}`, { cause: error });
  }
}

/**
 * A layer of Keras 2 as layers of Keras 3. The one activation that changed its meaning is hard_sigmoid: it was x/5 + 1/2
 * between 0 and 1, and is x/6 + 1/2.
 */
function fromKeras2(entry: unknown): unknown[] {
  if (!isConfig(entry) || !isConfig(entry.config) || entry.config.activation !== "hard_sigmoid") return [entry];
  const { name } = entry.config;
  const scale = { class_name: "Rescaling", config: { name: `${name}_scale`, scale: 6 / 5 } };
  if (entry.class_name === "Activation") return [scale, entry];
  const linear = { ...entry, config: { ...entry.config, activation: "linear" } };
  const activation = { class_name: "Activation", config: { name: `${name}_activation`, activation: "hard_sigmoid" } };
  return [linear, scale, activation];
}

/** A class name as it reads in messages, whatever the file has in its place. */
const plain = (name: unknown) => (typeof name === "string" && /^[\w.>]+$/.test(name) ? name : show(name));

/** Keras 2 may leave the input layer out and give the first layer the shape. */
function withInput(made: readonly Layer[], configs: readonly unknown[]): readonly Layer[] {
  const first = (configs[0] as { config?: Config } | undefined)?.config;
  if (!first || made[0]?.className === "InputLayer" || first.batch_input_shape === undefined) return made;
  return [layers.input(layers.input.optionsOf(first)), ...made];
}

function compileFrom(model: Sequential, config: Config, where: string): void {
  const { loss, metrics, optimizer_config: optimizer } = config;
  try {
    for (const name of ["loss_weights", "weighted_metrics"]) {
      const found = config[name];
      if (Array.isArray(found) ? found.flat(2).length > 0 : found) {
        throw new UserError(`compile: ${name} ${show(found)} is not supported.`);
      }
    }
    const names = perOutput(metrics)
      .filter((metric) => (metric ?? undefined) !== undefined)
      .map(savedMetric);
    const [only, ...others] = perOutput(loss);
    // Keras 3 forgets the optimizer's config once it has saved a legacy file; what it writes then, it loads with its default.
    const option = toLoss(others.length > 0 ? loss : only);
    model.compile({ loss: option, optimizer: toOptimizer(optimizer ?? "rmsprop"), metrics: names });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const message = `${where}: ${error.message} Load it with { compile: false } to do without the training configuration.`;
    throw new UserError(message, { cause: error });
  }
}

/** What is given for each output: alone, in lists, or by the outputs' names. */
function perOutput(given: unknown): unknown[] {
  if (Array.isArray(given)) return given.flat(2);
  return isConfig(given) && !("class_name" in given) ? Object.values(given).flat(2) : [given];
}

/** Keras 2 writes every metric as an object, Keras 3 as the user gave it: "accuracy" then was chosen by the loss. */
function savedMetric(metric: unknown): string | Metric {
  if (isConfig(metric) && metric.class_name === "function") return metric.config as string;
  if (!isConfig(metric) || metric.class_name !== "MeanMetricWrapper") return metric as string | Metric;
  const { name } = isConfig(metric.config) ? metric.config : {};
  if (typeof name !== "string") throw new UserError(`compile: the saved metric ${show(metric)} is not supported.`);
  return name === "categorical_accuracy" || name === "sparse_categorical_accuracy" ? "accuracy" : name;
}
