import { numberIn } from "../arguments.ts";
import { applyRelu } from "./activation-functions.ts";
import { defineLayer, type LayerOptions } from "./layer.ts";
import { refuseUnsupported } from "./unsupported.ts";

export interface LeakyReLUOptions extends LayerOptions {
  /** Slope below 0; default 0.3. */
  readonly negativeSlope?: number;
}

/**
 * Leaky rectified linear unit: x above 0, negativeSlope x below. The shape stays.
 *
 * @throws UserError for options out of range.
 * @see https://keras.io/api/layers/activation_layers/leaky_relu/
 */
export const leakyReLU = defineLayer<LeakyReLUOptions>(
  "LeakyReLU",
  (options) => {
    const range = { min: 0, expected: "a number of at least 0" };
    const negativeSlope = numberIn("leakyReLU", "negativeSlope", options.negativeSlope ?? 0.3, range);
    const attributes = { negativeSlope, threshold: 0, maxValue: Number.POSITIVE_INFINITY };
    return {
      outputShape: (input) => input,
      weights: () => [],
      lower: (graph, x) => applyRelu(graph, attributes, x),
      getConfig: () => ({ negative_slope: negativeSlope }),
    };
  },
  (config) => {
    refuseUnsupported("LeakyReLU", config, {});
    // Keras 2 calls it alpha.
    return { negativeSlope: config.negative_slope ?? config.alpha } as LeakyReLUOptions;
  },
);
