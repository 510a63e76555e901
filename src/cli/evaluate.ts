/** `lenet evaluate MODEL`: loss and accuracy on the test set, and how it errs. */
import { existsSync } from "node:fs";
import { type ClassScore, loadModel } from "../index.ts";
import { loadData, samplesFor } from "./data.ts";
import { EXIT_DONE } from "./exit-codes.ts";
import { checkReport, dataUses } from "./files.ts";
import { type Judgement, judgeModel } from "./judge.ts";
import { describeScore } from "./lenet.ts";
import type { EvaluateOptions } from "./options.ts";
import { reportedData, writeReport } from "./report/report.ts";
import { duration, fileName } from "./report/words.ts";

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

function describeMatrix(matrix: Judgement["matrix"]): string {
  if (matrix.length > MOST_COLUMNS) return "";
  const rows = matrix.map((row, label) => [label, ...row]);
  return `\nSamples of each class (rows), by the class that they were taken for:\n${table([["", ...matrix.keys()], ...rows])}`;
}

/** Prints the test loss and accuracy of a saved model, and its errors by classes; returns the exit code. */
export async function evaluate(path: string, options: EvaluateOptions): Promise<number> {
  const { report, json } = options;
  if (report !== undefined) {
    const uses = existsSync(path) ? ([[path, "the model"]] as const) : [];
    checkReport(report, [...uses, ...dataUses(options.data)]);
  }
  const model = await loadModel(path);
  const data = await loadData(options.data, model.inputShape);
  const test = samplesFor(model, data, "test");
  const started = performance.now();
  const judgement = await judgeModel(model, test, { batchSize: BATCH_SIZE });
  const { score, scores, matrix } = judgement;
  if (json) process.stdout.write(`${JSON.stringify({ ...score, classes: scores, confusion_matrix: matrix })}\n`);
  else process.stdout.write(`${describeScore(score)}\n${describeClasses(scores)}${describeMatrix(matrix)}`);
  if (report === undefined) return EXIT_DONE;
  await writeReport(report, {
    title: `${fileName(path)}, tested on ${fileName(options.data)}`,
    model,
    data: reportedData(options.data, data),
    test,
    judgement,
    settings: [
      ["Model", path],
      ["Loss", model.compiled?.loss.name ?? "none"],
    ],
    times: [["Testing", duration((performance.now() - started) / 1000)]],
  });
  if (!json) process.stdout.write(`\nReport in ${report}\n`);
  return EXIT_DONE;
}
