/** `lenet evaluate MODEL`: loss and accuracy on the test set. */
import { loadModel } from "../index.ts";
import { loadData, samplesFor } from "./data.ts";
import { EXIT_DONE } from "./exit-codes.ts";
import { describeScore, scoreModel } from "./lenet.ts";
import type { EvaluateOptions } from "./options.ts";

/** Prints the test loss and accuracy of a saved model; returns the exit code. */
export async function evaluate(path: string, options: EvaluateOptions): Promise<number> {
  const model = await loadModel(path);
  const { test } = samplesFor(model, await loadData(options.data, model.inputShape));
  const score = await scoreModel(model, test, { batchSize: 128 });
  process.stdout.write(options.json ? `${JSON.stringify(score)}\n` : describeScore(score));
  return EXIT_DONE;
}
