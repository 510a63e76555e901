import { describeLayer } from "../../test/helpers/layers.ts";
import { activation } from "./index.ts";

describeLayer("activation", {
  linear: activation({ activation: "linear" }),
  relu: activation({ activation: "relu" }),
  sigmoid: activation({ activation: "sigmoid" }),
  softmax: activation({ activation: "softmax" }),
  tanh: activation({ activation: "tanh" }),
  "relu of an image": activation({ activation: "relu" }),
  "softmax of an image": activation({ activation: "softmax" }),
});
