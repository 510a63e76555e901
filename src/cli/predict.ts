/** `lenet predict MODEL IMAGE…`: the digit in each picture. */
import { UserError } from "../errors.ts";
import { decodeImage } from "../image/decode.ts";
import { prepareDigit } from "../image/digit.ts";
import { loadModel, NDArray } from "../index.ts";
import { EXIT_DONE } from "./exit-codes.ts";
import { readBytes } from "./files.ts";
import { scaleImages } from "./lenet.ts";
import type { PredictOptions } from "./options.ts";

const FIELD = 28 * 28;
const FEW_IMAGES = 32;

/** All pictures as one uint8 batch, (n, 28, 28, 1). */
async function readDigits(paths: readonly string[]): Promise<NDArray<"uint8">> {
  const batch = new Uint8Array(paths.length * FIELD);
  for (const [index, path] of paths.entries()) {
    const image = decodeImage(await readBytes(path), path);
    batch.set(prepareDigit(image, path).data, index * FIELD);
  }
  return new NDArray(batch, [paths.length, 28, 28, 1]);
}

function describe(file: string, probabilities: readonly number[], json: boolean): string {
  const digit = probabilities.indexOf(Math.max(...probabilities));
  if (json) return JSON.stringify({ file, digit, probabilities });
  const all = probabilities.map((probability, candidate) => `${candidate}: ${probability.toFixed(4)}`);
  return `${file}: ${digit}  (${all.join(", ")})`;
}

/**
 * Prints the digit in each picture and the probability of each digit; returns the exit code. Every picture is read
 * before anything is printed.
 *
 * @throws UserError for a file that is no picture or no model, or a picture without ink
 */
export async function predict(modelPath: string, imagePaths: string[], options: PredictOptions): Promise<number> {
  const [digits, model] = await Promise.all([readDigits(imagePaths), loadModel(modelPath, { compile: false })]);
  // A few pictures take less time than starting threads.
  const threads = imagePaths.length <= FEW_IMAGES ? { threads: 1 } : {};
  const output = await model.predict(scaleImages(digits), threads);
  const classes = output.shape[1];
  if (output.shape.length !== 2 || classes === undefined) {
    throw new UserError(`${modelPath}: expected a model that gives one probability a digit, not one of another shape.`);
  }
  for (const [index, file] of imagePaths.entries()) {
    const probabilities = [...output.data.subarray(index * classes, (index + 1) * classes)];
    process.stdout.write(`${describe(file, probabilities, options.json === true)}\n`);
  }
  return EXIT_DONE;
}
