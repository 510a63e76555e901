import { boolean, positiveInteger } from "../arguments.ts";
import { formatShape } from "../array.ts";
import { UserError } from "../errors.ts";
import { type InitializerOption, initializerConfig, toInitializer } from "../initializers.ts";
import { biasAdd } from "../kernels/bias-add.ts";
import { matmul } from "../kernels/matmul.ts";
import { type RegularizerOption, regularizerConfig, toRegularizer } from "../regularizers.ts";
import { type ActivationName, applyActivation, toActivation } from "./activation-functions.ts";
import { defineLayer, type LayerOptions } from "./layer.ts";
import { refuseUnsupported } from "./unsupported.ts";

export interface DenseOptions extends LayerOptions {
  /** Number of outputs. */
  readonly units: number;
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
 * Fully connected layer: (inputs) → (units). Weights: kernel (inputs, units), bias (units).
 *
 * @throws UserError for options out of range.
 * @see https://keras.io/api/layers/core_layers/dense/
 */
export const dense = defineLayer<DenseOptions>(
  "Dense",
  (options) => {
    const where = "dense";
    const units = positiveInteger(where, "units", options.units);
    const activation = toActivation(where, options.activation);
    const useBias = boolean(where, "useBias", options.useBias ?? true);
    const kernel = toInitializer(where, "kernelInitializer", options.kernelInitializer ?? "glorotUniform");
    const bias = toInitializer(where, "biasInitializer", options.biasInitializer ?? "zeros");
    const kernelPenalty = toRegularizer(where, "kernelRegularizer", options.kernelRegularizer);
    const biasPenalty = toRegularizer(where, "biasRegularizer", options.biasRegularizer);
    return {
      outputShape(input, place) {
        if (input.length === 1) return [units];
        throw new UserError(
          `${place}: expected samples of shape (n,), got ${formatShape(input)}; put a flatten layer before it.`,
        );
      },
      weights: (input) => [
        { name: "kernel", shape: [input[0]!, units], initializer: kernel, regularizer: kernelPenalty },
        ...(useBias ? [{ name: "bias", shape: [units], initializer: bias, regularizer: biasPenalty }] : []),
      ],
      lower(graph, x, weights) {
        const product = graph.apply(matmul, {}, x, weights[0]!);
        const biased = useBias ? graph.apply(biasAdd, {}, product, weights[1]!) : product;
        return applyActivation(graph, activation, biased);
      },
      getConfig: () => ({
        units,
        activation,
        use_bias: useBias,
        kernel_initializer: initializerConfig(kernel),
        bias_initializer: initializerConfig(bias),
        kernel_regularizer: regularizerConfig(kernelPenalty),
        bias_regularizer: regularizerConfig(biasPenalty),
      }),
    };
  },
  (config) => {
    refuseUnsupported("Dense", config, {
      activity_regularizer: null,
      kernel_constraint: null,
      bias_constraint: null,
      quantization_config: null,
    });
    return {
      units: config.units,
      activation: config.activation,
      useBias: config.use_bias,
      kernelInitializer: config.kernel_initializer,
      biasInitializer: config.bias_initializer,
      kernelRegularizer: config.kernel_regularizer ?? undefined,
      biasRegularizer: config.bias_regularizer ?? undefined,
    } as DenseOptions;
  },
);
