import { type ActivationName, applyActivation, toActivation } from "./activation-functions.ts";
import { defineLayer, type LayerOptions } from "./layer.ts";
import { refuseUnsupported } from "./unsupported.ts";

export interface ActivationOptions extends LayerOptions {
  readonly activation: ActivationName;
}

/** Applies an activation function; the shape stays. https://keras.io/api/layers/core_layers/activation/ */
export const activation = defineLayer<ActivationOptions>(
  "Activation",
  (options) => {
    const name = toActivation("activation", options.activation);
    return {
      outputShape: (input) => input,
      weights: () => [],
      lower: (graph, x) => applyActivation(graph, name, x),
      getConfig: () => ({ activation: name }),
    };
  },
  (config) => {
    refuseUnsupported("Activation", config, {});
    return { activation: config.activation } as ActivationOptions;
  },
);
