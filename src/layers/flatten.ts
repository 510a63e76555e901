import { elementsOf } from "../kernels/op.ts";
import { reshape } from "../kernels/reshape.ts";
import { defineLayer, type LayerOptions } from "./layer.ts";
import { refuseUnsupported } from "./unsupported.ts";

/** All values of a sample in a row: (…) → (n). https://keras.io/api/layers/reshaping_layers/flatten/ */
export const flatten = defineLayer<LayerOptions>(
  "Flatten",
  () => ({
    outputShape: (input) => [elementsOf(input)],
    weights: () => [],
    lower: (graph, x) => graph.apply(reshape, { shape: [elementsOf(x.shape)] }, x),
    getConfig: () => ({ data_format: "channels_last" }),
  }),
  (config) => {
    refuseUnsupported("Flatten", config, { data_format: "channels_last" });
    return {};
  },
);
