import { describeLayer } from "../../test/helpers/layers.ts";
import { conv2d } from "./index.ts";

describeLayer("conv2d", {
  plain: conv2d({ filters: 3, kernelSize: 3 }),
  same: conv2d({ filters: 3, kernelSize: 3, padding: "same" }),
  "even kernel, same": conv2d({ filters: 2, kernelSize: [2, 4], padding: "same", biasInitializer: "ones" }),
  strides: conv2d({ filters: 3, kernelSize: 2, strides: [2, 3] }),
  "strides, same": conv2d({ filters: 2, kernelSize: [3, 2], strides: 2, padding: "same" }),
  "no bias": conv2d({ filters: 3, kernelSize: 1, useBias: false }),
  relu: conv2d({ filters: 3, kernelSize: 3, padding: "same", activation: "relu" }),
  softmax: conv2d({ filters: 3, kernelSize: 2, activation: "softmax" }),
  swish: conv2d({ filters: 3, kernelSize: 2, activation: "swish" }),
  dilation: conv2d({ filters: 3, kernelSize: 2, dilationRate: [2, 3] }),
  "dilation, same, relu": conv2d({ filters: 2, kernelSize: 3, dilationRate: 2, padding: "same", activation: "relu" }),
});
