import { defineLayer, type LayerType } from "./layer.ts";
import { type Factor, type RandomWarpOptions, randomWarp, randomWarpOptionsOf, toRange } from "./random-warp.ts";

/** What `randomZoom` is told. */
export interface RandomZoomOptions extends RandomWarpOptions {
  /**
   * How much more of the height is seen, from above -1 to 1: each image draws one from the range. 0.2 zooms out by 20 %,
   * -0.2 in. A number stands for both ways.
   */
  readonly heightFactor: Factor;
  /** Likewise of the width. Default: what is drawn for the height, so that proportions stay. */
  readonly widthFactor?: Factor;
}

/**
 * Zooms each image about its centre at random in training; otherwise does nothing. The shape stays: (height, width, channels).
 *
 * @throws UserError for options out of range.
 * @see https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_zoom/
 */
export const randomZoom: LayerType<RandomZoomOptions> = defineLayer<RandomZoomOptions>(
  "RandomZoom",
  (options) => {
    const where = "randomZoom";
    const { heightFactor, widthFactor } = options;
    const range = (name: string, factor: Factor): [number, number] => {
      const isAllowed = (value: number) => value > -1 && value <= 1;
      const [lower, upper] = toRange(where, name, factor, isAllowed, "above -1 and up to 1");
      return [1 + lower, 1 + upper];
    };
    return randomWarp(where, options, {
      config: { height_factor: heightFactor, width_factor: widthFactor ?? null },
      ranges: [
        range("heightFactor", heightFactor),
        ...(widthFactor === undefined ? [] : [range("widthFactor", widthFactor)]),
      ],
      formula: (image) => (m, draws) => {
        const [down, across = down] = draws;
        const zero = m.constant(0);
        // The centre stays where it is.
        const origin = (length: number, zoom: typeof zero) =>
          m.mul(m.constant((length - 1) / 2), m.sub(m.constant(1), zoom));
        return [across!, zero, zero, down!, origin(image[1]!, across!), origin(image[0]!, down!)];
      },
      withSeed: (seed) => randomZoom({ ...options, seed }),
    });
  },
  (config) =>
    ({
      ...randomWarpOptionsOf("RandomZoom", config),
      heightFactor: config.height_factor,
      widthFactor: config.width_factor ?? undefined,
    }) as RandomZoomOptions,
);
