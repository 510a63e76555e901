import { maxPool2d } from "../kernels/max-pool2d.ts";
import { definePooling } from "./pooling.ts";

/**
 * Maximum over windows: (height, width, channels) → (height', width', channels).
 *
 * @throws UserError for options out of range.
 * @see https://keras.io/api/layers/pooling_layers/max_pooling2d/
 */
export const maxPooling2d = definePooling("maxPooling2d", "MaxPooling2D", maxPool2d);
