import { expect, test } from "vitest";
import { NDArray } from "./array.ts";
import { classScores, confusionMatrix, toLabels } from "./classification.ts";
import { UserError } from "./errors.ts";

const labels = new NDArray(Int32Array.of(0, 1, 2, 2, 1, 0, 2), [7]);
const predictions = new NDArray(Int32Array.of(0, 2, 2, 1, 1, 0, 2), [7]);

test("samples are counted by what they are and by what they are taken for", () => {
  const matrix = confusionMatrix(labels, predictions);
  expect(matrix.shape).toEqual([3, 3]);
  expect([...matrix.data]).toEqual([2, 0, 0, 0, 1, 1, 0, 1, 2]);
  expect(confusionMatrix(labels, predictions, 4).shape).toEqual([4, 4]);
});

test("rows of probabilities stand for their first largest", () => {
  const rows = new NDArray(Float32Array.of(0.2, 0.4, 0.4, 0, 0, 0, 0.1, 0.2, 0.7), [3, 3]);
  expect([...toLabels(rows)]).toEqual([1, 0, 2]);
  expect([...confusionMatrix(new NDArray(Int32Array.of(1, 1, 2), [3, 1]), rows).data]).toEqual([
    0, 0, 0, 1, 1, 0, 0, 0, 1,
  ]);
});

test("precision, recall and F1 of each class", () => {
  // scikit-learn 1.7, precision_recall_fscore_support of the same labels.
  expect(classScores(confusionMatrix(labels, predictions))).toEqual([
    { precision: 1, recall: 1, f1: 1, support: 2 },
    { precision: 0.5, recall: 0.5, f1: 0.5, support: 2 },
    { precision: 2 / 3, recall: 2 / 3, f1: 2 / 3, support: 3 },
  ]);
  const never = confusionMatrix(labels, predictions, 4);
  expect(classScores(never)[3]).toEqual({ precision: 0, recall: 0, f1: 0, support: 0 });
});

test.each([
  [() => confusionMatrix(labels, labels.slice(0, 3)), "there are 7 labels, 3 predictions; they must be equally many."],
  [() => confusionMatrix(labels, predictions, 2), "expected classes from 0 to 1, got 2 at position 1."],
  [
    () => confusionMatrix(new NDArray(Int32Array.of(1e9), [1]), new NDArray(Int32Array.of(1), [1])),
    "confusionMatrix: 1000000001 classes are too many; at most 10000.",
  ],
  [() => classScores(undefined as never), "classScores: matrix must be an NDArray, got undefined."],
  [() => classScores(labels), "classScores: expected a matrix of shape (classes, classes), got (7,)."],
])("wrong arguments are refused: %#", (call, message) => {
  expect(call).toThrow(UserError);
  expect(call).toThrow(message);
});
