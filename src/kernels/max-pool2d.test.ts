import fc from "fast-check";
import { test } from "vitest";
import { expectMatchesReference, randomInput, sizes } from "../../test/helpers/kernels.ts";
import { maxPool2d, maxPool2dGradient } from "./max-pool2d.ts";
import { convolutionOutput, type Padding } from "./window.ts";

const geometries = fc
  .record({
    batch: sizes(4),
    image: fc.tuple(sizes(9), sizes(9), sizes(6)),
    poolSize: fc.tuple(sizes(4), sizes(4)),
    strides: fc.tuple(sizes(3), sizes(3)),
    pads: fc.tuple(sizes(4), sizes(4), sizes(4), sizes(4)),
    seed: fc.nat(),
  })
  .map(({ pads, ...rest }) => {
    // A window always covers at least one element of the image.
    const padding = pads.map((pad, side) => Math.min(pad, rest.poolSize[side < 2 ? 0 : 1]) - 1) as unknown as Padding;
    const output = convolutionOutput(rest.image, rest.poolSize, rest.strides, padding);
    return { ...rest, padding, output };
  })
  .filter(({ output }) => output[0] >= 1 && output[1] >= 1);

test("maxPool2d and its gradient match their references, the first of equals winning", () => {
  fc.assert(
    fc.property(geometries, ({ batch, image, poolSize, strides, padding, output, seed }) => {
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
