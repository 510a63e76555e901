import { describeLayer } from "../../test/helpers/layers.ts";
import { averagePooling2d } from "./index.ts";

describeLayer("averagePooling2d", {
  plain: averagePooling2d(),
  overlapping: averagePooling2d({ poolSize: [3, 2], strides: [2, 1] }),
  same: averagePooling2d({ poolSize: 2, padding: "same" }),
  "same, strides": averagePooling2d({ poolSize: 3, strides: 2, padding: "same" }),
});
