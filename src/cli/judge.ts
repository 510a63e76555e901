/** How a model does on a test set: its score, which classes it takes for which, and its worst mistakes. */
import { type ClassScore, classScores, confusionMatrix, type NDArray, type Sequential, toLabels } from "../index.ts";
import type { Samples } from "./data.ts";
import { type Score, scoreModel } from "./lenet.ts";
import { givesLogits, softmax } from "./probabilities.ts";

export interface Judgement {
  readonly score: Score;
  readonly scores: readonly ClassScore[];
  /** Samples of each class (rows), by the class that they were taken for. */
  readonly matrix: readonly (readonly number[])[];
  /** What the model gave for each sample: (n, classes). */
  readonly outputs: NDArray;
}

/** Judges a model class by class; scores it, where its score is not known. */
export async function judgeModel(
  model: Sequential,
  test: Samples,
  { score: known, ...options }: { readonly batchSize: number; readonly threads?: number; readonly score?: Score },
): Promise<Judgement> {
  const score = known ?? (await scoreModel(model, test, options));
  const outputs = await model.predict(test.x, options);
  const matrix = confusionMatrix(test.y, outputs);
  const size = matrix.shape[0]!;
  const rows = Array.from({ length: size }, (_, label) => [...matrix.data.subarray(label * size, (label + 1) * size)]);
  return { score, scores: classScores(matrix), matrix: rows, outputs };
}

/** A sample that was taken for another class than its own. */
export interface WrongSample {
  readonly index: number;
  readonly label: number;
  readonly taken: number;
  /** Probabilities of the two classes, or whatever the model gives. */
  readonly outputs: { readonly label: number; readonly taken: number };
}

export interface WrongSamples {
  readonly count: number;
  /** Those by which it was surest first. */
  readonly worst: readonly WrongSample[];
  readonly areProbabilities: boolean;
}

/** The samples that a model is wrong about, of them at most so many in full. */
export function wrongSamples(model: Sequential, y: NDArray, outputs: NDArray, most: number): WrongSamples {
  const [labels, taken] = [toLabels(y), toLabels(outputs)];
  const classes = outputs.shape[1]!;
  const rowOf = (index: number) => {
    const row = [...outputs.data.subarray(index * classes, (index + 1) * classes)];
    return givesLogits(model) ? softmax(row) : row;
  };
  const wrong = [...labels.keys()].filter((index) => labels[index] !== taken[index]);
  const samples = wrong.map((index) => {
    const [label, other] = [labels[index]!, taken[index]!];
    const row = rowOf(index);
    return { index, label, taken: other, outputs: { label: row[label]!, taken: row[other]! } };
  });
  const excess = ({ outputs: { label, taken } }: WrongSample) => taken - label || 0;
  const worst = samples.sort((a, b) => excess(b) - excess(a) || a.index - b.index).slice(0, most);
  const areProbabilities = worst.every(({ outputs: { label, taken } }) => label >= 0 && taken <= 1);
  return { count: wrong.length, worst, areProbabilities };
}
