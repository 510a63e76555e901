/** A model as Keras's formats hold it: its config and its weights, without what they mean. */
import { UserError } from "../errors.ts";

export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface SavedLayer {
  readonly name: string;
  readonly weights: readonly NamedTensor[];
}

export interface SavedModel {
  /** The parsed JSON of `model_config`: { class_name, config }. */
  readonly modelConfig: unknown;
  /** The parsed JSON of `training_config`. */
  readonly trainingConfig?: unknown;
  readonly layers: readonly SavedLayer[];
  /** Names and order are those of the file; the number of steps is not among the weights. */
  readonly optimizer?: {
    /** Begins the names of its state; needed to write. */
    readonly name?: string;
    readonly iterations: number;
    readonly weights: readonly NamedTensor[];
  };
  readonly kerasVersion?: string;
  /** What a run that goes on needs besides the model; Keras leaves it aside. */
  readonly checkpoint?: {
    readonly text: string;
    readonly tensors: readonly NamedTensor[];
  };
}

/** The Keras whose format we write. */
export const KERAS_VERSION = "3.15.1";

/** Settings that Keras wants as Python's float: a JSON number without a fraction would be an int to it. */
const FLOATS = new RegExp(
  `"(${[
    ...["learning_rate", "initial_learning_rate", "warmup_target", "decay_rate", "alpha", "momentum", "rho"],
    ...["beta_1", "beta_2", "epsilon", "weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "label_smoothing"],
    ...["ema_momentum", "minval", "maxval", "mean", "stddev"],
  ].join("|")})":(-?\\d+)(?=[,}])`,
  "g",
);

/** JSON as Python reads it. */
export function toPythonJson(value: unknown): string {
  return JSON.stringify(value).replace(FLOATS, '"$1":$2.0');
}

/** A class's name as Keras makes names and paths of it: `Conv2D` is `conv2d`, `MaxPooling2D` `max_pooling2d`. */
export function snakeCase(className: string): string {
  return className
    .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
}

/** A JSON text of a file; undefined where there is none. */
export function parseJson(name: string, text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(`its ${name} is no JSON: ${(error as Error).message}.`);
  }
}

/** @throws UserError for a tensor whose data does not fill its shape. */
export function checkSize(name: string, shape: readonly number[], data: Float32Array): void {
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  if (size === data.length) return;
  throw new UserError(`cannot save ${name}: its shape has ${size} elements, its data ${data.length}.`);
}
