import { describeLayer } from "../../test/helpers/layers.ts";
import { randomZoom } from "./index.ts";

describeLayer("randomZoom", {
  plain: randomZoom({ heightFactor: 0.5, seed: 3 }),
  ranges: randomZoom({ heightFactor: [-0.5, 0.25], widthFactor: 0.5, fillMode: "wrap", seed: 5 }),
});
