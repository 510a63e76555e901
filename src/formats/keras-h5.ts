/**
 * Legacy Keras `.h5` files: bytes on one side, a model's config and named weights on the other. No file system, no
 * layers: what the config means is the model's affair.
 *
 * The format is Keras's own (`keras/src/legacy/saving/legacy_h5_format.py`): JSON in the root's attributes, a group a
 * layer under `/model_weights`, whose `weight_names` say where its weights lie; the optimizer's state likewise under
 * `/optimizer_weights`. HDF5 itself is read and written by h5wasm, in memory of its own that no path leads out of.
 */
import { sizeOf } from "../array.ts";
import { UserError } from "../errors.ts";
import { type HdfDataset, type HdfGroup, withFile } from "./hdf5.ts";

export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface SavedLayer {
  readonly name: string;
  readonly weights: readonly NamedTensor[];
}

export interface SavedModel {
  /** The parsed JSON of `model_config`: { class_name, config }. */
  readonly modelConfig: unknown;
  /** The parsed JSON of `training_config`. */
  readonly trainingConfig?: unknown;
  readonly layers: readonly SavedLayer[];
  /** Names and order are those of the file; the number of steps is not among the weights. */
  readonly optimizer?: { readonly iterations: number; readonly weights: readonly NamedTensor[] };
  readonly kerasVersion?: string;
}

/** The Keras whose format we write. */
const KERAS_VERSION = "3.15.1";

/** HDF5 keeps an attribute in its object's header, which is limited; Keras cuts longer lists in pieces. */
const LARGEST_ATTRIBUTE = 64_512;

const ITERATION = /(^|\/)iterations?(:0)?$/;

/**
 * Reads a file that Keras 3 or this library wrote.
 *
 * @throws UserError for bytes that are no HDF5 file, no Keras model, or damaged.
 */
export function readKerasH5(bytes: Uint8Array): Promise<SavedModel> {
  return withFile(bytes, (root) => {
    const modelConfig = readJson(root, "model_config");
    const weights = root.group("model_weights");
    if (modelConfig === undefined || !weights) {
      throw new UserError("it is an HDF5 file, but no whole Keras model: model_config or model_weights is missing.");
    }
    const trainingConfig = readJson(root, "training_config");
    const kerasVersion = root.text("keras_version");
    const layers = readNames(weights, "layer_names").map((name) => ({ name, weights: readWeights(weights, name) }));
    const optimizer = readOptimizer(root);
    return {
      modelConfig,
      layers,
      ...(trainingConfig !== undefined && { trainingConfig }),
      ...(optimizer && { optimizer }),
      ...(kerasVersion !== undefined && { kerasVersion }),
    };
  });
}

function readJson(root: HdfGroup, name: string): unknown {
  const text = root.text(name);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(`its ${name} is no JSON: ${(error as Error).message}.`);
  }
}

/** A list of names, whole or cut in pieces: `weight_names`, or `weight_names0`, `weight_names1` … */
function readNames(group: HdfGroup, attribute: string): string[] {
  const whole = group.texts(attribute);
  if (whole) return whole;
  const pieces: string[] = [];
  for (let i = 0; ; i++) {
    const piece = group.texts(`${attribute}${i}`);
    if (!piece) break;
    pieces.push(...piece);
  }
  if (pieces.length === 0 && !group.has(`${attribute}0`)) {
    throw new UserError(`its group ${group.path} has no ${attribute}.`);
  }
  return pieces;
}

function readWeights(parent: HdfGroup, layer: string): NamedTensor[] {
  const group = parent.group(layer);
  if (!group) throw new UserError(`the group of layer "${layer}" is missing from ${parent.path}.`);
  return readNames(group, "weight_names").map((name) => {
    const dataset = group.dataset(name);
    if (!dataset) throw new UserError(`weight "${name}" of layer "${layer}" is missing.`);
    return { name, shape: dataset.shape, data: dataset.floats() };
  });
}

function readOptimizer(root: HdfGroup): SavedModel["optimizer"] {
  const group = root.group("optimizer_weights");
  if (!group) return undefined;
  let iterations = 0;
  const weights: NamedTensor[] = [];
  for (const name of readNames(group, "weight_names")) {
    const dataset = group.dataset(name);
    if (!dataset) throw new UserError(`the optimizer's "${name}" is missing.`);
    if (ITERATION.test(name)) iterations = readIterations(dataset, name);
    else weights.push({ name, shape: dataset.shape, data: dataset.floats() });
  }
  return { iterations, weights };
}

function readIterations(dataset: HdfDataset, name: string): number {
  const value = dataset.integer();
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new UserError(`the optimizer's "${name}" must be a number of steps, got ${value}.`);
}

/** Writes a file that Keras 3 loads. @throws UserError for a tensor whose data does not fill its shape. */
export function writeKerasH5(model: SavedModel): Promise<Uint8Array> {
  return withFile(undefined, (root) => {
    root.setText("keras_version", KERAS_VERSION);
    root.setText("backend", "tensorflow");
    root.setText("model_config", JSON.stringify(model.modelConfig));
    if (model.trainingConfig !== undefined) root.setText("training_config", JSON.stringify(model.trainingConfig));
    const weights = root.createGroup("model_weights");
    writeNames(
      weights,
      "layer_names",
      model.layers.map(({ name }) => name),
    );
    weights.setText("backend", "tensorflow");
    weights.setText("keras_version", KERAS_VERSION);
    for (const layer of model.layers) writeWeights(weights.createGroup(layer.name), layer.weights);
    writeWeights(weights.createGroup("top_level_model_weights"), []);
    if (model.optimizer) writeOptimizer(root.createGroup("optimizer_weights"), model.optimizer);
  });
}

function writeWeights(group: HdfGroup, weights: readonly NamedTensor[]): void {
  writeNames(
    group,
    "weight_names",
    weights.map(({ name }) => name),
  );
  for (const tensor of weights) writeTensor(group, tensor);
}

function writeTensor(group: HdfGroup, { name, shape, data }: NamedTensor): void {
  if (sizeOf(shape) !== data.length) {
    throw new UserError(`cannot save ${name}: its shape has ${sizeOf(shape)} elements, its data ${data.length}.`);
  }
  group.createFloats(name, shape, data);
}

function writeOptimizer(group: HdfGroup, { iterations, weights }: NonNullable<SavedModel["optimizer"]>): void {
  // Keras puts the number of steps first, beside the optimizer's other state.
  const prefix = weights[0]?.name.split("/")[0] ?? "optimizer";
  const iteration = `${prefix}/iteration`;
  writeNames(group, "weight_names", [iteration, ...weights.map(({ name }) => name)]);
  group.createInteger(iteration, iterations);
  for (const tensor of weights) writeTensor(group, tensor);
}

function writeNames(group: HdfGroup, attribute: string, names: readonly string[]): void {
  const pieces: string[][] = [[]];
  let bytes = 0;
  for (const name of names) {
    // A list's element takes the room of the longest.
    bytes += name.length + 16;
    if (bytes > LARGEST_ATTRIBUTE) {
      pieces.push([]);
      bytes = name.length + 16;
    }
    pieces.at(-1)!.push(name);
  }
  if (pieces.length === 1) group.setTexts(attribute, pieces[0]!);
  else for (const [i, piece] of pieces.entries()) group.setTexts(`${attribute}${i}`, piece);
}
