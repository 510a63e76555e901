import { boolean, type Config, oneOf, pair, positiveInteger } from "../arguments.ts";
import { UserError } from "../errors.ts";
import { type InitializerOption, initializerConfig, toInitializer } from "../initializers.ts";
import { biasAdd } from "../kernels/bias-add.ts";
import { conv2d as conv2dOp } from "../kernels/conv2d.ts";
import { convolutionOutput } from "../kernels/window.ts";
import { type ActivationName, applyActivation, toActivation } from "./activation-functions.ts";
import { defineLayer, type LayerOptions } from "./layer.ts";
import { checkImage, type PaddingName, paddingFor } from "./padding.ts";
import { refuseUnsupported } from "./unsupported.ts";

export interface Conv2dOptions extends LayerOptions {
  /** Number of output channels. */
  readonly filters: number;
  /** Height and width of the kernel. */
  readonly kernelSize: number | readonly [height: number, width: number];
  /** Default 1. */
  readonly strides?: number | readonly [number, number];
  /** "valid" (default): no padding; "same": an output as large as the input, divided by the strides. */
  readonly padding?: PaddingName;
  readonly activation?: ActivationName;
  /** Default true. */
  readonly useBias?: boolean;
  /** Default "glorotUniform". */
  readonly kernelInitializer?: InitializerOption;
  /** Default "zeros". */
  readonly biasInitializer?: InitializerOption;
}

/**
 * 2-D convolution: (height, width, channels) → (height', width', filters).
 * Weights: kernel (kernelHeight, kernelWidth, channels, filters), bias (filters).
 *
 * @throws UserError for options out of range.
 * @see https://keras.io/api/layers/convolution_layers/convolution2d/
 */
export const conv2d = defineLayer<Conv2dOptions>(
  "Conv2D",
  (options) => {
    const where = "conv2d";
    const filters = positiveInteger(where, "filters", options.filters);
    const kernelSize = pair(where, "kernelSize", options.kernelSize);
    const strides = pair(where, "strides", options.strides ?? 1);
    const padding = oneOf(where, "padding", options.padding ?? "valid", ["valid", "same"]);
    const activation = toActivation(where, options.activation);
    const useBias = boolean(where, "useBias", options.useBias ?? true);
    const kernel = toInitializer(where, "kernelInitializer", options.kernelInitializer ?? "glorotUniform");
    const bias = toInitializer(where, "biasInitializer", options.biasInitializer ?? "zeros");
    return {
      outputShape(input, place) {
        checkImage(input, place);
        const pads = paddingFor(padding, input, kernelSize, strides);
        const [height, width] = convolutionOutput(input, kernelSize, strides, pads);
        if (height < 1 || width < 1) {
          throw new UserError(
            `${place}: a kernel of ${kernelSize.join("x")} does not fit into an image of ${input[0]}x${input[1]}; ` +
              `use a smaller kernel or padding "same".`,
          );
        }
        return [height, width, filters];
      },
      weights: (input) => [
        { name: "kernel", shape: [...kernelSize, input[2]!, filters], initializer: kernel },
        ...(useBias ? [{ name: "bias", shape: [filters], initializer: bias }] : []),
      ],
      lower(graph, x, weights) {
        const pads = paddingFor(padding, x.shape, kernelSize, strides);
        const convolved = graph.apply(conv2dOp, { strides, padding: pads }, x, weights[0]!);
        const biased = useBias ? graph.apply(biasAdd, {}, convolved, weights[1]!) : convolved;
        return applyActivation(graph, activation, biased);
      },
      getConfig: () => ({
        filters,
        kernel_size: kernelSize,
        strides,
        padding,
        data_format: "channels_last",
        dilation_rate: [1, 1],
        groups: 1,
        activation,
        use_bias: useBias,
        kernel_initializer: initializerConfig(kernel),
        bias_initializer: initializerConfig(bias),
      }),
    };
  },
  (config: Config) => {
    refuseUnsupported("Conv2D", config, {
      data_format: "channels_last",
      dilation_rate: [1, 1],
      groups: 1,
      kernel_regularizer: null,
      bias_regularizer: null,
      activity_regularizer: null,
      kernel_constraint: null,
      bias_constraint: null,
    });
    return {
      filters: config.filters,
      kernelSize: config.kernel_size,
      strides: config.strides,
      padding: config.padding,
      activation: config.activation,
      useBias: config.use_bias,
      kernelInitializer: config.kernel_initializer,
      biasInitializer: config.bias_initializer,
    } as Conv2dOptions;
  },
);
