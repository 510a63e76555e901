import { describeLayer } from "../../test/helpers/layers.ts";
import { reshape } from "./index.ts";

describeLayer("reshape", {
  "image to image": reshape({ targetShape: [2, 6, 2] }),
  "the rest": reshape({ targetShape: [-1, 4] }),
  "vector to image": reshape({ targetShape: [2, 3, 1] }),
});
