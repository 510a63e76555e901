import { badArgument, positiveInteger } from "../arguments.ts";
import { NDArray, sizeOf } from "../array.ts";
import { UserError } from "../errors.ts";

const WHERE = "toCategorical";

/** Labels beyond this are none; rows for them would not fit into memory. */
const MOST_CLASSES = 2 ** 24;

/**
 * One-hot rows from class numbers: (n) or (n, 1) → (n, numClasses), float32.
 * https://keras.io/api/utils/python_utils/#tocategorical-function
 *
 * @param numClasses default: the largest label plus 1
 * @throws UserError for a label that is no integer from 0 to numClasses - 1.
 */
export function toCategorical(labels: NDArray, numClasses?: number): NDArray<"float32"> {
  if (!(labels instanceof NDArray)) throw badArgument(WHERE, "labels", "an NDArray", labels);
  const classes = numClasses === undefined ? countClasses(labels) : positiveInteger(WHERE, "numClasses", numClasses);
  const isColumn = labels.shape.length > 1 && labels.shape.at(-1) === 1;
  const shape = isColumn ? labels.shape.slice(0, -1) : labels.shape;
  const rows = new Float32Array(sizeOf(shape) * classes);
  labels.data.forEach((label, i) => {
    rows[i * classes + checked(label, i, classes)] = 1;
  });
  return new NDArray(rows, [...shape, classes]);
}

function checked(label: number, index: number, classes: number): number {
  if (Number.isInteger(label) && label >= 0 && label < classes) return label;
  throw new UserError(`${WHERE}: label ${index} is ${label}, expected an integer from 0 to ${classes - 1}.`);
}

function countClasses(labels: NDArray): number {
  let largest = -1;
  labels.data.forEach((label, i) => {
    largest = Math.max(largest, checked(label, i, MOST_CLASSES));
  });
  return largest + 1;
}
