import { describeLayer } from "../../test/helpers/layers.ts";
import { globalAveragePooling2d } from "./index.ts";

describeLayer("globalAveragePooling2d", {
  plain: globalAveragePooling2d(),
  keepdims: globalAveragePooling2d({ keepdims: true }),
});
