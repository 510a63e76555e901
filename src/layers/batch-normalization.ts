import { badArgument, boolean, numberIn } from "../arguments.ts";
import { UserError } from "../errors.ts";
import { type InitializerOption, initializerConfig, toInitializer } from "../initializers.ts";
import { batchMoments, batchNorm, movingAverage } from "../kernels/batch-norm.ts";
import { defineLayer, type LayerOptions } from "./layer.ts";
import { refuseUnsupported } from "./unsupported.ts";

export interface BatchNormalizationOptions extends LayerOptions {
  /** The axis of the channels, counted with the batch; it must be the last: -1 (default), or 3 of images. */
  readonly axis?: number;
  /** Share of the moving averages that a step keeps, from 0 to 1; default 0.99. */
  readonly momentum?: number;
  /** Added to the variance; default 0.001. */
  readonly epsilon?: number;
  /** Add beta, a number a channel; default true. */
  readonly center?: boolean;
  /** Multiply by gamma, a number a channel; default true. */
  readonly scale?: boolean;
  /** Default "zeros". */
  readonly betaInitializer?: InitializerOption;
  /** Default "ones". */
  readonly gammaInitializer?: InitializerOption;
  /** Default "zeros". */
  readonly movingMeanInitializer?: InitializerOption;
  /** Default "ones". */
  readonly movingVarianceInitializer?: InitializerOption;
}

/**
 * Shifts and scales each channel to mean 0 and variance 1: in training over the batch, otherwise, and where the layer is
 * frozen, by moving averages of what training met. The shape stays. Weights: gamma, beta and, not trained, moving_mean and
 * moving_variance, all (channels).
 *
 * @throws UserError for options out of range.
 * @see https://keras.io/api/layers/normalization_layers/batch_normalization/
 */
export const batchNormalization = defineLayer<BatchNormalizationOptions>(
  "BatchNormalization",
  (options) => {
    const where = "batchNormalization";
    const { axis = -1, trainable = true } = options;
    if (!Number.isInteger(axis)) throw badArgument(where, "axis", "an integer", axis);
    const momentum = numberIn(where, "momentum", options.momentum ?? 0.99, {
      ...{ min: 0, below: 1 + Number.EPSILON, expected: "a number from 0 to 1" },
    });
    const epsilon = numberIn(where, "epsilon", options.epsilon ?? 1e-3, {
      ...{ min: 0, below: Number.POSITIVE_INFINITY, expected: "a number of at least 0" },
    });
    const center = boolean(where, "center", options.center ?? true);
    const scale = boolean(where, "scale", options.scale ?? true);
    const beta = toInitializer(where, "betaInitializer", options.betaInitializer ?? "zeros");
    const gamma = toInitializer(where, "gammaInitializer", options.gammaInitializer ?? "ones");
    const mean = toInitializer(where, "movingMeanInitializer", options.movingMeanInitializer ?? "zeros");
    const variance = toInitializer(where, "movingVarianceInitializer", options.movingVarianceInitializer ?? "ones");
    return {
      outputShape(input, place) {
        if (axis === -1 || axis === input.length) return input;
        throw new UserError(`${place}: axis ${axis} is not supported, only the last one, -1.`);
      },
      weights(input) {
        const shape = input.slice(-1);
        return [
          ...(scale ? [{ name: "gamma", shape, initializer: gamma }] : []),
          ...(center ? [{ name: "beta", shape, initializer: beta }] : []),
          { name: "moving_mean", shape, initializer: mean, trainable: false },
          { name: "moving_variance", shape, initializer: variance, trainable: false },
        ];
      },
      lower(graph, x, weights, step) {
        const ofBatch = step !== undefined && trainable;
        const trained = weights.slice(0, -2);
        const moving = weights.slice(-2);
        const moments = ofBatch ? graph.applyAll(batchMoments, {}, x) : moving;
        if (ofBatch) {
          for (const [i, moment] of moments.entries()) graph.applyAll(movingAverage, { momentum }, moving[i]!, moment);
        }
        return graph.apply(batchNorm, { epsilon, scale, center, ofBatch }, x, ...moments, ...trained);
      },
      getConfig: () => ({
        axis,
        momentum,
        epsilon,
        center,
        scale,
        beta_initializer: initializerConfig(beta),
        gamma_initializer: initializerConfig(gamma),
        moving_mean_initializer: initializerConfig(mean),
        moving_variance_initializer: initializerConfig(variance),
      }),
    };
  },
  (config) => {
    refuseUnsupported("BatchNormalization", config, {
      beta_regularizer: null,
      gamma_regularizer: null,
      beta_constraint: null,
      gamma_constraint: null,
      renorm: false,
      synchronized: false,
    });
    // Keras 2 saves a list of axes.
    const axis = Array.isArray(config.axis) && config.axis.length === 1 ? config.axis[0] : config.axis;
    return {
      axis,
      momentum: config.momentum,
      epsilon: config.epsilon,
      center: config.center,
      scale: config.scale,
      betaInitializer: config.beta_initializer,
      gammaInitializer: config.gamma_initializer,
      movingMeanInitializer: config.moving_mean_initializer,
      movingVarianceInitializer: config.moving_variance_initializer,
    } as BatchNormalizationOptions;
  },
);
