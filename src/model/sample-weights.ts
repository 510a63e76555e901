/** What each sample counts in the loss. */
import { badArgument, isConfig, numberIn, show } from "../arguments.ts";
import { formatShape, NDArray } from "../array.ts";
import { UserError } from "../errors.ts";
import type { Shape } from "../kernels/op.ts";
import { describe } from "./data.ts";

/** What users may give for what samples count in the loss. */
export interface WeightOptions {
  readonly sampleWeight?: NDArray;
  readonly classWeight?: Readonly<Record<number, number>>;
}

/**
 * What each of `y`'s samples counts, as Keras has it: given one by one, or by their classes, where a class that is not
 * named counts 1 (keras/src/trainers/data_adapters/data_adapter_utils.py). Undefined where nothing is given.
 */
export function checkWeights(
  where: string,
  { sampleWeight, classWeight }: WeightOptions,
  y: NDArray,
  output: Shape,
): Float32Array | undefined {
  if (sampleWeight === undefined && classWeight === undefined) return undefined;
  if (sampleWeight !== undefined && classWeight !== undefined) {
    throw new UserError(`${where}: only one of sampleWeight and classWeight can be given.`);
  }
  if (output.length !== 1) {
    throw new UserError(
      `${where}: weights of samples need a model whose output has shape (n,), got ${formatShape(output)}.`,
    );
  }
  return sampleWeight === undefined
    ? classWeights(where, classWeight, y, output[0]!)
    : sampleWeights(where, sampleWeight, y.length);
}

function sampleWeights(where: string, given: unknown, count: number): Float32Array {
  if (!(given instanceof NDArray))
    throw new UserError(`${where}: sampleWeight must be an NDArray, got ${describe(given)}.`);
  if (given.length !== count || given.size !== count) {
    const shape = formatShape(given.shape);
    throw new UserError(`${where}: sampleWeight must have shape (${count},), one weight a sample, got ${shape}.`);
  }
  const weights = Float32Array.from(given.data);
  const wrong = weights.findIndex((weight) => !Number.isFinite(weight));
  if (wrong < 0) return weights;
  throw new UserError(`${where}: sampleWeight[${wrong}] must be a finite number, got ${given.data[wrong]}.`);
}

function classWeights(where: string, given: unknown, y: NDArray, outputs: number): Float32Array {
  if (!isConfig(given)) throw badArgument(where, "classWeight", "an object from class numbers to weights", given);
  const classes = Math.max(outputs, 2);
  const weights = new Float32Array(classes).fill(1);
  for (const [key, weight] of Object.entries(given)) {
    const index = Number(key);
    if (!(Number.isInteger(index) && index >= 0 && index < classes)) {
      throw new UserError(`${where}: classWeight has no class ${show(key)}; classes are 0 to ${classes - 1}.`);
    }
    weights[index] = numberIn(where, `classWeight[${key}]`, weight, {});
  }
  const row = y.size / y.length;
  return Float32Array.from({ length: y.length }, (_, i) => {
    const values = y.data.subarray(i * row, (i + 1) * row);
    const found = row === 1 ? Math.round(values[0]!) : values.indexOf(Math.max(...values));
    return weights[found] ?? 1;
  });
}
