/** How a classifier errs: which classes it takes for which, and precision and recall of each. */
import { badArgument, positiveInteger } from "./arguments.ts";
import { formatShape, NDArray } from "./array.ts";
import { UserError } from "./errors.ts";

/** Class numbers (n) of labels, of probabilities (n, classes), or of one-hot rows: the first largest of each row. */
export function toLabels(values: NDArray): Int32Array {
  if (!(values instanceof NDArray)) throw badArgument("toLabels", "values", "an NDArray", values);
  const { shape, data } = values;
  if (shape.length === 1 || (shape.length === 2 && shape[1] === 1)) return Int32Array.from(data);
  if (shape.length !== 2) {
    throw new UserError(`toLabels: expected shape (n), (n, 1) or (n, classes), got ${formatShape(shape)}.`);
  }
  const classes = shape[1]!;
  return Int32Array.from({ length: shape[0]! }, (_, row) => {
    let largest = 0;
    for (let i = 1; i < classes; i++) {
      if (data[row * classes + i]! > data[row * classes + largest]!) largest = i;
    }
    return largest;
  });
}

/** A matrix of so many takes 400 MB. */
const MOST_CLASSES = 10_000;

/**
 * How often samples of each class (rows) were taken for each class (columns), shape (classes, classes), int32.
 * https://www.tensorflow.org/api_docs/python/tf/math/confusion_matrix
 *
 * @param labels class numbers (n) or rows of probabilities (n, classes)
 * @param predictions the same for what was predicted
 * @param classes default: one more than the largest class number
 * @throws UserError for labels that are no class numbers, or not as many as predictions.
 */
export function confusionMatrix(labels: NDArray, predictions: NDArray, classes?: number): NDArray<"int32"> {
  const [expected, predicted] = [toLabels(labels), toLabels(predictions)];
  if (expected.length !== predicted.length) {
    const counts = `${expected.length} labels, ${predicted.length} predictions`;
    throw new UserError(`confusionMatrix: there are ${counts}; they must be equally many.`);
  }
  const width = Math.max(0, ...[labels, predictions].map(({ shape }) => (shape.length === 2 ? shape[1]! : 0)));
  const size = classes ?? [...expected, ...predicted].reduce((most, label) => Math.max(most, label + 1), width);
  if (positiveInteger("confusionMatrix", "classes", size) > MOST_CLASSES) {
    throw new UserError(`confusionMatrix: ${size} classes are too many; at most ${MOST_CLASSES}.`);
  }
  const matrix = new Int32Array(size * size);
  for (const [i, label] of expected.entries()) {
    const other = predicted[i]!;
    const wrong = [label, other].find((value) => !(value >= 0 && value < size));
    if (wrong !== undefined) {
      throw new UserError(`confusionMatrix: expected classes from 0 to ${size - 1}, got ${wrong} at position ${i}.`);
    }
    matrix[label * size + other]!++;
  }
  return new NDArray(matrix, [size, size]);
}

/** How well a classifier does on one class. */
export interface ClassScore {
  /** Of what was taken for the class, the share that is of it; 0 where nothing was. */
  readonly precision: number;
  /** Of what is of the class, the share that was taken for it; 0 where nothing is. */
  readonly recall: number;
  /** The harmonic mean of the two. */
  readonly f1: number;
  /** Samples of the class. */
  readonly support: number;
}

/** Precision, recall and their harmonic mean of each class, from a confusion matrix. */
export function classScores(matrix: NDArray): ClassScore[] {
  if (!(matrix instanceof NDArray)) throw badArgument("classScores", "matrix", "an NDArray", matrix);
  const size = matrix.shape[0]!;
  if (matrix.shape.length !== 2 || matrix.shape[1] !== size) {
    throw new UserError(
      `classScores: expected a matrix of shape (classes, classes), got ${formatShape(matrix.shape)}.`,
    );
  }
  const at = (row: number, column: number) => matrix.data[row * size + column]!;
  const sum = (count: (i: number) => number) =>
    Array.from({ length: size }, (_, i) => count(i)).reduce((a, b) => a + b, 0);
  const share = (part: number, whole: number) => (whole > 0 ? part / whole : 0);
  return Array.from({ length: size }, (_, own) => {
    const support = sum((column) => at(own, column));
    const precision = share(
      at(own, own),
      sum((row) => at(row, own)),
    );
    const recall = share(at(own, own), support);
    return { precision, recall, f1: share(2 * precision * recall, precision + recall), support };
  });
}
