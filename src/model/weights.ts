/** Weights as users see them: arrays, copied out of a model and into it. */
import { badArgument, show } from "../arguments.ts";
import { formatShape, NDArray } from "../array.ts";
import { UserError } from "../errors.ts";
import type { Tensor } from "../kernels/op.ts";
import type { Variables } from "./variables.ts";

export function readWeights(variables: Variables, tensors: readonly Tensor[]): NDArray<"float32">[] {
  return tensors.map((tensor) => new NDArray(variables.read(tensor), tensor.shape));
}

/**
 * @param owner "the model", or what else the weights are of; begins a sentence about their number
 * @throws UserError where the number or the shapes differ; nothing then is written.
 */
export function writeWeights(
  owner: string,
  variables: Variables,
  tensors: readonly Tensor[],
  weights: readonly NDArray[],
): void {
  if (!Array.isArray(weights)) throw badArgument("setWeights", "weights", "an array", weights);
  if (weights.length !== tensors.length) {
    throw new UserError(`setWeights: ${owner} has ${tensors.length} weights, got ${weights.length}.`);
  }
  tensors.forEach(({ name, shape }, i) => {
    const given = weights[i];
    if (!(given instanceof NDArray)) {
      throw new UserError(`setWeights: expected an NDArray at position ${i}, got ${show(given)}.`);
    }
    if (formatShape(given.shape) === formatShape(shape)) return;
    throw new UserError(
      `setWeights: ${name} has shape ${formatShape(shape)}, got ${formatShape(given.shape)} at position ${i}.`,
    );
  });
  tensors.forEach((tensor, i) => {
    variables.write(tensor, Float32Array.from(weights[i]!.data));
  });
}
