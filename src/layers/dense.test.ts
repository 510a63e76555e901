import { describeLayer } from "../../test/helpers/layers.ts";
import { dense } from "./index.ts";

describeLayer("dense", {
  plain: dense({ units: 5 }),
  "no bias": dense({ units: 3, useBias: false, kernelInitializer: "heNormal" }),
  relu: dense({ units: 9, activation: "relu" }),
  sigmoid: dense({ units: 3, activation: "sigmoid" }),
  gelu: dense({ units: 3, activation: "gelu" }),
});
