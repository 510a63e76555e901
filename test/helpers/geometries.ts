/** Random windows over images, for tests of kernels. */
import fc from "fast-check";
import { convolutionOutput, type Padding } from "../../src/kernels/window.ts";
import { sizes } from "./kernels.ts";

/** Poolings of images with up to so many channels, whose output has at least one position. */
export const poolings = (channels: number) =>
  fc
    .record({
      batch: sizes(4),
      image: fc.tuple(sizes(9), sizes(9), sizes(channels)),
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
