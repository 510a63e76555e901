/** Metrics. https://keras.io/api/metrics/ */
import { badArgument, type Config, isConfig, numberIn, onlyKnown, positiveInteger, show } from "./arguments.ts";
import { formatShape } from "./array.ts";
import { UserError } from "./errors.ts";
import { accuracy, binaryAccuracy as binaryAccuracyOp, topKAccuracy } from "./kernels/accuracy.ts";
import { squaredError } from "./kernels/element-losses.ts";
import type { GraphBuilder, Shape, Tensor } from "./kernels/op.ts";
import type { Loss } from "./losses.ts";

/** Appends what gives a metric's value for each sample (batched, shape ()). */
export type LoweredMetric = (graph: GraphBuilder, output: Tensor, targets: Tensor) => Tensor;

/** A value of each sample, averaged over the data. */
export interface Metric {
  /** The name in logs and history. */
  readonly name: string;
  /** Keras's class name and config. */
  readonly className: string;
  readonly config: Config;
  /** The metric on a model. @throws UserError for a loss or an output that it makes no sense with. */
  on(loss: Loss, output: Shape): LoweredMetric;
}

/** What all metrics are told. */
export interface MetricOptions {
  /** The name in logs and history. Default: Keras's name of the metric. */
  readonly name?: string;
}

/** What top-k metrics are told. */
export interface TopKOptions extends MetricOptions {
  /** How many of the largest outputs count; default 5. */
  readonly k?: number;
}

/** What `binaryAccuracy` is told. */
export interface BinaryAccuracyOptions extends MetricOptions {
  /** Outputs above it stand for 1; default 0.5. */
  readonly threshold?: number;
}

interface Kind {
  readonly name: string;
  readonly className: string;
  /** What targets it needs: class numbers, rows of probabilities, or numbers of the output's shape. */
  readonly targets: "labels" | "rows" | "numbers";
  readonly lower: LoweredMetric;
  /** What the config has besides the name. */
  readonly config?: Config;
}

function makeMetric(kind: Kind, options: MetricOptions): Metric {
  const { name = kind.name } = options;
  if (typeof name !== "string" || name === "") throw badArgument(kind.name, "name", "text", name);
  return {
    name,
    className: kind.className,
    config: { name, dtype: "float32", ...kind.config },
    on(loss, output) {
      if (loss.sparse !== (kind.targets === "labels")) {
        const given = loss.sparse ? "class numbers" : `targets of shape ${formatShape(output)}`;
        const hint = loss.sparse ? "use its sparse twin, or" : "use its twin without sparse, or";
        throw new UserError(
          `compile: metric ${kind.name} does not fit ${loss.name}, which takes ${given}; ${hint} "accuracy".`,
        );
      }
      return kind.lower;
    },
  };
}

const rows = { sparse: false };
const labels = { sparse: true };

/** Whether the largest output is that of the expected class, from rows of probabilities. https://keras.io/api/metrics/accuracy_metrics/#categoricalaccuracy-class */
export function categoricalAccuracy(options: MetricOptions = {}): Metric {
  onlyKnown("categoricalAccuracy", options, ["name"]);
  const lower: LoweredMetric = (graph, output, targets) => graph.apply(accuracy, rows, output, targets);
  return makeMetric(
    { name: "categorical_accuracy", className: "CategoricalAccuracy", targets: "rows", lower },
    options,
  );
}

/** The same from class numbers. https://keras.io/api/metrics/accuracy_metrics/#sparsecategoricalaccuracy-class */
export function sparseCategoricalAccuracy(options: MetricOptions = {}): Metric {
  onlyKnown("sparseCategoricalAccuracy", options, ["name"]);
  const lower: LoweredMetric = (graph, output, targets) => graph.apply(accuracy, labels, output, targets);
  const names = { name: "sparse_categorical_accuracy", className: "SparseCategoricalAccuracy" };
  return makeMetric({ ...names, targets: "labels", lower }, options);
}

/** The share of outputs that are on the side of the threshold where their targets are. https://keras.io/api/metrics/accuracy_metrics/#binaryaccuracy-class */
export function binaryAccuracy(options: BinaryAccuracyOptions = {}): Metric {
  onlyKnown("binaryAccuracy", options, ["name", "threshold"]);
  const range = { min: 0, below: 1 + Number.EPSILON, expected: "a number from 0 to 1" };
  const threshold = numberIn("binaryAccuracy", "threshold", options.threshold ?? 0.5, range);
  const lower: LoweredMetric = (graph, output, targets) =>
    graph.apply(binaryAccuracyOp, { threshold }, output, targets);
  const names = { name: "binary_accuracy", className: "BinaryAccuracy" };
  return makeMetric({ ...names, targets: "numbers", lower, config: { threshold } }, options);
}

function topK(names: Pick<Kind, "name" | "className">, where: string, sparse: boolean, options: TopKOptions): Metric {
  onlyKnown(where, options, ["name", "k"]);
  const k = positiveInteger(where, "k", options.k ?? 5);
  const lower: LoweredMetric = (graph, output, targets) => graph.apply(topKAccuracy, { sparse, k }, output, targets);
  return makeMetric({ ...names, targets: sparse ? "labels" : "rows", lower, config: { k } }, options);
}

/** Whether the expected class is among the k largest outputs, from rows of probabilities. https://keras.io/api/metrics/accuracy_metrics/#topkcategoricalaccuracy-class */
export const topKCategoricalAccuracy = (options: TopKOptions = {}): Metric =>
  topK(
    { name: "top_k_categorical_accuracy", className: "TopKCategoricalAccuracy" },
    "topKCategoricalAccuracy",
    false,
    options,
  );

/** The same from class numbers. https://keras.io/api/metrics/accuracy_metrics/#sparsetopkcategoricalaccuracy-class */
export const sparseTopKCategoricalAccuracy = (options: TopKOptions = {}): Metric =>
  topK(
    { name: "sparse_top_k_categorical_accuracy", className: "SparseTopKCategoricalAccuracy" },
    "sparseTopKCategoricalAccuracy",
    true,
    options,
  );

/** The mean of (output - target)². https://keras.io/api/metrics/regression_metrics/#meansquarederror-class */
export function meanSquaredError(options: MetricOptions = {}): Metric {
  onlyKnown("meanSquaredError", options, ["name"]);
  const lower: LoweredMetric = (graph, output, targets) => graph.applyAll(squaredError, {}, output, targets)[0]!;
  return makeMetric({ name: "mean_squared_error", className: "MeanSquaredError", targets: "numbers", lower }, options);
}

/** What "accuracy" stands for, by the output and the targets, as in Keras (keras/src/trainers/compile_utils.py). */
function chosenAccuracy(loss: Loss, output: Shape): Metric {
  if (loss.sparse) return sparseCategoricalAccuracy();
  return output.at(-1) === 1 ? binaryAccuracy() : categoricalAccuracy();
}

const kinds = [
  categoricalAccuracy,
  sparseCategoricalAccuracy,
  binaryAccuracy,
  topKCategoricalAccuracy,
  sparseTopKCategoricalAccuracy,
  meanSquaredError,
] as const;

const aliases: Record<string, string> = { mse: "mean_squared_error", mean_squared_error: "mean_squared_error" };

/** A metric of a compiled model: its name in the logs, what Keras saves of it, and its ops. */
export interface PlacedMetric {
  readonly name: string;
  readonly saved: unknown;
  readonly lower: LoweredMetric;
}

/**
 * The metric that an option of `compile` or a Keras config names.
 *
 * @internal
 */
export function toMetric(option: unknown, loss: Loss, output: Shape): PlacedMetric {
  if (option === "accuracy" || option === "acc") {
    return { name: option, saved: option, lower: chosenAccuracy(loss, output).on(loss, output) };
  }
  if (typeof option === "string") {
    const name = aliases[option] ?? option;
    const make = kinds.find((kind) => kind().name === name);
    if (make) return { name: option, saved: option, lower: make().on(loss, output) };
  }
  const metric =
    isConfig(option) && typeof option.on === "function" ? (option as unknown as Metric) : fromConfig(option);
  if (metric) {
    const { name, className, config } = metric;
    const saved = { module: "keras.metrics", class_name: className, config, registered_name: null };
    return { name, saved, lower: metric.on(loss, output) };
  }
  const known = ["accuracy", ...kinds.map((kind) => kind().name)].join(", ");
  throw new UserError(`compile: metric ${show(option)} is unknown; known are ${known}.`);
}

function fromConfig(option: unknown): Metric | undefined {
  if (!isConfig(option)) return undefined;
  const make = kinds.find((kind) => kind().className === option.class_name);
  const { name, k, threshold } = isConfig(option.config) ? option.config : {};
  const options = Object.fromEntries(Object.entries({ name, k, threshold }).filter(([, value]) => value !== undefined));
  return make?.(options as TopKOptions & BinaryAccuracyOptions);
}
