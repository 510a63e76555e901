import { describeLayer } from "../../test/helpers/layers.ts";
import { l1 } from "../regularizers.ts";
import { depthwiseConv2d } from "./index.ts";

describeLayer("depthwiseConv2d", {
  plain: depthwiseConv2d({ kernelSize: 3 }),
  same: depthwiseConv2d({ kernelSize: [2, 3], padding: "same", activation: "relu6" }),
  strides: depthwiseConv2d({ kernelSize: 3, strides: 2, padding: "same" }),
  multiplier: depthwiseConv2d({ kernelSize: 2, depthMultiplier: 3, useBias: false }),
  dilation: depthwiseConv2d({ kernelSize: 2, dilationRate: [2, 3] }),
  "dilation, same": depthwiseConv2d({ kernelSize: 3, dilationRate: 2, padding: "same" }),
  penalties: depthwiseConv2d({ kernelSize: 2, depthwiseRegularizer: "l2", biasRegularizer: l1({ l1: 1 / 64 }) }),
});
