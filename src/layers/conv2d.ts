import { boolean, type Config, positiveInteger } from "../arguments.ts";
import { type InitializerOption, initializerConfig, toInitializer } from "../initializers.ts";
import { biasAdd } from "../kernels/bias-add.ts";
import { conv2d as conv2dOp } from "../kernels/conv2d.ts";
import { type RegularizerOption, regularizerConfig, toRegularizer } from "../regularizers.ts";
import { type ActivationName, applyActivation, toActivation } from "./activation-functions.ts";
import { type ConvolutionOptions, toWindows } from "./convolution.ts";
import { defineLayer, type LayerOptions } from "./layer.ts";
import { refuseUnsupported } from "./unsupported.ts";

export interface Conv2dOptions extends LayerOptions, ConvolutionOptions {
  /** Number of output channels. */
  readonly filters: number;
  readonly activation?: ActivationName;
  /** Default true. */
  readonly useBias?: boolean;
  /** Default "glorotUniform". */
  readonly kernelInitializer?: InitializerOption;
  /** Default "zeros". */
  readonly biasInitializer?: InitializerOption;
  /** Penalty on the kernel, added to the loss; default none. */
  readonly kernelRegularizer?: RegularizerOption;
  /** Penalty on the bias; default none. */
  readonly biasRegularizer?: RegularizerOption;
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
    const windows = toWindows(where, options);
    const { kernelSize, strides, dilation } = windows;
    const activation = toActivation(where, options.activation);
    const useBias = boolean(where, "useBias", options.useBias ?? true);
    const kernel = toInitializer(where, "kernelInitializer", options.kernelInitializer ?? "glorotUniform");
    const bias = toInitializer(where, "biasInitializer", options.biasInitializer ?? "zeros");
    const kernelPenalty = toRegularizer(where, "kernelRegularizer", options.kernelRegularizer);
    const biasPenalty = toRegularizer(where, "biasRegularizer", options.biasRegularizer);
    return {
      outputShape: (input, place) => [...windows.outputSize(input, place), filters],
      weights: (input) => [
        { name: "kernel", shape: [...kernelSize, input[2]!, filters], initializer: kernel, regularizer: kernelPenalty },
        ...(useBias ? [{ name: "bias", shape: [filters], initializer: bias, regularizer: biasPenalty }] : []),
      ],
      lower(graph, x, weights) {
        const attributes = { strides, dilation, padding: windows.padding(x.shape) };
        const convolved = graph.apply(conv2dOp, attributes, x, weights[0]!);
        const biased = useBias ? graph.apply(biasAdd, {}, convolved, weights[1]!) : convolved;
        return applyActivation(graph, activation, biased);
      },
      getConfig: () => ({
        filters,
        ...windows.config,
        groups: 1,
        activation,
        use_bias: useBias,
        kernel_initializer: initializerConfig(kernel),
        bias_initializer: initializerConfig(bias),
        kernel_regularizer: regularizerConfig(kernelPenalty),
        bias_regularizer: regularizerConfig(biasPenalty),
      }),
    };
  },
  (config: Config) => {
    refuseUnsupported("Conv2D", config, {
      data_format: "channels_last",
      groups: 1,
      activity_regularizer: null,
      kernel_constraint: null,
      bias_constraint: null,
    });
    return {
      filters: config.filters,
      kernelSize: config.kernel_size,
      strides: config.strides,
      padding: config.padding,
      dilationRate: config.dilation_rate,
      activation: config.activation,
      useBias: config.use_bias,
      kernelInitializer: config.kernel_initializer,
      biasInitializer: config.bias_initializer,
      kernelRegularizer: config.kernel_regularizer ?? undefined,
      biasRegularizer: config.bias_regularizer ?? undefined,
    } as Conv2dOptions;
  },
);
