import { UserError } from "../errors.ts";
import { readFile } from "../runtime/files.ts";
import type { Sequential } from "./sequential.ts";

export interface LoadOptions {
  /** Also take loss, optimizer, metrics and the optimizer's state from the file. Default true. */
  readonly compile?: boolean;
}

/**
 * Loads a model that Keras or this library saved as a legacy `.h5` file.
 * https://keras.io/api/models/model_saving_apis/model_saving_and_loading/
 *
 * @param source a path, or the file's bytes
 * @throws UserError for a file that is missing, damaged, or of something else, and for layers that we do not have.
 */
export async function loadModel(source: string | URL | Uint8Array, options: LoadOptions = {}): Promise<Sequential> {
  const where = source instanceof Uint8Array ? "loadModel" : String(source);
  const bytes = source instanceof Uint8Array ? source : await readFile(source);
  const { readKerasH5 } = await import("../formats/keras-h5.ts");
  const { fromSavedModel } = await import("./deserialize.ts");
  const saved = await readKerasH5(bytes, { optimizer: options.compile ?? true }).catch((error: unknown) => {
    throw error instanceof UserError ? new UserError(`${where}: ${error.message}`, { cause: error }) : error;
  });
  return fromSavedModel(saved, where, options);
}
