/** Models that tell digits apart. */
import { UserError } from "../errors.ts";
import { loadModel, type Sequential } from "../index.ts";
import { CLASSES } from "./lenet.ts";

/** Loads a model of 28x28 pixels and ten outputs. @throws UserError for a file that is none. */
export async function loadClassifier(path: string): Promise<Sequential> {
  // What it was trained with matters only for its logits, and may be something that cannot be trained further here.
  const model = await loadModel(path, { optimizerState: false }).catch(() => loadModel(path, { compile: false }));
  const { inputShape, outputShape } = model;
  if (inputShape.join() === "28,28,1" && outputShape.join() === String(CLASSES)) return model;
  throw new UserError(
    `${path}: expected a model that takes 28x28x1 and gives ${CLASSES} values, one a digit; it takes ` +
      `${inputShape.join("x")} and gives ${outputShape.join("x")}.`,
  );
}
