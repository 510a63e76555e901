import { describeLayer } from "../../test/helpers/layers.ts";
import { softmax } from "./index.ts";

describeLayer("softmax", {
  vector: softmax(),
  image: softmax(),
});
