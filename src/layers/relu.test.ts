import { describeLayer } from "../../test/helpers/layers.ts";
import { reLU } from "./index.ts";

describeLayer("reLU", {
  plain: reLU(),
  bounded: reLU({ maxValue: 0.5 }),
  six: reLU({ maxValue: 6 }),
  "all options": reLU({ maxValue: 0.75, negativeSlope: 0.25, threshold: 0.125 }),
  threshold: reLU({ threshold: 0.25 }),
});
