import fc from "fast-check";
import { test } from "vitest";
import { expectMatchesReference, randomInput, sizes } from "../../test/helpers/kernels.ts";
import { crop2d, pad2d } from "./pad2d.ts";

test("pad2d and crop2d match their references", () => {
  const sides = fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.nat(3));
  fc.assert(
    fc.property(sizes(4), fc.tuple(sizes(6), sizes(6), sizes(5)), sides, fc.nat(), (batch, shape, padding, seed) => {
      const [height, width, channels] = shape;
      const padded = [height + padding[0] + padding[1], width + padding[2] + padding[3], channels];
      const attributes = { padding };
      expectMatchesReference({ op: pad2d, attributes, inputs: [randomInput(shape, batch, seed)], batch }, 0);
      expectMatchesReference({ op: crop2d, attributes, inputs: [randomInput(padded, batch, seed)], batch }, 0);
    }),
    { numRuns: 25 },
  );
});
