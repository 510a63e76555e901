import fc from "fast-check";
import { test } from "vitest";
import { poolings } from "../../test/helpers/geometries.ts";
import { expectMatchesReference, randomInput } from "../../test/helpers/kernels.ts";
import { maxPool2d, maxPool2dGradient } from "./max-pool2d.ts";

test("maxPool2d and its gradient match their references, the first of equals winning", () => {
  fc.assert(
    fc.property(poolings(6), ({ batch, image, poolSize, strides, padding, output, seed }) => {
      const attributes = { poolSize, strides, padding };
      // Half of the values equal: ties in most windows.
      const x = randomInput(image, batch, seed, 0.5);
      const dy = randomInput([...output, image[2]], batch, seed + 1);
      expectMatchesReference({ op: maxPool2d, attributes, inputs: [x], batch });
      expectMatchesReference({ op: maxPool2dGradient, attributes, inputs: [x, dy], batch });
    }),
    { numRuns: 50 },
  );
});
