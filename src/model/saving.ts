/** A model to files and back into the same model; the name's ending tells the format. `load.ts` makes a model of a file. */
import { badArgument, oneOf, show } from "../arguments.ts";
import { UserError } from "../errors.ts";
import {
  isArchive,
  readKerasArchive,
  readWeightsH5,
  writeKerasArchive,
  writeWeightsH5,
} from "../formats/keras-archive.ts";
import { writeKerasH5 } from "../formats/keras-h5.ts";
import type { SavedLayer } from "../formats/saved-model.ts";
import { writeFileAtomic } from "../runtime/files.ts";
import type { ModelFormat } from "./options.ts";
import { loadWeights } from "./restore.ts";
import { modelConfig, toSavedModel } from "./serialize.ts";
import { explained, openSource } from "./source.ts";
import type { ModelState } from "./state.ts";

const WRITERS = { keras: writeKerasArchive, h5: writeKerasH5 };

/** The bytes of a file in the given format. */
export function toBytes(model: ModelState, format: ModelFormat): Promise<Uint8Array> {
  oneOf("toBytes", "format", format, ["keras", "h5"]);
  return WRITERS[format](toSavedModel(model));
}

function nameOf(where: string, path: unknown): string {
  const name = path instanceof URL ? path.pathname : path;
  if (typeof name === "string") return name;
  throw badArgument(where, "the path", "text or a URL", path);
}

/** @throws UserError for a name with another ending. */
export function formatOf(where: string, path: unknown): ModelFormat {
  const name = nameOf(where, path);
  if (/\.weights\.h5$/i.test(name)) {
    throw new UserError(`${where}: ${show(name)} is a name for weights alone; use saveWeights, or another ending.`);
  }
  if (/\.keras$/i.test(name)) return "keras";
  if (/\.(h5|hdf5)$/i.test(name)) return "h5";
  throw new UserError(`${where}: expected a file name that ends in .keras or .h5, got ${show(name)}.`);
}

export async function save(model: ModelState, path: string | URL): Promise<void> {
  const format = formatOf("save", path);
  await writeFileAtomic(path, await toBytes(model, format));
}

export async function saveWeights(model: ModelState, path: string | URL): Promise<void> {
  const name = nameOf("saveWeights", path);
  if (!/\.weights\.h5$/i.test(name)) {
    throw new UserError(`saveWeights: expected a file name that ends in .weights.h5, got ${show(name)}.`);
  }
  await writeFileAtomic(path, await writeWeightsH5(toSavedModel(model)));
}

/** Takes the weights of any of Keras's formats; the optimizer's state stays as it is. */
export async function loadWeightsFrom(model: ModelState, source: unknown): Promise<void> {
  const { where, bytes } = await openSource("loadWeights", source);
  const options = { optimizer: false };
  const saved = await explained(where, async () =>
    isArchive(bytes)
      ? { ...(await readKerasArchive(bytes, options)), byOrder: true }
      : readWeightsH5(bytes, modelConfig(model), options),
  );
  loadWeights(model, saved.byOrder ? inOrder(model, saved.layers, where) : saved.layers, where);
}

/** The layers of a file with weights under the names of the model's, as Keras pairs them: the first with the first. */
function inOrder({ placed }: ModelState, layers: readonly SavedLayer[], where: string): SavedLayer[] {
  const own = placed.filter(({ weights }) => weights.length > 0);
  const theirs = layers.filter(({ weights }) => weights.length > 0);
  if (own.length !== theirs.length) {
    throw new UserError(
      `${where}: it has weights for ${theirs.length} layers, the model has ${own.length} layers with weights.`,
    );
  }
  return theirs.map((layer, i) => ({ ...layer, name: own[i]!.name }));
}
