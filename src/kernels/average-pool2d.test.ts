import fc from "fast-check";
import { test } from "vitest";
import { poolings } from "../../test/helpers/geometries.ts";
import { expectMatchesReference, randomInput } from "../../test/helpers/kernels.ts";
import { averagePool2d, averagePool2dGradient } from "./average-pool2d.ts";

test("averagePool2d and its gradient match their references", () => {
  fc.assert(
    fc.property(poolings(21), ({ batch, image, poolSize, strides, padding, output, seed }) => {
      const attributes = { poolSize, strides, padding };
      const x = randomInput(image, batch, seed);
      const dy = randomInput([...output, image[2]], batch, seed + 1);
      expectMatchesReference({ op: averagePool2d, attributes, inputs: [x], batch });
      expectMatchesReference({ op: averagePool2dGradient, attributes: { ...attributes, image }, inputs: [dy], batch });
    }),
    { numRuns: 40 },
  );
});
