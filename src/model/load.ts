import { boolean, onlyKnown } from "../arguments.ts";
import type { LoadOptions } from "./options.ts";
import type { Sequential } from "./sequential.ts";
import { explained, openSource } from "./source.ts";

const WHERE = "loadModel";

function checkOptions(options: LoadOptions): LoadOptions {
  onlyKnown(WHERE, options, ["compile", "optimizerState", "seed", "strict"]);
  for (const name of ["compile", "optimizerState"] as const) boolean(WHERE, name, options[name] ?? true);
  return options;
}

/**
 * Loads a model that Keras or this library saved as a `.keras` or a legacy `.h5` file.
 * https://keras.io/api/models/model_saving_apis/model_saving_and_loading/
 *
 * @param source a path, a file's URL, or the file's bytes
 * @throws UserError for a file that is missing, damaged, or of something else, and for layers that we do not have.
 */
export async function loadModel(
  source: string | URL | Uint8Array | ArrayBuffer,
  options: LoadOptions = {},
): Promise<Sequential> {
  const { compile = true, optimizerState = true } = checkOptions(options);
  // Code is loaded while the file is read.
  const [{ where, bytes }, { isArchive, readKerasArchive }, { readKerasH5 }, { fromSavedModel }] = await Promise.all([
    openSource(WHERE, source),
    import("../formats/keras-archive.ts"),
    import("../formats/keras-h5.ts"),
    import("./deserialize.ts"),
  ]);
  const read = isArchive(bytes) ? readKerasArchive : readKerasH5;
  const saved = await explained(where, () => read(bytes, { optimizer: compile && optimizerState }));
  return fromSavedModel(saved, where, options);
}
