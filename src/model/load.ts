import { badArgument, boolean, onlyKnown } from "../arguments.ts";
import { UserError } from "../errors.ts";
import { readFile } from "../runtime/files.ts";
import type { LoadOptions } from "./options.ts";
import type { Sequential } from "./sequential.ts";

const WHERE = "loadModel";

function checkOptions(options: LoadOptions): LoadOptions {
  onlyKnown(WHERE, options, ["compile", "optimizerState", "seed", "strict"]);
  for (const name of ["compile", "optimizerState"] as const) boolean(WHERE, name, options[name] ?? true);
  return options;
}

async function open(source: unknown): Promise<{ where: string; bytes: Uint8Array }> {
  if (source instanceof Uint8Array) return { where: WHERE, bytes: source };
  if (source instanceof ArrayBuffer) return { where: WHERE, bytes: new Uint8Array(source) };
  if (typeof source === "string" || source instanceof URL) {
    return { where: String(source), bytes: await readFile(source) };
  }
  throw badArgument(WHERE, "the source", "a path, a URL or the bytes of a file", source);
}

/**
 * Loads a model that Keras or this library saved as a legacy `.h5` file.
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
  const { where, bytes } = await open(source);
  const { readKerasH5 } = await import("../formats/keras-h5.ts");
  const { fromSavedModel } = await import("./deserialize.ts");
  const saved = await readKerasH5(bytes, { optimizer: compile && optimizerState }).catch((error: unknown) => {
    throw error instanceof UserError ? new UserError(`${where}: ${error.message}`, { cause: error }) : error;
  });
  return fromSavedModel(saved, where, options);
}
