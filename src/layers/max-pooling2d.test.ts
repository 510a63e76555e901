import { describeLayer } from "../../test/helpers/layers.ts";
import { maxPooling2d } from "./index.ts";

describeLayer("maxPooling2d", {
  plain: maxPooling2d(),
  overlapping: maxPooling2d({ poolSize: [3, 2], strides: [2, 1] }),
  same: maxPooling2d({ poolSize: 2, padding: "same" }),
  "same, strides": maxPooling2d({ poolSize: 3, strides: 2, padding: "same" }),
});
