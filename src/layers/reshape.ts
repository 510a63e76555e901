import { badArgument } from "../arguments.ts";
import { formatShape } from "../array.ts";
import { UserError } from "../errors.ts";
import { elementsOf, type Shape } from "../kernels/op.ts";
import { reshape as reshapeOp } from "../kernels/reshape.ts";
import { defineLayer, type LayerOptions } from "./layer.ts";
import { refuseUnsupported } from "./unsupported.ts";

export interface ReshapeOptions extends LayerOptions {
  /** Shape of one sample of the output. One of the sizes may be -1: whatever is left over. */
  readonly targetShape: Shape;
}

/**
 * The same values in another shape: (…) → targetShape.
 *
 * @throws UserError for a shape that is none, or into which the values do not fit.
 * @see https://keras.io/api/layers/reshaping_layers/reshape/
 */
export const reshape = defineLayer<ReshapeOptions>(
  "Reshape",
  (options) => {
    const targetShape = checkTarget(options.targetShape);
    const known = elementsOf(targetShape.filter((size) => size !== -1));
    const resolve = (input: Shape) => targetShape.map((size) => (size === -1 ? elementsOf(input) / known : size));
    return {
      outputShape(input, where) {
        const output = resolve(input);
        if (output.every(Number.isInteger) && elementsOf(output) === elementsOf(input)) return output;
        throw new UserError(
          `${where}: samples of shape ${formatShape(input)} have ${elementsOf(input)} values, ` +
            `which do not fit into targetShape ${formatShape(targetShape)}.`,
        );
      },
      weights: () => [],
      lower: (graph, x) => graph.apply(reshapeOp, { shape: resolve(x.shape) }, x),
      getConfig: () => ({ target_shape: targetShape }),
    };
  },
  (config) => {
    refuseUnsupported("Reshape", config, {});
    return { targetShape: config.target_shape } as ReshapeOptions;
  },
);

function checkTarget(shape: unknown): Shape {
  const isSize = (size: unknown) => Number.isInteger(size) && (size === -1 || (size as number) > 0);
  const isShape = Array.isArray(shape) && shape.every(isSize) && shape.filter((size) => size === -1).length <= 1;
  if (isShape) return [...shape];
  throw badArgument("reshape", "targetShape", "an array of positive integers, at most one of them -1", shape);
}
