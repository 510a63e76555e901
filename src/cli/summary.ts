/** `lenet summary MODEL`: the table that Keras prints. */
import { loadModel } from "../index.ts";
import { EXIT_DONE } from "./exit-codes.ts";

/** Prints the summary of a saved model; returns the exit code. */
export async function summary(path: string): Promise<number> {
  const model = await loadModel(path);
  model.summary();
  return EXIT_DONE;
}
