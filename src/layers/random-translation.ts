import { defineLayer, type LayerType } from "./layer.ts";
import { type Factor, type RandomWarpOptions, randomWarp, randomWarpOptionsOf, toRange } from "./random-warp.ts";

/** What `randomTranslation` is told. */
export interface RandomTranslationOptions extends RandomWarpOptions {
  /** Shift down as a share of the height, from -1 to 1: each image draws one from the range. A number stands for both ways. */
  readonly heightFactor: Factor;
  /** Shift to the right as a share of the width, likewise. */
  readonly widthFactor: Factor;
}

/**
 * Shifts each image at random in training; otherwise does nothing. The shape stays: (height, width, channels).
 *
 * @throws UserError for options out of range.
 * @see https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_translation/
 */
export const randomTranslation: LayerType<RandomTranslationOptions> = defineLayer<RandomTranslationOptions>(
  "RandomTranslation",
  (options) => {
    const where = "randomTranslation";
    const { heightFactor, widthFactor } = options;
    const range = (name: string, factor: Factor) =>
      toRange(where, name, factor, (value) => Math.abs(value) <= 1, "from -1 to 1");
    return randomWarp(where, options, {
      config: { height_factor: heightFactor, width_factor: widthFactor },
      ranges: [range("heightFactor", heightFactor), range("widthFactor", widthFactor)],
      formula: (image) => (m, draws) => {
        const [down, right] = draws.map((share, axis) => m.mul(share, m.constant(image[axis]!)));
        const [zero, one] = [m.constant(0), m.constant(1)];
        return [one, zero, zero, one, m.neg(right!), m.neg(down!)];
      },
      withSeed: (seed) => randomTranslation({ ...options, seed }),
    });
  },
  (config) =>
    ({
      ...randomWarpOptionsOf("RandomTranslation", config),
      heightFactor: config.height_factor,
      widthFactor: config.width_factor,
    }) as RandomTranslationOptions,
);
