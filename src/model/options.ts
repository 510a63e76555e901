/** What users pass to a model besides data, and its checks. */
import {
  badArgument,
  boolean,
  isConfig,
  isWholeText,
  numberIn,
  onlyKnown,
  positiveInteger,
  show,
  wholeNumber,
} from "../arguments.ts";
import type { NDArray } from "../array.ts";
import { UserError } from "../errors.ts";
import type { Layer } from "../layers/layer.ts";
import type { Loss } from "../losses.ts";
import type { Metric } from "../metrics.ts";
import type { Optimizer } from "../optimizers/index.ts";
import { freshSeed } from "../random.ts";
import { MOST_THREADS } from "../wasm/barrier.ts";
import { type Batches, type Dataset, isNoDataset } from "./batches.ts";
import type { Callback } from "./callbacks.ts";

/** What a new model is told. */
export interface SequentialOptions {
  /** Where the options are the only argument. */
  readonly layers?: readonly Layer[];
  /** Default "sequential". */
  readonly name?: string;
  /** Decides the first weights, the order of the samples and what dropout drops. Default: a new one for each model. */
  readonly seed?: number;
  /**
   * Round after each multiplication and each addition, for the same bits on every machine, instead of once after both
   * where the machine can. Slower. Default false.
   */
  readonly strict?: boolean;
}

/** What a model is saved as: Keras 3's own `.keras`, or its legacy `.h5`. */
export type ModelFormat = "keras" | "h5";

/** What `loadModel` is told. */
export interface LoadOptions {
  /** Also take loss, optimizer, metrics and the optimizer's state from the file. Default true. */
  readonly compile?: boolean;
  /** Also take the optimizer's state, where the model is compiled. Default true. */
  readonly optimizerState?: boolean;
  /** Decides the order of the samples in training, as for a new model. Default: a new one for each model. */
  readonly seed?: number;
  /** Round after each multiplication and each addition, as for a new model. Default false. */
  readonly strict?: boolean;
}

/** What `compile` is told. */
export interface CompileOptions {
  /** Keras's name of a loss, as "categorical_crossentropy", or one of `losses`. */
  readonly loss: string | Loss;
  /** Keras's name of an optimizer (default "adam"), or one of `optimizers`. */
  readonly optimizer?: string | Optimizer;
  /** Keras's names of metrics, as "accuracy", or some of `metrics`. */
  readonly metrics?: readonly (string | Metric)[];
}

/** What everything that runs a model is told. */
export interface RunOptions {
  /** Samples a step; default 32. */
  readonly batchSize?: number;
  /** At most 64. Default: as many as there are processors, at most 16. */
  readonly threads?: number;
  /** Ends the run after the step that is under way; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What `evaluate` is told. */
export interface EvaluateOptions extends RunOptions {
  /** What each sample's loss is multiplied by, shape (n). Metrics count all samples alike. Default: 1. */
  readonly sampleWeight?: NDArray;
}

/** What `fit` is told. */
export interface FitOptions extends EvaluateOptions {
  /** What the loss of a sample is multiplied by, by its class; in place of `sampleWeight`. Classes not named: 1. */
  readonly classWeight?: Readonly<Record<number, number>>;
  /** The epoch to stop before; default 1. */
  readonly epochs?: number;
  /** The epoch to begin with, counted from 0; default 0. */
  readonly initialEpoch?: number;
  /** Ends each epoch after this many steps; the next goes on where it ended, and ends where the data does. */
  readonly stepsPerEpoch?: number;
  /** A new order of the samples for each epoch; default true. */
  readonly shuffle?: boolean;
  /** Decides the orders; default: the model's. The order of an epoch depends on the seed and its number alone. */
  readonly seed?: number;
  /** What is scored after each epoch; or batches of it, which each validation goes through. */
  readonly validationData?: Dataset | Batches;
  /** In place of `validationData` the last share of the samples, taken before they are shuffled; above 0 and below 1. */
  readonly validationSplit?: number;
  /** Epochs from validation to validation; default 1. */
  readonly validationFreq?: number;
  readonly callbacks?: readonly Callback[];
  /** Where the loss is not a number, go back to the state after the last good epoch before failing. Default false. */
  readonly restoreOnNaN?: boolean;
  /** Measure where the time goes: the history then has a `profile`. Costs next to nothing. Default false. */
  readonly profile?: boolean;
}

/** Checks the arguments of `new Sequential`, and fills in what was not given. */
export function checkModel(first: unknown, second: SequentialOptions) {
  const options = Array.isArray(first) || first === undefined ? second : (first as SequentialOptions);
  const isOptions = isConfig(options) && [Object.prototype, null].includes(Object.getPrototypeOf(options));
  if (!isOptions) throw badArgument("Sequential", "layers", "an array of layers", first);
  onlyKnown("Sequential", options, ["layers", "name", "seed", "strict"]);
  const layers = Array.isArray(first) ? first : (options.layers ?? []);
  if (!Array.isArray(layers)) throw badArgument("Sequential", "layers", "an array of layers", layers);
  const { name = "sequential", seed = freshSeed(), strict = false } = options;
  return {
    layers: layers as readonly Layer[],
    name: checkModelName(name),
    isSeeded: options.seed !== undefined,
    seed: wholeNumber("Sequential", "seed", seed),
    strict: boolean("Sequential", "strict", strict),
  };
}

export const RUN_OPTIONS = ["batchSize", "threads", "signal"];
export const EVALUATE_OPTIONS = [...RUN_OPTIONS, "sampleWeight"];
const FIT_OPTIONS = [
  ...[...EVALUATE_OPTIONS, "classWeight"],
  ...["epochs", "initialEpoch", "stepsPerEpoch", "shuffle", "seed", "callbacks", "restoreOnNaN", "profile"],
  ...["validationData", "validationSplit", "validationFreq"],
];

/** What makes no sense for batches that somebody else makes. */
const ARRAY_OPTIONS = ["batchSize", "shuffle", "sampleWeight", "classWeight", "validationSplit"];

/** Checks the options that all runs have. */
export function checkRunOptions(where: string, options: RunOptions, known: readonly string[] = RUN_OPTIONS): void {
  onlyKnown(where, options, known);
  const { signal } = options;
  if (signal !== undefined && typeof signal?.throwIfAborted !== "function") {
    throw badArgument(where, "signal", "an AbortSignal", signal);
  }
}

/** Checks `fit`'s options, and fills in what was not given. */
export function checkFitOptions(options: FitOptions, seed: number, isStream: boolean) {
  const known = isStream ? FIT_OPTIONS.filter((name) => !ARRAY_OPTIONS.includes(name)) : FIT_OPTIONS;
  checkRunOptions("fit", options, known);
  const { stepsPerEpoch, validationData, validationSplit, callbacks = [] } = options;
  if (stepsPerEpoch !== undefined) positiveInteger("fit", "stepsPerEpoch", stepsPerEpoch);
  if (validationData !== undefined && isNoDataset(validationData)) {
    throw new UserError(
      `fit: validationData must be a pair [x, y], or [x, y, sampleWeight], or batches of them, got ${show(validationData)}.`,
    );
  }
  if (validationSplit !== undefined) {
    const expected = "a number above 0 and below 1";
    numberIn("fit", "validationSplit", validationSplit, { min: Number.MIN_VALUE, below: 1, expected });
    if (validationData) throw new UserError("fit: give validationData or validationSplit, not both.");
  }
  if (!(Array.isArray(callbacks) && callbacks.every((callback) => typeof callback === "object" && callback))) {
    throw badArgument("fit", "callbacks", "an array of objects", callbacks);
  }
  if (callbacks.filter(({ keeper }) => keeper).length > 1) {
    throw new UserError("fit: callbacks: expected at most one backupAndRestore.");
  }
  return {
    batchSize: positiveInteger("fit", "batchSize", options.batchSize ?? 32),
    epochs: positiveInteger("fit", "epochs", options.epochs ?? 1),
    initialEpoch: wholeNumber("fit", "initialEpoch", options.initialEpoch ?? 0),
    shuffle: boolean("fit", "shuffle", options.shuffle ?? true),
    seed: wholeNumber("fit", "seed", options.seed ?? seed),
    isSeeded: options.seed !== undefined,
    stepsPerEpoch,
    validationSplit,
    validationData,
    validationFreq: positiveInteger("fit", "validationFreq", options.validationFreq ?? 1),
    restoreOnNaN: boolean("fit", "restoreOnNaN", options.restoreOnNaN ?? false),
    /** The options of the run itself. */
    run: options as RunOptions,
    profile: boolean("fit", "profile", options.profile ?? false),
    callbacks,
    signal: options.signal,
  };
}

/** Checks the number of threads; undefined where none is asked for. */
export function checkThreads(where: string, threads: number | undefined): number | undefined {
  if (threads === undefined || positiveInteger(where, "threads", threads) <= MOST_THREADS) return threads;
  throw badArgument(where, "threads", `at most ${MOST_THREADS}`, threads);
}

/** Checks the name of a model, with which in files the paths of its weights begin. */
function checkModelName(name: unknown): string {
  if (typeof name === "string" && name !== "" && isWholeText(name) && !name.split("/").includes(".")) return name;
  throw new UserError(`Sequential: name must be text that can be in a file's paths, got ${show(name)}.`);
}
