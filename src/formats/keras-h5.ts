/**
 * Legacy Keras `.h5` files: bytes on one side, a model's config and named weights on the other. No file system, no
 * layers: what the config means is the model's affair.
 *
 * The format is Keras's own (`keras/src/legacy/saving/legacy_h5_format.py`): JSON in the root's attributes, a group a
 * layer under `/model_weights`, whose `weight_names` say where its weights lie; the optimizer's state likewise under
 * `/optimizer_weights`.
 */
import { show } from "../arguments.ts";
import { UserError } from "../errors.ts";
import { type GroupReader, openHdf5 } from "./hdf5/reader.ts";
import { type GroupWriter, type WriteOptions, writeHdf5 } from "./hdf5/writer.ts";
import {
  checkSize,
  KERAS_VERSION,
  type NamedTensor,
  parseJson,
  type SavedLayer,
  type SavedModel,
  toPythonJson,
} from "./saved-model.ts";

/** The attribute with a checkpoint's text, and the group with its tensors. */
const CHECKPOINT = "lenet_checkpoint";

/** Keras wants one of its own here, and does not use it. */
const BACKEND = "tensorflow";

/** HDF5 keeps an attribute in its object's header, which is limited; Keras cuts longer lists in pieces. */
const LARGEST_ATTRIBUTE = 64_512;

const POINTER_BYTES = 16;

/** Keras 3 writes `adam/iteration`; Keras 2 wrote `iteration:0`, `iterations:0` and `Adam/iter:0`. */
const ITERATION = /(^|\/)iter(ations?)?(:0)?$/;

/**
 * Reads a file that Keras or this library wrote.
 *
 * @throws UserError for bytes that are no HDF5 file, no Keras model, or damaged.
 */
export async function readKerasH5(bytes: Uint8Array, { optimizer: wanted = true } = {}): Promise<SavedModel> {
  const root = openHdf5(bytes);
  const json = (name: string) => parseJson(name, root.text(name));
  const modelConfig = json("model_config");
  if (modelConfig === undefined) throw new UserError("it is an HDF5 file, but no Keras model: it has no model_config.");
  const layers = readLegacyLayers(root);
  if (!layers) throw new UserError("it is a Keras model without weights: its group /model_weights is missing.");
  const trainingConfig = json("training_config");
  const kerasVersion = root.text("keras_version");
  const optimizer = wanted ? readOptimizer(root) : undefined;
  const text = root.text(CHECKPOINT);
  const tensors = root.group(CHECKPOINT) ? readWeights(root, CHECKPOINT) : [];
  return {
    modelConfig,
    layers,
    ...(trainingConfig !== undefined && { trainingConfig }),
    ...(optimizer && { optimizer }),
    ...(kerasVersion !== undefined && { kerasVersion }),
    ...(text !== undefined && { checkpoint: { text, tensors } }),
  };
}

/** The layers of a model's file, or of one that `save_weights` of Keras 2 wrote; undefined where it is neither. */
export function readLegacyLayers(root: GroupReader): SavedLayer[] | undefined {
  const isWeightsAlone = root.texts("layer_names") !== undefined || root.texts("layer_names0") !== undefined;
  const group = root.group("model_weights") ?? (isWeightsAlone ? root : undefined);
  return group && readNames(group, "layer_names").map((name) => ({ name, weights: readWeights(group, name) }));
}

/** A list of names, whole or cut in pieces: `weight_names`, or `weight_names0`, `weight_names1` … */
function readNames(group: GroupReader, attribute: string): readonly string[] {
  const names = readPieces(group, attribute);
  const seen = new Set<string>();
  const twice = names.find((name) => seen.size === seen.add(name).size);
  if (twice === undefined) return names;
  throw new UserError(`its group ${group.path} has ${show(twice)} twice in ${attribute}.`);
}

function readPieces(group: GroupReader, attribute: string): readonly string[] {
  const whole = group.texts(attribute);
  if (whole) return whole;
  const pieces: (readonly string[])[] = [];
  for (;;) {
    const piece = group.texts(`${attribute}${pieces.length}`);
    if (!piece) break;
    pieces.push(piece);
  }
  if (pieces.length === 0) throw new UserError(`its group ${group.path} has no attribute ${attribute}.`);
  return pieces.flat();
}

function readWeights(parent: GroupReader, layer: string): NamedTensor[] {
  const group = parent.group(layer);
  if (!group) throw new UserError(`the group of layer "${layer}" is missing from ${parent.path}.`);
  return readNames(group, "weight_names").map((name) => {
    const dataset = group.dataset(name);
    if (!dataset) throw new UserError(`weight "${name}" of layer "${layer}" is missing.`);
    return { name, shape: dataset.shape, data: dataset.floats() };
  });
}

function readOptimizer(root: GroupReader): SavedModel["optimizer"] {
  const group = root.group("optimizer_weights");
  if (!group) return undefined;
  let iterations = 0;
  const weights: NamedTensor[] = [];
  for (const name of readNames(group, "weight_names")) {
    const dataset = group.dataset(name);
    if (!dataset) throw new UserError(`the optimizer's "${name}" is missing.`);
    if (ITERATION.test(name)) iterations = dataset.count();
    else weights.push({ name, shape: dataset.shape, data: dataset.floats() });
  }
  return { iterations, weights };
}

/**
 * Writes a file that Keras 3 loads, attribute for attribute of the types that Keras 3 with h5py 3 writes.
 *
 * @throws UserError for a tensor whose data does not fill its shape, and for what HDF5 cannot hold.
 */
export async function writeKerasH5(model: SavedModel, options?: WriteOptions): Promise<Uint8Array<ArrayBuffer>> {
  const { modelConfig, trainingConfig, layers, optimizer, checkpoint, kerasVersion = KERAS_VERSION } = model;
  return writeHdf5((root) => {
    root.setText("keras_version", kerasVersion);
    root.setText("backend", BACKEND);
    root.setBytes("model_config", toPythonJson(modelConfig));
    if (trainingConfig !== undefined) root.setBytes("training_config", toPythonJson(trainingConfig));
    const weights = root.group("model_weights");
    const names = layers.map(({ name }) => name);
    writeNames(weights, "layer_names", names);
    weights.setBytes("backend", BACKEND);
    weights.setBytes("keras_version", kerasVersion);
    for (const layer of layers) writeTensors(weights.group(layer.name), layer.weights);
    writeTensors(weights.group("top_level_model_weights"), []);
    if (optimizer) writeOptimizer(root.group("optimizer_weights"), optimizer);
    if (checkpoint) root.setBytes(CHECKPOINT, checkpoint.text);
    if (checkpoint?.tensors.length) writeTensors(root.group(CHECKPOINT), checkpoint.tensors);
  }, options);
}

function writeTensors(group: GroupWriter, tensors: readonly NamedTensor[], before: readonly string[] = []): void {
  const names = tensors.map(({ name }) => name);
  writeNames(group, "weight_names", [...before, ...names]);
  for (const { name, shape, data } of tensors) {
    checkSize(name, shape, data);
    group.setFloats(name, shape, data);
  }
}

function writeOptimizer(group: GroupWriter, state: NonNullable<SavedModel["optimizer"]>): void {
  const { name = "optimizer", iterations, weights } = state;
  // Keras puts the number of steps first.
  const iteration = `${name}/iteration`;
  writeTensors(group, weights, [iteration]);
  group.setInteger(iteration, iterations);
}

/** Writes a list as Keras does: whole where it fits, else in as few equal pieces as fit. */
function writeNames(group: GroupWriter, attribute: string, names: readonly string[]): void {
  const encoder = new TextEncoder();
  const longest = Math.max(0, ...names.map((name) => encoder.encode(name).length));
  // A piece's strings all take the room of the longest; those of a whole list lie elsewhere, behind pointers.
  const most = Math.floor(LARGEST_ATTRIBUTE / Math.max(longest, POINTER_BYTES));
  if (most === 0) throw new UserError(`cannot save a name of ${longest} bytes; at most ${LARGEST_ATTRIBUTE} fit.`);
  if (names.length === 0) group.setEmptyList(attribute);
  else if (names.length <= most) group.setBytes(attribute, names);
  else {
    const length = Math.ceil(names.length / Math.ceil(names.length / most));
    for (let i = 0; i * length < names.length; i++) {
      group.setFixedBytes(`${attribute}${i}`, names.slice(i * length, (i + 1) * length), longest);
    }
  }
}
