import { boolean, type Config, positiveInteger } from "../arguments.ts";
import { type InitializerOption, initializerConfig, toInitializer } from "../initializers.ts";
import { biasAdd } from "../kernels/bias-add.ts";
import { depthwiseConv2d as depthwiseConv2dOp } from "../kernels/depthwise-conv2d.ts";
import { repeatChannels } from "../kernels/repeat-channels.ts";
import { type RegularizerOption, regularizerConfig, toRegularizer } from "../regularizers.ts";
import { type ActivationName, applyActivation, toActivation } from "./activation-functions.ts";
import { type ConvolutionOptions, toWindows } from "./convolution.ts";
import { defineLayer, type LayerOptions } from "./layer.ts";
import { refuseUnsupported } from "./unsupported.ts";

export interface DepthwiseConv2dOptions extends LayerOptions, ConvolutionOptions {
  /** Outputs for each input channel; default 1. */
  readonly depthMultiplier?: number;
  readonly activation?: ActivationName;
  /** Default true. */
  readonly useBias?: boolean;
  /** Default "glorotUniform". */
  readonly depthwiseInitializer?: InitializerOption;
  /** Default "zeros". */
  readonly biasInitializer?: InitializerOption;
  /** Penalty on the kernel, added to the loss; default none. */
  readonly depthwiseRegularizer?: RegularizerOption;
  /** Penalty on the bias; default none. */
  readonly biasRegularizer?: RegularizerOption;
}

/**
 * 2-D convolution of each channel by itself: (height, width, channels) → (height', width', channels · depthMultiplier).
 * Weights: kernel (kernelHeight, kernelWidth, channels, depthMultiplier), bias (channels · depthMultiplier).
 *
 * @throws UserError for options out of range.
 * @see https://keras.io/api/layers/convolution_layers/depthwise_convolution2d/
 */
export const depthwiseConv2d = defineLayer<DepthwiseConv2dOptions>(
  "DepthwiseConv2D",
  (options) => {
    const where = "depthwiseConv2d";
    const windows = toWindows(where, options);
    const { kernelSize, strides, dilation } = windows;
    const times = positiveInteger(where, "depthMultiplier", options.depthMultiplier ?? 1);
    const activation = toActivation(where, options.activation);
    const useBias = boolean(where, "useBias", options.useBias ?? true);
    const kernel = toInitializer(where, "depthwiseInitializer", options.depthwiseInitializer ?? "glorotUniform");
    const bias = toInitializer(where, "biasInitializer", options.biasInitializer ?? "zeros");
    const kernelPenalty = toRegularizer(where, "depthwiseRegularizer", options.depthwiseRegularizer);
    const biasPenalty = toRegularizer(where, "biasRegularizer", options.biasRegularizer);
    return {
      outputShape: (input, place) => [...windows.outputSize(input, place), input[2]! * times],
      weights(input) {
        const channels = input[2]!;
        const shape = [...kernelSize, channels, times];
        return [
          { name: "kernel", shape, initializer: kernel, regularizer: kernelPenalty },
          ...(useBias
            ? [{ name: "bias", shape: [channels * times], initializer: bias, regularizer: biasPenalty }]
            : []),
        ];
      },
      lower(graph, x, weights) {
        const repeated = times > 1 ? graph.apply(repeatChannels, { times }, x) : x;
        const attributes = { strides, dilation, padding: windows.padding(x.shape) };
        const convolved = graph.apply(depthwiseConv2dOp, attributes, repeated, weights[0]!);
        const biased = useBias ? graph.apply(biasAdd, {}, convolved, weights[1]!) : convolved;
        return applyActivation(graph, activation, biased);
      },
      getConfig: () => ({
        ...windows.config,
        depth_multiplier: times,
        activation,
        use_bias: useBias,
        depthwise_initializer: initializerConfig(kernel),
        bias_initializer: initializerConfig(bias),
        depthwise_regularizer: regularizerConfig(kernelPenalty),
        bias_regularizer: regularizerConfig(biasPenalty),
      }),
    };
  },
  (config: Config) => {
    refuseUnsupported("DepthwiseConv2D", config, {
      data_format: "channels_last",
      activity_regularizer: null,
      depthwise_constraint: null,
      bias_constraint: null,
    });
    return {
      kernelSize: config.kernel_size,
      strides: config.strides,
      padding: config.padding,
      dilationRate: config.dilation_rate,
      depthMultiplier: config.depth_multiplier,
      activation: config.activation,
      useBias: config.use_bias,
      depthwiseInitializer: config.depthwise_initializer,
      biasInitializer: config.bias_initializer,
      depthwiseRegularizer: config.depthwise_regularizer ?? undefined,
      biasRegularizer: config.bias_regularizer ?? undefined,
    } as DepthwiseConv2dOptions;
  },
);
