import { defineLayer, type LayerType } from "./layer.ts";
import { type Factor, type RandomWarpOptions, randomWarp, randomWarpOptionsOf, toRange } from "./random-warp.ts";

/** What `randomRotation` is told. */
export interface RandomRotationOptions extends RandomWarpOptions {
  /** Rotation in turns, from -1 to 1, counter-clockwise: each image draws one from the range. A number stands for both ways. */
  readonly factor: Factor;
}

/**
 * Rotates each image about its centre by a random angle in training; otherwise does nothing. The shape stays: (height, width,
 * channels).
 *
 * @throws UserError for options out of range.
 * @see https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_rotation/
 */
export const randomRotation: LayerType<RandomRotationOptions> = defineLayer<RandomRotationOptions>(
  "RandomRotation",
  (options) => {
    const where = "randomRotation";
    const factor = toRange(where, "factor", options.factor, (value) => Math.abs(value) <= 1, "from -1 to 1");
    return randomWarp(where, options, {
      config: { factor },
      ranges: [factor],
      formula: (image) => (m, draws) => {
        const angle = m.mul(draws[0]!, m.constant(2 * Math.PI));
        const [cos, sin] = [m.cos(angle), m.sin(angle)];
        const [y, x] = [m.constant((image[0]! - 1) / 2), m.constant((image[1]! - 1) / 2)];
        // The centre stays where it is.
        const left = m.sub(x, m.sub(m.mul(cos, x), m.mul(sin, y)));
        const top = m.sub(y, m.add(m.mul(sin, x), m.mul(cos, y)));
        return [cos, sin, m.neg(sin), cos, left, top];
      },
      withSeed: (seed) => randomRotation({ ...options, seed }),
    });
  },
  (config) => ({ ...randomWarpOptionsOf("RandomRotation", config), factor: config.factor }) as RandomRotationOptions,
);
