import { softmax as softmaxOp } from "../kernels/softmax.ts";
import { defineLayer, type LayerOptions } from "./layer.ts";
import { refuseUnsupported } from "./unsupported.ts";

/** exp(x) / Σ exp(x) over the last axis; the shape stays. https://keras.io/api/layers/activation_layers/softmax/ */
export const softmax = defineLayer<LayerOptions>(
  "Softmax",
  () => ({
    outputShape: (input) => input,
    weights: () => [],
    lower: (graph, x) => graph.apply(softmaxOp, {}, x),
    getConfig: () => ({ axis: -1 }),
  }),
  (config) => {
    refuseUnsupported("Softmax", config, { axis: -1 });
    return {};
  },
);
