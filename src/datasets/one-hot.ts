import { positiveInteger } from "../arguments.ts";
import { NDArray, sizeOf } from "../array.ts";
import { UserError } from "../errors.ts";

/**
 * One-hot rows from class numbers: (n) or (n, 1) → (n, numClasses), float32.
 * https://keras.io/api/utils/python_utils/#tocategorical-function
 *
 * @param numClasses default: the largest label plus 1
 * @throws UserError for a label that is no integer from 0 to numClasses - 1.
 */
export function toCategorical(labels: NDArray, numClasses?: number): NDArray<"float32"> {
  const classes =
    numClasses === undefined
      ? (labels.data as Float32Array).reduce((largest, label) => Math.max(largest, label), -1) + 1
      : positiveInteger("toCategorical", "numClasses", numClasses);
  const isColumn = labels.shape.length > 1 && labels.shape.at(-1) === 1;
  const shape = isColumn ? labels.shape.slice(0, -1) : labels.shape;
  const rows = new Float32Array(sizeOf(shape) * classes);
  labels.data.forEach((label, i) => {
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw new UserError(`toCategorical: label ${i} is ${label}, expected an integer from 0 to ${classes - 1}.`);
    }
    rows[i * classes + label] = 1;
  });
  return new NDArray(rows, [...shape, classes]);
}
