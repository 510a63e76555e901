import { describeLayer } from "../../test/helpers/layers.ts";
import { randomTranslation } from "./index.ts";

describeLayer("randomTranslation", {
  plain: randomTranslation({ heightFactor: 0.25, widthFactor: 0.5, seed: 3 }),
  ranges: randomTranslation({
    ...{ heightFactor: [-0.5, 0.25], widthFactor: [0.125, 0.5] },
    ...{ fillMode: "constant", interpolation: "nearest", fillValue: 0.5, seed: 1 },
  }),
});
