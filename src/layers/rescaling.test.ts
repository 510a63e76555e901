import { describeLayer } from "../../test/helpers/layers.ts";
import { rescaling } from "./index.ts";

describeLayer("rescaling", {
  image: rescaling({ scale: 1 / 127.5, offset: -1 }),
  "no offset": rescaling({ scale: 0.5 }),
});
