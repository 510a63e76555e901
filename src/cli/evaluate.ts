/** `lenet evaluate MODEL`: loss and accuracy on the test set, and how it errs. */
import { type ClassScore, classScores, confusionMatrix, loadModel, type NDArray } from "../index.ts";
import { loadData, samplesFor } from "./data.ts";
import { EXIT_DONE } from "./exit-codes.ts";
import { describeScore, scoreModel } from "./lenet.ts";
import type { EvaluateOptions } from "./options.ts";

/** A larger matrix does not fit on a line; `--json` has it. */
const MOST_COLUMNS = 20;

const BATCH_SIZE = 128;

function table(rows: readonly (readonly (string | number)[])[]): string {
  const width = (column: number) => Math.max(...rows.map((row) => String(row[column]).length));
  const widths = rows[0]!.map((_, column) => width(column));
  return rows.map((row) => `${row.map((cell, i) => String(cell).padStart(widths[i]!)).join("  ")}\n`).join("");
}

function describeClasses(scores: readonly ClassScore[]): string {
  const row = ({ precision, recall, f1, support }: ClassScore, label: number) => {
    return [label, ...[precision, recall, f1].map((share) => share.toFixed(4)), support];
  };
  return table([["class", "precision", "recall", "f1", "samples"], ...scores.map(row)]);
}

function describeMatrix(matrix: NDArray): string {
  const size = matrix.shape[0]!;
  if (size > MOST_COLUMNS) return "";
  const labels = Array.from({ length: size }, (_, label) => label);
  const row = (label: number) => [label, ...matrix.data.subarray(label * size, (label + 1) * size)];
  return `\nSamples of each class (rows), by the class that they were taken for:\n${table([["", ...labels], ...labels.map(row)])}`;
}

/** Prints the test loss and accuracy of a saved model, and its errors by classes; returns the exit code. */
export async function evaluate(path: string, options: EvaluateOptions): Promise<number> {
  const model = await loadModel(path);
  const test = samplesFor(model, await loadData(options.data, model.inputShape), "test");
  const score = await scoreModel(model, test, { batchSize: BATCH_SIZE });
  const matrix = confusionMatrix(test.y, await model.predict(test.x, { batchSize: BATCH_SIZE }));
  const scores = classScores(matrix);
  if (options.json) {
    const size = matrix.shape[0]!;
    const rows = scores.map((_, label) => [...matrix.data.subarray(label * size, (label + 1) * size)]);
    process.stdout.write(`${JSON.stringify({ ...score, classes: scores, confusion_matrix: rows })}\n`);
  } else {
    process.stdout.write(`${describeScore(score)}\n${describeClasses(scores)}${describeMatrix(matrix)}`);
  }
  return EXIT_DONE;
}
