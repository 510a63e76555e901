import { describeLayer } from "../../test/helpers/layers.ts";
import { flatten } from "./index.ts";

describeLayer("flatten", { image: flatten(), vector: flatten() });
