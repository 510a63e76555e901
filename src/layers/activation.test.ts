import { describeLayer } from "../../test/helpers/layers.ts";
import { activation } from "./index.ts";

const names = [
  "celu",
  "elu",
  "exponential",
  "gelu",
  "hard_shrink",
  "hard_sigmoid",
  "hard_silu",
  "hard_swish",
  "hard_tanh",
  "leaky_relu",
  "linear",
  "log_sigmoid",
  "log_softmax",
  "mish",
  "relu",
  "relu6",
  "selu",
  "sigmoid",
  "silu",
  "soft_shrink",
  "softmax",
  "softplus",
  "softsign",
  "sparse_plus",
  "sparse_sigmoid",
  "squareplus",
  "swish",
  "tanh",
  "tanh_shrink",
] as const;

describeLayer("activation", {
  ...Object.fromEntries(names.map((name) => [name, activation({ activation: name })])),
  "relu of an image": activation({ activation: "relu" }),
  "softmax of an image": activation({ activation: "softmax" }),
});
