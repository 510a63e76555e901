/** Keras's regularizers: penalties on weights, which are added to the loss. https://keras.io/api/layers/regularizers/ */
import { badArgument, type Config, isConfig, numberIn, onlyKnown, show } from "./arguments.ts";
import { UserError } from "./errors.ts";
import type { Penalty } from "./kernels/weight-penalty.ts";

/** A penalty of l1 Σ|w| + l2 Σw². */
export interface Regularizer extends Penalty {
  /** Keras's class name. */
  readonly className: string;
  readonly config: Config;
}

/** A name, in Keras's or TF.js's spelling, or a regularizer itself. */
export type RegularizerOption = string | Regularizer;

const FACTOR = { min: 0, expected: "a number of at least 0" };

/** Penalty factor · Σ|w|. @throws UserError for a factor that is no number, or below 0. */
export function l1(options: { readonly l1?: number } = {}): Regularizer {
  onlyKnown("l1", options, ["l1"]);
  const factor = numberIn("l1", "l1", options.l1 ?? 0.01, FACTOR);
  return { className: "L1", config: { l1: factor }, l1: factor, l2: 0 };
}

/** Penalty factor · Σw². @throws UserError for a factor that is no number, or below 0. */
export function l2(options: { readonly l2?: number } = {}): Regularizer {
  onlyKnown("l2", options, ["l2"]);
  const factor = numberIn("l2", "l2", options.l2 ?? 0.01, FACTOR);
  return { className: "L2", config: { l2: factor }, l1: 0, l2: factor };
}

/** Both penalties; factors are 0 by default. @throws UserError for a factor that is no number, or below 0. */
export function l1L2(options: { readonly l1?: number; readonly l2?: number } = {}): Regularizer {
  onlyKnown("l1L2", options, ["l1", "l2"]);
  const absolute = numberIn("l1L2", "l1", options.l1 ?? 0, FACTOR);
  const square = numberIn("l1L2", "l2", options.l2 ?? 0, FACTOR);
  return { className: "L1L2", config: { l1: absolute, l2: square }, l1: absolute, l2: square };
}

/** By class name; for a name alone Keras takes 0.01. */
const classes: Record<string, (config: Config) => Regularizer> = {
  L1: (config) => l1({ l1: config.l1 as number }),
  L2: (config) => l2({ l2: config.l2 as number }),
  L1L2: (config) => l1L2({ l1: config.l1 as number, l2: config.l2 as number }),
};

/**
 * The regularizer that an option or a Keras config names; none for null and undefined.
 *
 * @throws UserError where there is none of that name.
 * @internal
 */
export function toRegularizer(where: string, name: string, option: unknown): Regularizer | undefined {
  if (option === undefined || option === null) return undefined;
  if (isConfig(option) && typeof option.className === "string") return option as unknown as Regularizer;
  const className = isConfig(option) ? option.class_name : option;
  if (typeof className !== "string") throw badArgument(where, name, "the name of a regularizer", option);
  const plain = (text: string) => text.replaceAll("_", "").toLowerCase();
  const found = Object.keys(classes).find((candidate) => plain(candidate) === plain(className));
  if (!found) {
    throw new UserError(
      `${where}: ${name} ${show(className)} is unknown; known are ${Object.keys(classes).join(", ")}.`,
    );
  }
  const byName = { l1: 0.01, l2: 0.01 };
  return classes[found]!(isConfig(option) && isConfig(option.config) ? option.config : byName);
}

/**
 * As Keras 3 writes a regularizer into a layer's config.
 *
 * @internal
 */
export function regularizerConfig(regularizer: Regularizer | undefined): Config | null {
  if (!regularizer) return null;
  const { className, config } = regularizer;
  return { module: "keras.regularizers", class_name: className, config, registered_name: null };
}
