/** Losses. https://keras.io/api/losses/ */
import { boolean, type Config, isConfig, numberIn, onlyKnown, show } from "./arguments.ts";
import { formatShape } from "./array.ts";
import type { LoweredLoss } from "./compiler/network.ts";
import { UserError } from "./errors.ts";
import { elementwise } from "./kernels/activations.ts";
import { crossEntropy } from "./kernels/cross-entropy.ts";
import { binaryCrossEntropy, sigmoidCrossEntropy, squaredError } from "./kernels/element-losses.ts";
import type { GraphBuilder, Shape, Tensor } from "./kernels/op.ts";
import { softmax } from "./kernels/softmax.ts";
import { softmaxCrossEntropy } from "./kernels/softmax-cross-entropy.ts";

/** A loss of the outputs and the targets: the mean over a sample's outputs, averaged over the batch. */
export interface Loss {
  /** Keras's name. */
  readonly name: string;
  /** Keras's class name and config. */
  readonly className: string;
  readonly config: Config;
  /** Targets are class numbers, one a row of the output, not rows of probabilities. */
  readonly sparse: boolean;
  /** Shape and type of one sample's target. @throws UserError for an output that the loss cannot take. */
  target(output: Shape): { readonly shape: Shape; readonly dtype: Tensor["dtype"] };
  /** Appends the loss's ops to a graph. */
  lower(graph: GraphBuilder, output: Tensor, targets: Tensor): LoweredLoss;
}

/** What cross-entropies are told. */
export interface SparseCrossEntropyOptions {
  /** The model's outputs are logits, not probabilities. Default false. */
  readonly fromLogits?: boolean;
}

/** What cross-entropies between probabilities are told. */
export interface CrossEntropyOptions extends SparseCrossEntropyOptions {
  /** From 0 (default) to 1: how far targets are moved towards equal probabilities. */
  readonly labelSmoothing?: number;
}

const REDUCTION = "sum_over_batch_size";

interface CrossEntropy {
  readonly name: string;
  readonly className: string;
  readonly sparse: boolean;
  readonly hasSmoothing: boolean;
  /** The activation at the model's end that is left out, as in Keras: the loss comes more exactly from what went into it. */
  readonly activation: unknown;
  /** Appends the loss from logits or from probabilities. */
  apply(graph: GraphBuilder, isLogits: boolean, smoothing: number, output: Tensor, targets: Tensor): Tensor[];
}

function crossEntropyLoss(kind: CrossEntropy, options: CrossEntropyOptions): Loss {
  const { name, className, sparse, hasSmoothing, activation } = kind;
  onlyKnown(name, options, ["fromLogits", ...(hasSmoothing ? ["labelSmoothing"] : [])]);
  const fromLogits = boolean(name, "fromLogits", options.fromLogits ?? false);
  const range = { min: 0, below: 1 + Number.EPSILON, expected: "a number from 0 to 1" };
  const smoothing = numberIn(name, "labelSmoothing", options.labelSmoothing ?? 0, range);
  return {
    name,
    className,
    config: {
      ...{ name, reduction: REDUCTION, from_logits: fromLogits },
      ...(hasSmoothing && { label_smoothing: smoothing }),
      axis: -1,
    },
    sparse,
    target: (output) => (sparse ? { shape: rowShape(output), dtype: "int32" } : { shape: output, dtype: "float32" }),
    lower(graph, output, targets) {
      const producer = graph.producer(output);
      const logits = producer?.op === activation ? producer?.inputs[0] : undefined;
      const differentiated = logits ?? output;
      const isLogits = fromLogits || logits !== undefined;
      const [perSample, gradient] = kind.apply(graph, isLogits, smoothing, differentiated, targets);
      return { perSample: perSample!, gradient: gradient!, differentiated };
    },
  };
}

/** The shape without its last axis. */
const rowShape = (shape: Shape) => shape.slice(0, -1);

function categorical(name: string, className: string, sparse: boolean, options: CrossEntropyOptions): Loss {
  const apply: CrossEntropy["apply"] = (graph, isLogits, smoothing, output, targets) =>
    graph.applyAll(isLogits ? softmaxCrossEntropy : crossEntropy, { sparse, smoothing }, output, targets);
  const kind = { name, className, sparse, hasSmoothing: !sparse, activation: softmax, apply };
  const loss = crossEntropyLoss(kind, options);
  return {
    ...loss,
    target(output) {
      if ((output.at(-1) ?? 1) > 1) return loss.target(output);
      throw new UserError(
        `${name}: expected a model whose output ends in an axis of two or more classes, got ${formatShape(output)}; ` +
          "end it with a dense layer of as many units, or use binary_crossentropy.",
      );
    },
  };
}

/**
 * Cross-entropy between expected and given probabilities of classes: - Σ target · log(output). Outputs and targets have
 * shape (n, …, classes). https://keras.io/api/losses/probabilistic_losses/#categoricalcrossentropy-class
 */
export const categoricalCrossentropy = (options: CrossEntropyOptions = {}): Loss =>
  categorical("categorical_crossentropy", "CategoricalCrossentropy", false, options);

/**
 * The same from class numbers: targets have shape (n, …) or (n, …, 1), integers from 0.
 * https://keras.io/api/losses/probabilistic_losses/#sparsecategoricalcrossentropy-class
 */
export const sparseCategoricalCrossentropy = (options: SparseCrossEntropyOptions = {}): Loss =>
  categorical("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", true, options);

/**
 * Cross-entropy of each output with its own target, 0 to 1: - t log(p) - (1 - t) log(1 - p), averaged over a sample's
 * outputs. https://keras.io/api/losses/probabilistic_losses/#binarycrossentropy-class
 */
export const binaryCrossentropy = (options: CrossEntropyOptions = {}): Loss =>
  crossEntropyLoss(
    {
      name: "binary_crossentropy",
      className: "BinaryCrossentropy",
      sparse: false,
      hasSmoothing: true,
      activation: elementwise.sigmoid,
      apply: (graph, isLogits, smoothing, output, targets) =>
        graph.applyAll(isLogits ? sigmoidCrossEntropy : binaryCrossEntropy, { smoothing }, output, targets),
    },
    options,
  );

/**
 * The mean of (target - output)² over a sample's outputs.
 * https://keras.io/api/losses/regression_losses/#meansquarederror-class
 */
export const meanSquaredError = (options: Record<string, never> = {}): Loss => {
  const name = "mean_squared_error";
  onlyKnown(name, options, []);
  return {
    name,
    className: "MeanSquaredError",
    config: { name, reduction: REDUCTION },
    sparse: false,
    target: (output) => ({ shape: output, dtype: "float32" }),
    lower(graph, output, targets) {
      const [perSample, gradient] = graph.applyAll(squaredError, {}, output, targets);
      return { perSample: perSample!, gradient: gradient!, differentiated: output };
    },
  };
};

const losses = [categoricalCrossentropy, sparseCategoricalCrossentropy, binaryCrossentropy, meanSquaredError];

const shortNames = new Map([
  ["bce", "binary_crossentropy"],
  ["mse", "mean_squared_error"],
]);

/** What changes a loss and we do not have; Keras 2 calls its mean over the batch "auto". */
const supported: readonly (readonly [key: string, values: readonly unknown[]])[] = [
  ["reduction", [REDUCTION, "mean", "auto"]],
  ["axis", [-1]],
  ["ignore_class", []],
];

/**
 * The loss that an option of `compile` or a Keras config names.
 *
 * @internal
 */
export function toLoss(option: unknown): Loss {
  if (isConfig(option) && typeof option.lower === "function") return option as unknown as Loss;
  const { class_name: className, config } = isConfig(option) ? option : { class_name: option, config: {} };
  // Keras 3 writes a loss that was given as a function so.
  const wanted = className === "function" ? config : className;
  const settings = isConfig(config) ? config : {};
  const squeeze = (name: string) => name.replaceAll("_", "").toLowerCase();
  for (const create of losses) {
    const { name, config: defaults } = create();
    if (typeof wanted !== "string" || squeeze(shortNames.get(squeeze(wanted)) ?? wanted) !== squeeze(name)) continue;
    for (const [key, values] of supported) {
      const found = settings[key] ?? values[0];
      if (!values.includes(found) && found !== undefined) {
        throw new UserError(`${name}: ${key} ${show(found)} is not supported.`);
      }
    }
    const { from_logits: fromLogits = false, label_smoothing: labelSmoothing = 0 } = settings;
    const options = {
      ...("from_logits" in defaults && { fromLogits }),
      ...("label_smoothing" in defaults && { labelSmoothing }),
    };
    return create(options as Record<string, never>);
  }
  const known = losses.map((create) => create().name).join(", ");
  throw new UserError(`compile: loss ${show(wanted)} is unknown; known are ${known}.`);
}
