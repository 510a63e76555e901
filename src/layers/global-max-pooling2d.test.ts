import { describeLayer } from "../../test/helpers/layers.ts";
import { globalMaxPooling2d } from "./index.ts";

describeLayer("globalMaxPooling2d", {
  plain: globalMaxPooling2d(),
  keepdims: globalMaxPooling2d({ keepdims: true }),
});
