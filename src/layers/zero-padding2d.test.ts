import { describeLayer } from "../../test/helpers/layers.ts";
import { zeroPadding2d } from "./index.ts";

describeLayer("zeroPadding2d", {
  plain: zeroPadding2d(),
  "a number": zeroPadding2d({ padding: 2 }),
  "two numbers": zeroPadding2d({ padding: [0, 2] }),
  "four numbers": zeroPadding2d({
    padding: [
      [1, 0],
      [0, 3],
    ],
  }),
});
