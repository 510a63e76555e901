import { maxPool2d } from "../kernels/max-pool2d.ts";
import { defineGlobalPooling } from "./pooling.ts";

/**
 * Maximum of each channel over the image: (height, width, channels) → (channels).
 *
 * @throws UserError for options out of range.
 * @see https://keras.io/api/layers/pooling_layers/global_max_pooling2d/
 */
export const globalMaxPooling2d = defineGlobalPooling("globalMaxPooling2d", "GlobalMaxPooling2D", maxPool2d);
