import { describeLayer } from "../../test/helpers/layers.ts";
import { randomRotation } from "./index.ts";

describeLayer("randomRotation", {
  plain: randomRotation({ factor: 0.25, seed: 3 }),
  range: randomRotation({ factor: [-0.125, 0.5], fillMode: "nearest", seed: 4 }),
});
