/** What convolution layers have in common: where their windows lie. */
import { type Config, oneOf, pair } from "../arguments.ts";
import { UserError } from "../errors.ts";
import type { Shape } from "../kernels/op.ts";
import { convolutionOutput, type Padding, windowSize } from "../kernels/window.ts";
import { checkImage, type PaddingName, paddingFor } from "./padding.ts";

export interface ConvolutionOptions {
  /** Height and width of the kernel. */
  readonly kernelSize: number | readonly [height: number, width: number];
  /** Default 1. */
  readonly strides?: number | readonly [number, number];
  /** "valid" (default): no padding; "same": an output as large as the input, divided by the strides. */
  readonly padding?: PaddingName;
  /** Distance of the pixels that a kernel takes; default 1: neighbours. Above 1 strides must be 1. */
  readonly dilationRate?: number | readonly [number, number];
}

export interface ConvolutionWindows {
  readonly kernelSize: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilation: readonly [number, number];
  /** Height and width of the output. @throws UserError where the kernel does not fit into the image. */
  outputSize(input: Shape, place: string): [height: number, width: number];
  padding(input: Shape): Padding;
  /** What of a layer's config this is. */
  readonly config: Config;
}

/** @throws UserError for options out of range. */
export function toWindows(where: string, options: ConvolutionOptions): ConvolutionWindows {
  const kernelSize = pair(where, "kernelSize", options.kernelSize);
  const strides = pair(where, "strides", options.strides ?? 1);
  const name = oneOf(where, "padding", options.padding ?? "valid", ["valid", "same"]);
  const dilation = pair(where, "dilationRate", options.dilationRate ?? 1);
  if (Math.max(...strides) > 1 && Math.max(...dilation) > 1) {
    const received = `strides ${strides.join("x")} and dilationRate ${dilation.join("x")}`;
    throw new UserError(`${where}: strides and dilationRate cannot both be above 1, got ${received}.`);
  }
  const window = windowSize(kernelSize, dilation);
  const padding = (input: Shape) => paddingFor(name, input, window, strides);
  return {
    kernelSize,
    strides,
    dilation,
    padding,
    outputSize(input, place) {
      checkImage(input, place);
      const [height, width] = convolutionOutput(input, window, strides, padding(input));
      if (height < 1 || width < 1) {
        throw new UserError(
          `${place}: a kernel of ${window.join("x")} does not fit into an image of ${input[0]}x${input[1]}; ` +
            `use a smaller kernel or padding "same".`,
        );
      }
      return [height, width];
    },
    config: { kernel_size: kernelSize, strides, padding: name, data_format: "channels_last", dilation_rate: dilation },
  };
}
