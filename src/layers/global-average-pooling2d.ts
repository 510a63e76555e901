import { averagePool2d } from "../kernels/average-pool2d.ts";
import { defineGlobalPooling } from "./pooling.ts";

/**
 * Mean of each channel over the image: (height, width, channels) → (channels).
 *
 * @throws UserError for options out of range.
 * @see https://keras.io/api/layers/pooling_layers/global_average_pooling2d/
 */
export const globalAveragePooling2d = defineGlobalPooling(
  "globalAveragePooling2d",
  "GlobalAveragePooling2D",
  averagePool2d,
);
