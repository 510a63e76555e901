/** What poolings have in common: windows of their own, or one window as large as the image. */
import { boolean, oneOf, pair } from "../arguments.ts";
import { UserError } from "../errors.ts";
import type { MaxPool2dAttributes } from "../kernels/max-pool2d.ts";
import type { Op } from "../kernels/op.ts";
import { reshape } from "../kernels/reshape.ts";
import { convolutionOutput } from "../kernels/window.ts";
import { defineLayer, type LayerOptions, type LayerType } from "./layer.ts";
import { checkImage, type PaddingName, paddingFor } from "./padding.ts";
import { refuseUnsupported } from "./unsupported.ts";

export interface PoolingOptions extends LayerOptions {
  /** Height and width of the window; default 2. */
  readonly poolSize?: number | readonly [height: number, width: number];
  /** Default: the pool size. */
  readonly strides?: number | readonly [number, number] | null;
  /** "valid" (default) or "same". */
  readonly padding?: PaddingName;
}

export interface GlobalPoolingOptions extends LayerOptions {
  /** Give (1, 1, channels) in place of (channels); default false. */
  readonly keepdims?: boolean;
}

/** A layer that pools windows of an image: (height, width, channels) → (height', width', channels). */
export function definePooling(
  where: string,
  className: string,
  op: Op<MaxPool2dAttributes>,
): LayerType<PoolingOptions> {
  return defineLayer<PoolingOptions>(
    className,
    (options) => {
      const poolSize = pair(where, "poolSize", options.poolSize ?? 2);
      const strides = pair(where, "strides", options.strides ?? poolSize);
      const padding = oneOf(where, "padding", options.padding ?? "valid", ["valid", "same"]);
      return {
        outputShape(input, place) {
          checkImage(input, place);
          const pads = paddingFor(padding, input, poolSize, strides);
          const [height, width] = convolutionOutput(input, poolSize, strides, pads);
          if (height < 1 || width < 1) {
            throw new UserError(
              `${place}: a window of ${poolSize.join("x")} does not fit into an image of ${input[0]}x${input[1]}.`,
            );
          }
          return [height, width, input[2]!];
        },
        weights: () => [],
        lower(graph, x) {
          const pads = paddingFor(padding, x.shape, poolSize, strides);
          return graph.apply(op, { poolSize, strides, padding: pads }, x);
        },
        getConfig: () => ({ pool_size: poolSize, padding, strides, data_format: "channels_last" }),
      };
    },
    (config) => {
      refuseUnsupported(className, config, { data_format: "channels_last" });
      const { pool_size: poolSize, strides, padding } = config;
      return { poolSize, strides, padding } as PoolingOptions;
    },
  );
}

/** A layer that pools the whole image: (height, width, channels) → (channels). */
export function defineGlobalPooling(
  where: string,
  className: string,
  op: Op<MaxPool2dAttributes>,
): LayerType<GlobalPoolingOptions> {
  return defineLayer<GlobalPoolingOptions>(
    className,
    (options) => {
      const keepdims = boolean(where, "keepdims", options.keepdims ?? false);
      return {
        outputShape(input, place) {
          checkImage(input, place);
          return keepdims ? [1, 1, input[2]!] : [input[2]!];
        },
        weights: () => [],
        lower(graph, x) {
          const [height, width, channels] = x.shape as [number, number, number];
          const poolSize = [height, width] as const;
          const pooled = graph.apply(op, { poolSize, strides: poolSize, padding: [0, 0, 0, 0] }, x);
          return keepdims ? pooled : graph.apply(reshape, { shape: [channels] }, pooled);
        },
        getConfig: () => ({ data_format: "channels_last", keepdims }),
      };
    },
    (config) => {
      refuseUnsupported(className, config, { data_format: "channels_last" });
      return { keepdims: config.keepdims } as GlobalPoolingOptions;
    },
  );
}
