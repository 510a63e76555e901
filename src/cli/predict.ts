/** `lenet predict MODEL IMAGE…`: the digit in each picture. */
import { setFlagsFromString } from "node:v8";
import { UserError } from "../errors.ts";
import { decodeImage } from "../image/decode.ts";
import { prepareDigit } from "../image/digit.ts";
import { NDArray } from "../index.ts";
import { loadClassifier } from "./classifier.ts";
import { EXIT_DONE } from "./exit-codes.ts";
import { readBytes } from "./files.ts";
import { CLASSES, scaleImages } from "./lenet.ts";
import type { PredictOptions } from "./options.ts";
import { givesLogits, softmax } from "./probabilities.ts";
import { drawPrediction } from "./show.ts";
import { hasColour } from "./terminal.ts";

const FIELD = 28 * 28;

/** So few pictures take less time than starting threads does. */
const FEW_IMAGES = 32;

/** So few take less time, by large networks too, than optimizing the code for them. */
const VERY_FEW_IMAGES = 4;

/** V8's flags, for the whole process: optimize no JavaScript, and kernels only after the longest run that can be asked for. */
const UNOPTIMIZED = ["--no-turbofan", "--no-maglev", "--wasm-tiering-budget=2147483647"];

/** All pictures as one uint8 batch, (n, 28, 28, 1). */
async function readDigits(paths: readonly string[]): Promise<NDArray<"uint8">> {
  const batch = new Uint8Array(paths.length * FIELD);
  for (const [index, path] of paths.entries()) {
    const image = decodeImage(await readBytes(path), path);
    batch.set(prepareDigit(image, path).data, index * FIELD);
  }
  return new NDArray(batch, [paths.length, 28, 28, 1]);
}

interface Prediction {
  readonly file: string;
  readonly digit: number;
  readonly probabilities: readonly number[];
}

function describe({ file, digit, probabilities }: Prediction): string {
  const all = probabilities.map((probability, candidate) => `${candidate}: ${probability.toFixed(4)}`);
  return `${file}: ${digit}  (${all.join(", ")})`;
}

const DEFAULT_COLUMNS = 80;

function show({ file, digit, probabilities }: Prediction, pixels: Uint8Array): string {
  const canvas = { columns: process.stdout.columns || DEFAULT_COLUMNS, colour: hasColour() };
  return `${file}: ${digit}\n${drawPrediction(pixels, probabilities, canvas)}`;
}

/**
 * Prints the digit in each picture and the probability of each digit; returns the exit code. Every picture is read
 * before anything is printed.
 *
 * @throws UserError for a file that is no picture or no model, or a picture without ink
 */
export async function predict(modelPath: string, imagePaths: string[], options: PredictOptions): Promise<number> {
  if (options.show && options.json) {
    throw new UserError("--show: draws for people, --json writes for programs; leave one of the two options out.");
  }
  const [digits, model] = await Promise.all([readDigits(imagePaths), loadClassifier(modelPath)]);
  // Node waits for V8 to optimize even what will not run again, before it goes on and before it ends.
  if (imagePaths.length <= VERY_FEW_IMAGES) for (const flag of UNOPTIMIZED) setFlagsFromString(flag);
  const threads = imagePaths.length <= FEW_IMAGES ? { threads: 1 } : {};
  const output = await model.predict(scaleImages(digits), threads);
  for (const [index, file] of imagePaths.entries()) {
    const values = [...output.data.subarray(index * CLASSES, (index + 1) * CLASSES)];
    const probabilities = givesLogits(model) ? softmax(values) : values;
    const prediction = { file, digit: probabilities.indexOf(Math.max(...probabilities)), probabilities };
    const pixels = digits.data.subarray(index * FIELD, (index + 1) * FIELD);
    if (options.json) process.stdout.write(`${JSON.stringify(prediction)}\n`);
    else if (options.show) process.stdout.write(`${index > 0 ? "\n" : ""}${show(prediction, pixels)}`);
    else process.stdout.write(`${describe(prediction)}\n`);
  }
  return EXIT_DONE;
}
