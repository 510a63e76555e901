import { numberIn } from "../arguments.ts";
import { rescale } from "../kernels/activations.ts";
import { defineLayer, type LayerOptions } from "./layer.ts";
import { refuseUnsupported } from "./unsupported.ts";

export interface RescalingOptions extends LayerOptions {
  /** What inputs are multiplied by, for example 1 / 255. */
  readonly scale: number;
  /** What is added then; default 0. */
  readonly offset?: number;
}

/**
 * scale x + offset, in training and in inference; the shape stays.
 *
 * @throws UserError for options that are no finite numbers.
 * @see https://keras.io/api/layers/preprocessing_layers/image_preprocessing/rescaling/
 */
export const rescaling = defineLayer<RescalingOptions>(
  "Rescaling",
  (options) => {
    const scale = numberIn("rescaling", "scale", options.scale, {});
    const offset = numberIn("rescaling", "offset", options.offset ?? 0, {});
    return {
      outputShape: (input) => input,
      weights: () => [],
      lower: (graph, x) => graph.apply(rescale, { scale, offset }, x),
      getConfig: () => ({ scale, offset }),
    };
  },
  (config) => {
    refuseUnsupported("Rescaling", config, {});
    return { scale: config.scale, offset: config.offset } as RescalingOptions;
  },
);
