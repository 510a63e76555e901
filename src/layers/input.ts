import { badArgument, type Config, positiveInteger } from "../arguments.ts";
import type { Shape } from "../kernels/op.ts";
import { defineLayer, type LayerOptions } from "./layer.ts";

export interface InputOptions extends LayerOptions {
  /** Shape of one sample, for example [28, 28, 1]. */
  readonly shape: Shape;
}

/** Says what the model takes; the first layer of every model. https://keras.io/api/layers/core_layers/input/ */
export const input = defineLayer<InputOptions>(
  "InputLayer",
  (options) => {
    const { shape } = options;
    if (!Array.isArray(shape)) throw badArgument("input", "shape", "an array of positive integers", shape);
    const sizes = shape.map((size) => positiveInteger("input", "shape", size));
    return {
      outputShape: () => sizes,
      weights: () => [],
      lower: (_, x) => x,
      // Keras 2 knows this name alone, Keras 3 both.
      getConfig: () => ({ batch_input_shape: [null, ...sizes], sparse: false }),
    };
  },
  (config) => ({ shape: sampleShape(config) }),
);

/** Keras 3 writes `batch_shape`, Keras 2 `batch_input_shape`; both begin with the batch. */
function sampleShape({ batch_shape, batch_input_shape }: Config): Shape {
  const shape = batch_shape ?? batch_input_shape;
  return Array.isArray(shape) ? shape.slice(1) : (shape as Shape);
}
