/**
 * What a layer is: its configuration, the shapes of its output and weights, and the ops that it lowers to. A layer holds
 * no state; the model that it is added to names it and owns its weights. Shapes leave the batch dimension out.
 */
import { boolean, type Config, onlyKnown } from "../arguments.ts";
import type { Initializer } from "../initializers.ts";
import type { GraphBuilder, Shape, Tensor } from "../kernels/op.ts";
import type { Penalty } from "../kernels/weight-penalty.ts";

export interface WeightSpec {
  /** Keras's name of the weight: kernel, bias. */
  readonly name: string;
  readonly shape: Shape;
  readonly initializer: Initializer;
  /** False for a weight that is no part of the gradient descent: the layer's own ops change it. Default true. */
  readonly trainable?: boolean;
  /** The penalty on the weight that the loss has, where it is trained. */
  readonly regularizer?: Penalty | undefined;
}

/** A layer that is not in a model yet: its configuration, and what it lowers to. */
export interface Layer {
  /** Keras's class name. */
  readonly className: string;
  /** The name that the user chose; else the model finds one. */
  readonly name?: string;
  /** False for a frozen layer, whose weights training leaves as they are. Default true. */
  readonly trainable?: boolean;
  /**
   * Shape of the output for an input of this shape.
   *
   * @throws UserError, beginning with `where`, for an input that the layer cannot take.
   */
  outputShape(input: Shape, where: string): Shape;
  /** The weights, in Keras's order: those that are trained before the others. */
  weights(input: Shape): readonly WeightSpec[];
  /**
   * Appends the layer's ops to a graph. `step` is there in training only: the number of updates made before, state,
   * int32, shape (1). With a seed it makes the random numbers of layers that need some.
   */
  lower(graph: GraphBuilder, x: Tensor, weights: readonly Tensor[], step?: Tensor): Tensor;
  /** Has a layer that draws random numbers and was given no seed: the same layer with one. */
  withSeed?(seed: number): Layer;
  /** The same layer, frozen or not. */
  withTrainable(trainable: boolean): Layer;
  /** What Keras's `get_config` gives, less what is the same for all layers. */
  getConfig(): Config;
}

/** Options that all layers have. */
export interface LayerOptions {
  /** Name of the layer, unique in its model. */
  readonly name?: string;
  /** False freezes the layer: training leaves its weights as they are. Default true. */
  readonly trainable?: boolean;
}

/** A factory of layers that also knows Keras's class name and how to read Keras's config. */
export interface LayerType<Options> {
  (...options: object extends Options ? [options?: Options] : [options: Options]): Layer;
  readonly className: string;
  /** The options that a Keras config stands for; they are checked when the layer is made. */
  readonly optionsOf: (config: Config) => Options;
}

/** Makes a layer's factory. */
export function defineLayer<Options extends LayerOptions>(
  className: string,
  create: (options: Options) => Omit<Layer, "className" | "name" | "trainable" | "withTrainable">,
  optionsOf: (config: Config) => Options,
): LayerType<Options> {
  // The options that a Keras config has are all there are.
  const known = ["name", "trainable", ...Object.keys(optionsOf({}) as object)];
  const where = className.replace(/^[A-Z](?=[a-z])/, (first) => first.toLowerCase()).replace(/D$/, "d");
  const factory = (options: Options = {} as Options): Layer => {
    const place = where === "inputLayer" ? "input" : where;
    onlyKnown(place, options, known);
    return {
      className,
      ...(options.name !== undefined && { name: options.name }),
      trainable: boolean(place, "trainable", options.trainable ?? true),
      withTrainable: (trainable) => factory({ ...options, trainable }),
      ...create(options),
    };
  };
  return Object.assign(factory, { className, optionsOf });
}
