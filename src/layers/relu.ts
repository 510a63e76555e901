import { numberIn } from "../arguments.ts";
import { applyRelu } from "./activation-functions.ts";
import { defineLayer, type LayerOptions } from "./layer.ts";
import { refuseUnsupported } from "./unsupported.ts";

export interface ReLUOptions extends LayerOptions {
  /** The largest output; default: none. */
  readonly maxValue?: number | null;
  /** Slope below the threshold; default 0. */
  readonly negativeSlope?: number;
  /** Inputs up to this are not passed on; default 0. */
  readonly threshold?: number;
}

/**
 * Rectified linear unit: min(x, maxValue) above the threshold, negativeSlope (x - threshold) below. The shape stays.
 *
 * @throws UserError for options out of range.
 * @see https://keras.io/api/layers/activation_layers/relu/
 */
export const reLU = defineLayer<ReLUOptions>(
  "ReLU",
  (options) => {
    const atLeastZero = (name: string, value: unknown) =>
      numberIn("reLU", name, value, { min: 0, expected: "a number of at least 0" });
    const maxValue = (options.maxValue ?? null) === null ? null : atLeastZero("maxValue", options.maxValue);
    const negativeSlope = atLeastZero("negativeSlope", options.negativeSlope ?? 0);
    const threshold = atLeastZero("threshold", options.threshold ?? 0);
    const attributes = { negativeSlope, threshold, maxValue: maxValue ?? Number.POSITIVE_INFINITY };
    return {
      outputShape: (input) => input,
      weights: () => [],
      lower: (graph, x) => applyRelu(graph, attributes, x),
      getConfig: () => ({ max_value: maxValue, negative_slope: negativeSlope, threshold }),
    };
  },
  (config) => {
    refuseUnsupported("ReLU", config, {});
    const { max_value: maxValue, negative_slope: negativeSlope, threshold } = config;
    return { maxValue, negativeSlope, threshold } as ReLUOptions;
  },
);
