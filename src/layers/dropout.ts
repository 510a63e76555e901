import { numberIn, wholeNumber } from "../arguments.ts";
import { dropout as dropoutOp } from "../kernels/dropout.ts";
import { defineLayer, type LayerOptions, type LayerType } from "./layer.ts";
import { refuseUnsupported } from "./unsupported.ts";

export interface DropoutOptions extends LayerOptions {
  /** Share of the elements that are set to 0, from 0 to 1. */
  readonly rate: number;
  /** Decides which ones, together with the number of the step. Default: made of the model's seed and the layer's place. */
  readonly seed?: number;
}

/**
 * Sets a random share of the elements to 0 in training and divides the rest by 1 - rate; otherwise does nothing. The
 * shape stays.
 *
 * @throws UserError for options out of range.
 * @see https://keras.io/api/layers/regularization_layers/dropout/
 */
export const dropout: LayerType<DropoutOptions> = defineLayer<DropoutOptions>(
  "Dropout",
  (options) => {
    const range = { min: 0, below: 1 + Number.EPSILON, expected: "a number from 0 to 1" };
    const rate = numberIn("dropout", "rate", options.rate, range);
    const seed = options.seed === undefined ? undefined : wholeNumber("dropout", "seed", options.seed);
    return {
      outputShape: (input) => input,
      weights: () => [],
      lower: (graph, x, _, step) => (step && rate > 0 ? graph.apply(dropoutOp, { rate, seed: seed ?? 0 }, x, step) : x),
      ...(seed === undefined && { withSeed: (derived: number) => dropout({ ...options, seed: derived }) }),
      getConfig: () => ({ rate, seed: seed ?? null, noise_shape: null }),
    };
  },
  (config) => {
    refuseUnsupported("Dropout", config, { noise_shape: null });
    const { rate, seed } = config;
    return { rate, seed: seed ?? undefined } as DropoutOptions;
  },
);
