/**
 * Keras 3's own formats: `.keras`, a zip archive of `metadata.json`, `config.json` and `model.weights.h5`, and
 * `.weights.h5`, the last of them alone. (`keras/src/saving/saving_lib.py`)
 *
 * Weights have numbers in place of names, below their layer's class: `layers/conv2d_1/vars/0` is the first weight of the
 * second Conv2D. The optimizer's are below `optimizer/vars`: the number of steps, the learning rate where it is a variable,
 * then its state.
 */
import { type Config, isConfig } from "../arguments.ts";
import { UserError } from "../errors.ts";
import { type GroupReader, openHdf5 } from "./hdf5/reader.ts";
import { type GroupWriter, writeHdf5 } from "./hdf5/writer.ts";
import { readLegacyLayers } from "./keras-h5.ts";
import {
  checkSize,
  KERAS_VERSION,
  type NamedTensor,
  parseJson,
  type SavedLayer,
  type SavedModel,
  snakeCase,
  toPythonJson,
} from "./saved-model.ts";
import { readZip, writeZip } from "./zip.ts";

const METADATA = "metadata.json";
const CONFIG = "config.json";
const WEIGHTS = "model.weights.h5";

/** Keras 2.13 called the layers' group otherwise. */
const LAYER_GROUPS = ["layers", "_layer_checkpoint_dependencies"];

interface Weights extends Pick<SavedModel, "layers" | "optimizer"> {
  /** In a legacy file: layers are paired by their order, and their names are the file's. */
  readonly byOrder?: boolean;
}

/** Whether the bytes begin as a zip archive does. */
export function isArchive(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b;
}

/**
 * Reads a `.keras` file.
 *
 * @throws UserError for an archive that is damaged or holds something else.
 */
export async function readKerasArchive(bytes: Uint8Array, { optimizer = true } = {}): Promise<SavedModel> {
  const files = readZip(bytes, (name) => [METADATA, CONFIG, WEIGHTS].includes(name));
  const json = (name: string) => {
    const content = files.get(name);
    return content && parseJson(name, new TextDecoder().decode(content));
  };
  const config = json(CONFIG);
  const weights = files.get(WEIGHTS);
  if (!isConfig(config) || !weights) {
    throw new UserError(`it is a zip archive, but no Keras model: it has no ${isConfig(config) ? WEIGHTS : CONFIG}.`);
  }
  const metadata = json(METADATA);
  const version = isConfig(metadata) ? metadata.keras_version : undefined;
  return {
    modelConfig: config,
    // Keras writes {} for a model that is not compiled.
    ...(isConfig(config.compile_config) &&
      "loss" in config.compile_config && { trainingConfig: fromCompileConfig(config.compile_config) }),
    ...(await readWeightsH5(weights, config, { optimizer })),
    ...(typeof version === "string" && { kerasVersion: version }),
  };
}

/** The training configuration as the legacy format has it. */
function fromCompileConfig({ optimizer, ...rest }: Config): Config {
  return { ...rest, optimizer_config: optimizer };
}

/**
 * Reads a `.weights.h5` file, or the weights of a legacy one.
 *
 * @param modelConfig of the model that the weights are for, whose layers' classes and order tell where they are
 */
export async function readWeightsH5(
  bytes: Uint8Array,
  modelConfig: unknown,
  { optimizer = true } = {},
): Promise<Weights> {
  const root = openHdf5(bytes);
  const legacy = readLegacyLayers(root);
  if (legacy) return { layers: legacy, byOrder: true };
  const layers = LAYER_GROUPS.map((name) => root.group(name)).find((group) => group !== undefined);
  if (!layers) throw new UserError("it is an HDF5 file, but has no weights of Keras: its group layers is missing.");
  const state = optimizer ? root.group("optimizer/vars") : undefined;
  return {
    layers: placesOf(modelConfig).map(({ name, group }): SavedLayer => {
      const own = layers.group(group)?.group("vars");
      return { name, weights: own ? readTensors(own, 0) : [] };
    }),
    ...(state && { optimizer: { iterations: readIterations(state), weights: readTensors(state, 1) } }),
  };
}

function readIterations(state: GroupReader): number {
  return state.dataset("0")?.count() ?? 0;
}

function readTensors(group: GroupReader, first: number): NamedTensor[] {
  const tensors: NamedTensor[] = [];
  for (let i = first; ; i++) {
    const dataset = group.dataset(String(i));
    if (!dataset) return tensors;
    tensors.push({ name: `${group.path}/${i}`.slice(1), shape: dataset.shape, data: dataset.floats() });
  }
}

/** The layers of a config that may have weights, and their groups: named by class, counted from the second on. */
function placesOf(modelConfig: unknown): { name: string; className: string; group: string }[] {
  const config = isConfig(modelConfig) && isConfig(modelConfig.config) ? modelConfig.config : {};
  const counts = new Map<string, number>();
  const layers = Array.isArray(config.layers) ? config.layers : [];
  return layers.flatMap((layer: unknown) => {
    if (!isConfig(layer) || typeof layer.class_name !== "string" || layer.class_name === "InputLayer") return [];
    const base = snakeCase(layer.class_name);
    const count = counts.get(base) ?? 0;
    counts.set(base, count + 1);
    const name = isConfig(layer.config) ? String(layer.config.name) : "";
    return [{ name, className: layer.class_name, group: count === 0 ? base : `${base}_${count}` }];
  });
}

/** Writes a `.keras` file that Keras 3 loads. The same model makes the same bytes: the date is left out. */
export async function writeKerasArchive(model: SavedModel): Promise<Uint8Array> {
  const encode = (value: unknown) => new TextEncoder().encode(toPythonJson(value));
  return writeZip({
    [METADATA]: encode({ keras_version: model.kerasVersion ?? KERAS_VERSION }),
    [CONFIG]: encode(toConfig(model)),
    [WEIGHTS]: await writeWeightsH5(model),
  });
}

/** Writes a `.weights.h5` file that Keras 3 loads into the same model. */
export async function writeWeightsH5({ modelConfig, layers, optimizer }: SavedModel): Promise<Uint8Array> {
  return writeHdf5((root) => {
    const byName = new Map(layers.map((layer) => [layer.name, layer]));
    for (const { name, group } of placesOf(modelConfig)) {
      const vars = root.group(`layers/${group}/vars`);
      vars.setText("name", name);
      writeTensors(vars, byName.get(name)?.weights ?? [], 0);
    }
    const { name } = (modelConfig as { config: { name: string } }).config;
    root.group("vars").setText("name", name);
    if (!optimizer) return;
    const vars = root.group("optimizer/vars");
    vars.setText("name", optimizer.name ?? "optimizer");
    vars.setInteger("0", optimizer.iterations);
    writeTensors(vars, optimizer.weights, 1);
  });
}

function writeTensors(group: GroupWriter, tensors: readonly NamedTensor[], first: number): void {
  for (const [i, { name, shape, data }] of tensors.entries()) {
    checkSize(name, shape, data);
    group.setFloats(String(first + i), shape, data);
  }
}

/** A config as `config.json` has it: each object says which module of Keras its class is in. */
function toConfig({ modelConfig, trainingConfig }: SavedModel): Config {
  const { class_name, config } = modelConfig as { class_name: string; config: { layers: readonly unknown[] } };
  const layers = config.layers.map((layer) => inModule("keras.layers", layer));
  return {
    ...(inModule("keras", { class_name, config: { ...config, layers } }) as Config),
    ...(isConfig(trainingConfig) && { compile_config: toCompileConfig(trainingConfig) }),
  };
}

function toCompileConfig({ optimizer_config: optimizer, loss, ...rest }: Config): Config {
  return { optimizer: inModule("keras.optimizers", optimizer), loss: inModule("keras.losses", loss), ...rest };
}

/** A saved object with its module; names stay as they are. */
function inModule(module: string, saved: unknown): unknown {
  return isConfig(saved) ? { module, registered_name: null, ...saved } : saved;
}
