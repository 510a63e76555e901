/** `lenet evaluate MODEL`: loss and accuracy on the test set. */
import { loadModel } from "../index.ts";
import { EXIT_DONE } from "./exit-codes.ts";
import { loadMnist } from "./lenet.ts";
import type { EvaluateOptions } from "./options.ts";

/** Prints the test loss and accuracy of a saved model; returns the exit code. */
export async function evaluate(path: string, options: EvaluateOptions): Promise<number> {
  const model = await loadModel(path);
  const { test } = await loadMnist(options.data);
  const { loss, accuracy } = await model.evaluate(test.x, test.y, { batchSize: 128 });
  const text = options.json
    ? JSON.stringify({ test_loss: loss, test_accuracy: accuracy })
    : `Test loss: ${loss}\nTest accuracy: ${accuracy}`;
  process.stdout.write(`${text}\n`);
  return EXIT_DONE;
}
