import fc from "fast-check";
import { test } from "vitest";
import { expectMatchesReference, randomInput, sizes } from "../../test/helpers/kernels.ts";
import { depthwiseConv2d, depthwiseConv2dInputGradient, depthwiseConv2dWeightGradient } from "./depthwise-conv2d.ts";
import { repeatChannels, sumChannels } from "./repeat-channels.ts";
import { convolutionOutput, type Padding, windowSize } from "./window.ts";

/** Any padding at all: whole windows may lie outside of the image. */
const geometries = fc
  .record({
    batch: sizes(4),
    image: fc.tuple(sizes(8), sizes(8), sizes(37)),
    kernelSize: fc.tuple(sizes(4), sizes(4)),
    strides: fc.tuple(sizes(3), sizes(3)),
    dilation: fc.tuple(sizes(3), sizes(3)),
    padding: fc.tuple(fc.nat(6), fc.nat(6), fc.nat(6), fc.nat(6)),
    seed: fc.nat(),
  })
  .map(({ kernelSize, padding, ...rest }) => {
    const output = convolutionOutput(rest.image, windowSize(kernelSize, rest.dilation), rest.strides, padding);
    const attributes = { strides: rest.strides, dilation: rest.dilation, padding: padding as Padding };
    return { ...rest, attributes, kernel: [...kernelSize, rest.image[2], 1], output: [...output, rest.image[2]] };
  })
  .filter(({ output }) => output[0]! >= 1 && output[1]! >= 1);

test("depthwiseConv2d and its gradients match their references", () => {
  fc.assert(
    fc.property(geometries, ({ batch, image, attributes, kernel, output, seed }) => {
      const x = randomInput(image, batch, seed);
      const weights = randomInput(kernel, null, seed + 1);
      const dy = randomInput(output, batch, seed + 2);
      expectMatchesReference({ op: depthwiseConv2d, attributes, inputs: [x, weights], batch });
      const inputGradient = { op: depthwiseConv2dInputGradient, attributes: { ...attributes, image } };
      expectMatchesReference({ ...inputGradient, inputs: [dy, weights], batch });
      const weightGradient = { op: depthwiseConv2dWeightGradient, attributes: { ...attributes, kernel } };
      expectMatchesReference({ ...weightGradient, inputs: [x, dy], batch });
    }),
    { numRuns: 40 },
  );
});

test("repeatChannels and sumChannels match their references", () => {
  fc.assert(
    fc.property(sizes(4), sizes(3), sizes(7), sizes(4), fc.nat(), (batch, height, channels, times, seed) => {
      const attributes = { times };
      const x = randomInput([height, channels], batch, seed);
      expectMatchesReference({ op: repeatChannels, attributes, inputs: [x], batch }, 0);
      const repeated = randomInput([height, channels * times], batch, seed);
      expectMatchesReference({ op: sumChannels, attributes, inputs: [repeated], batch });
    }),
    { numRuns: 15 },
  );
});
