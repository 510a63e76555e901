import { expect, test } from "vitest";
import { describeLayer } from "../../test/helpers/layers.ts";
import { layers } from "../index.ts";

const { batchNormalization } = layers;

describeLayer("batchNormalization", {
  image: batchNormalization(),
  vector: batchNormalization({ axis: 1, epsilon: 0.1 }),
  "no gamma": batchNormalization({ axis: 3, scale: false }),
  "no beta": batchNormalization({ center: false, momentum: 0.5 }),
  neither: batchNormalization({ center: false, scale: false }),
});

test("an axis other than the last is refused", () => {
  expect(() => batchNormalization({ axis: 1 }).outputShape([3, 3, 2], "layer")).toThrow(/layer: axis 1 is not/);
  expect(() => batchNormalization({ axis: 0.5 })).toThrow(/axis must be an integer/);
});
