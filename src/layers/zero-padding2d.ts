import { badArgument } from "../arguments.ts";
import { pad2d } from "../kernels/pad2d.ts";
import type { Padding } from "../kernels/window.ts";
import { defineLayer, type LayerOptions } from "./layer.ts";
import { checkImage } from "./padding.ts";
import { refuseUnsupported } from "./unsupported.ts";

export interface ZeroPadding2dOptions extends LayerOptions {
  /**
   * Rows and columns of zeros: a number for all sides, one for top and bottom and one for left and right, or
   * [[top, bottom], [left, right]]. Default 1.
   */
  readonly padding?:
    | number
    | readonly [height: number, width: number]
    | readonly [height: readonly [number, number], width: readonly [number, number]];
}

/**
 * Zeros around an image: (height, width, channels) → (top + height + bottom, left + width + right, channels).
 *
 * @throws UserError for a padding that is none of these.
 * @see https://keras.io/api/layers/reshaping_layers/zero_padding2d/
 */
export const zeroPadding2d = defineLayer<ZeroPadding2dOptions>(
  "ZeroPadding2D",
  (options) => {
    const padding = toSides(options.padding ?? 1);
    const [top, bottom, left, right] = padding;
    return {
      outputShape(input, where) {
        checkImage(input, where);
        return [top + input[0]! + bottom, left + input[1]! + right, input[2]!];
      },
      weights: () => [],
      lower: (graph, x) => graph.apply(pad2d, { padding }, x),
      getConfig: () => ({
        padding: [
          [top, bottom],
          [left, right],
        ],
        data_format: "channels_last",
      }),
    };
  },
  (config) => {
    refuseUnsupported("ZeroPadding2D", config, { data_format: "channels_last" });
    return { padding: config.padding } as ZeroPadding2dOptions;
  },
);

function toSides(option: unknown): Padding {
  const axes = Array.isArray(option) ? option : [option, option];
  const sides = axes.flatMap((axis: unknown) => (Array.isArray(axis) ? axis : [axis, axis]));
  const isPadded = axes.every((axis: unknown) => !Array.isArray(axis) || axis.length === 2);
  if (axes.length === 2 && isPadded && sides.every(isCount)) return sides as unknown as Padding;
  const expected = "a number of rows and columns, [height, width] or [[top, bottom], [left, right]]";
  throw badArgument("zeroPadding2d", "padding", expected, option);
}

/** 2^15 on each side is more than any image has. */
const isCount = (value: unknown) => Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 15;
