/** Losses. https://keras.io/api/losses/ */
import { boolean, type Config, isConfig, onlyKnown, show } from "./arguments.ts";
import { formatShape } from "./array.ts";
import type { LoweredLoss } from "./compiler/network.ts";
import { UserError } from "./errors.ts";
import { crossEntropy } from "./kernels/cross-entropy.ts";
import type { GraphBuilder, Op, Shape, Tensor } from "./kernels/op.ts";
import { softmax } from "./kernels/softmax.ts";
import { softmaxCrossEntropy } from "./kernels/softmax-cross-entropy.ts";

/** A loss of the outputs and the targets, averaged over the batch. */
export interface Loss {
  /** Keras's name. */
  readonly name: string;
  /** Keras's class name and config. */
  readonly className: string;
  readonly config: Config;
  /** Targets are class numbers, shape (), not rows of probabilities. */
  readonly sparse: boolean;
  /** Shape and type of one sample's target. @throws UserError for an output that the loss cannot take. */
  target(output: Shape): { readonly shape: Shape; readonly dtype: Tensor["dtype"] };
  lower(graph: GraphBuilder, output: Tensor, targets: Tensor): LoweredLoss;
}

export interface CrossEntropyOptions {
  /** The model's outputs are logits, not probabilities. Default false. */
  readonly fromLogits?: boolean;
}

function crossEntropyLoss(name: string, className: string, sparse: boolean, options: CrossEntropyOptions): Loss {
  onlyKnown(name, options, ["fromLogits"]);
  const fromLogits = boolean(name, "fromLogits", options.fromLogits ?? false);
  return {
    name,
    className,
    config: { name, reduction: "sum_over_batch_size", from_logits: fromLogits, axis: -1 },
    sparse,
    target(output) {
      if (output.length !== 1) {
        throw new UserError(
          `${name}: expected a model whose output has shape (classes,), got ${formatShape(output)}; end it with a dense layer.`,
        );
      }
      return sparse ? { shape: [], dtype: "int32" } : { shape: output, dtype: "float32" };
    },
    lower(graph, output, targets) {
      // A softmax at the end is left out, as in Keras: its logarithm comes exactly from what went into it.
      const producer = graph.producer(output);
      const isSoftmax = producer?.op === (softmax as Op<unknown>);
      const logits = fromLogits ? output : isSoftmax ? producer.inputs[0]! : undefined;
      const differentiated = logits ?? output;
      const op = logits ? softmaxCrossEntropy : crossEntropy;
      const [perSample, gradient] = graph.applyAll(op, { sparse }, differentiated, targets);
      return { perSample: perSample!, gradient: gradient!, differentiated };
    },
  };
}

/**
 * Cross-entropy between expected and given probabilities of classes: - Σ target · log(output). Targets have shape
 * (n, classes). https://keras.io/api/losses/probabilistic_losses/#categoricalcrossentropy-class
 */
export const categoricalCrossentropy = (options: CrossEntropyOptions = {}): Loss =>
  crossEntropyLoss("categorical_crossentropy", "CategoricalCrossentropy", false, options);

/**
 * The same from class numbers: targets have shape (n) or (n, 1), integers from 0.
 * https://keras.io/api/losses/probabilistic_losses/#sparsecategoricalcrossentropy-class
 */
export const sparseCategoricalCrossentropy = (options: CrossEntropyOptions = {}): Loss =>
  crossEntropyLoss("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", true, options);

const losses = [categoricalCrossentropy, sparseCategoricalCrossentropy];

/** What changes a loss and we do not have; Keras 2 calls its mean over the batch "auto". */
const supported: readonly (readonly [key: string, values: readonly unknown[]])[] = [
  ["label_smoothing", [0]],
  ["reduction", ["sum_over_batch_size", "auto"]],
  ["axis", [-1]],
  ["ignore_class", []],
];

/** The loss that an option of `compile` or a Keras config names. */
export function toLoss(option: unknown): Loss {
  if (isConfig(option) && typeof option.lower === "function") return option as unknown as Loss;
  const { class_name: className, config } = isConfig(option) ? option : { class_name: option, config: {} };
  // Keras 3 writes a loss that was given as a function so.
  const wanted = className === "function" ? config : className;
  const settings = isConfig(config) ? config : {};
  const squeeze = (name: string) => name.replaceAll("_", "").toLowerCase();
  for (const create of losses) {
    const { name } = create();
    if (typeof wanted !== "string" || squeeze(wanted) !== squeeze(name)) continue;
    for (const [key, values] of supported) {
      const found = settings[key] ?? values[0];
      if (!values.includes(found) && found !== undefined) {
        throw new UserError(`${name}: ${key} ${show(found)} is not supported.`);
      }
    }
    return create({ fromLogits: (settings.from_logits ?? false) as boolean });
  }
  const known = losses.map((create) => create().name).join(", ");
  throw new UserError(`compile: loss ${show(wanted)} is unknown; known are ${known}.`);
}
