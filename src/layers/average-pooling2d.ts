import { averagePool2d } from "../kernels/average-pool2d.ts";
import { definePooling } from "./pooling.ts";

/**
 * Mean over windows, in which padding does not count: (height, width, channels) → (height', width', channels).
 *
 * @throws UserError for options out of range.
 * @see https://keras.io/api/layers/pooling_layers/average_pooling2d/
 */
export const averagePooling2d = definePooling("averagePooling2d", "AveragePooling2D", averagePool2d);
