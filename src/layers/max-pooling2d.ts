import { oneOf, pair } from "../arguments.ts";
import { UserError } from "../errors.ts";
import { maxPool2d } from "../kernels/max-pool2d.ts";
import { convolutionOutput } from "../kernels/window.ts";
import { defineLayer, type LayerOptions } from "./layer.ts";
import { checkImage, type PaddingName, paddingFor } from "./padding.ts";
import { refuseUnsupported } from "./unsupported.ts";

export interface MaxPooling2dOptions extends LayerOptions {
  /** Height and width of the window; default 2. */
  readonly poolSize?: number | readonly [height: number, width: number];
  /** Default: the pool size. */
  readonly strides?: number | readonly [number, number] | null;
  /** "valid" (default) or "same". */
  readonly padding?: PaddingName;
}

/**
 * Maximum over windows: (height, width, channels) → (height', width', channels).
 *
 * @throws UserError for options out of range.
 * @see https://keras.io/api/layers/pooling_layers/max_pooling2d/
 */
export const maxPooling2d = defineLayer<MaxPooling2dOptions>(
  "MaxPooling2D",
  (options) => {
    const poolSize = pair("maxPooling2d", "poolSize", options.poolSize ?? 2);
    const strides = pair("maxPooling2d", "strides", options.strides ?? poolSize);
    const padding = oneOf("maxPooling2d", "padding", options.padding ?? "valid", ["valid", "same"]);
    return {
      outputShape(input, where) {
        checkImage(input, where);
        const pads = paddingFor(padding, input, poolSize, strides);
        const [height, width] = convolutionOutput(input, poolSize, strides, pads);
        if (height < 1 || width < 1) {
          throw new UserError(
            `${where}: a window of ${poolSize.join("x")} does not fit into an image of ${input[0]}x${input[1]}.`,
          );
        }
        return [height, width, input[2]!];
      },
      weights: () => [],
      lower(graph, x) {
        const pads = paddingFor(padding, x.shape, poolSize, strides);
        return graph.apply(maxPool2d, { poolSize, strides, padding: pads }, x);
      },
      getConfig: () => ({ pool_size: poolSize, padding, strides, data_format: "channels_last" }),
    };
  },
  (config) => {
    refuseUnsupported("MaxPooling2D", config, { data_format: "channels_last" });
    const { pool_size: poolSize, strides, padding } = config;
    return { poolSize, strides, padding } as MaxPooling2dOptions;
  },
);
