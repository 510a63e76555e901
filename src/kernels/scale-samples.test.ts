import fc from "fast-check";
import { test } from "vitest";
import { expectMatchesReference, randomInput, sizes } from "../../test/helpers/kernels.ts";
import { scaleSamples } from "./scale-samples.ts";

test("scaleSamples matches its reference", () => {
  fc.assert(
    fc.property(sizes(7), sizes(11), fc.nat(), (batch, size, seed) => {
      const inputs = [randomInput([size], batch, seed), randomInput([], batch, seed + 1)];
      expectMatchesReference({ op: scaleSamples, attributes: {}, inputs, batch }, 1e-7);
    }),
    { numRuns: 20 },
  );
});
