import { describeLayer } from "../../test/helpers/layers.ts";
import { leakyReLU } from "./index.ts";

describeLayer("leakyReLU", {
  plain: leakyReLU(),
  slope: leakyReLU({ negativeSlope: 0.125 }),
});
