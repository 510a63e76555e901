import { expect, test } from "vitest";
import { describeLayer } from "../../test/helpers/layers.ts";
import { dropout } from "./index.ts";

describeLayer("dropout", {
  image: dropout({ rate: 0.4, seed: 3 }),
  vector: dropout({ rate: 0.25, seed: 0 }),
  nothing: dropout({ rate: 0, seed: 0 }),
});

test("dropout is read from what Keras 3.15 and 2.13 write", () => {
  const dtype = { module: "keras", class_name: "DTypePolicy", config: { name: "float32" }, registered_name: null };
  const config = { name: "dropout", trainable: true, dtype, rate: 0.25, seed: null, noise_shape: null };
  expect(dropout.optionsOf(config)).toEqual({ rate: 0.25 });
  expect(dropout.optionsOf({ ...config, dtype: "float32", seed: 77 })).toEqual({ rate: 0.25, seed: 77 });
});
