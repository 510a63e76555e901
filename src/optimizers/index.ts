/** The optimizers: what users call, and what a saved model's class names are looked up in. */
import { type Config, isConfig, show } from "../arguments.ts";
import { UserError } from "../errors.ts";
import { adadelta } from "./adadelta.ts";
import { adam } from "./adam.ts";
import { adamW } from "./adam-w.ts";
import type { Optimizer } from "./optimizer.ts";
import { rmsprop } from "./rmsprop.ts";
import type { Schedule } from "./schedule.ts";
import { cosineDecay, exponentialDecay } from "./schedules.ts";
import { sgd } from "./sgd.ts";

export type { AdadeltaOptions } from "./adadelta.ts";
export type { AdamOptions } from "./adam.ts";
export type { Optimizer, OptimizerOptions } from "./optimizer.ts";
export type { RmspropOptions } from "./rmsprop.ts";
export type { Schedule } from "./schedule.ts";
export * as schedules from "./schedules.ts";
export type { SgdOptions } from "./sgd.ts";
export { adadelta, adam, adamW, rmsprop, sgd };

/** By Keras's class name in lower case. */
const optimizers: Readonly<Record<string, (options: Config) => Optimizer>> = {
  adam,
  adamw: adamW,
  sgd,
  rmsprop,
  adadelta,
};

/** By Keras's class name. */
const scheduleTypes: Readonly<Record<string, (options: never) => Schedule>> = {
  ExponentialDecay: exponentialDecay,
  CosineDecay: cosineDecay,
};

/** Our options, by the names that Keras's configs have for them. */
const optionNames: Readonly<Record<string, string>> = {
  learning_rate: "learningRate",
  weight_decay: "weightDecay",
  clipnorm: "clipnorm",
  global_clipnorm: "globalClipnorm",
  clipvalue: "clipvalue",
  beta_1: "beta1",
  beta_2: "beta2",
  epsilon: "epsilon",
  amsgrad: "amsgrad",
  momentum: "momentum",
  nesterov: "nesterov",
  rho: "rho",
  centered: "centered",
  initial_learning_rate: "initialLearningRate",
  decay_steps: "decaySteps",
  decay_rate: "decayRate",
  staircase: "staircase",
  alpha: "alpha",
  warmup_target: "warmupTarget",
  warmup_steps: "warmupSteps",
};

function optionsOf(config: Config): Config {
  const isGiven = ([name, value]: [string, unknown]) =>
    Object.hasOwn(optionNames, name) && value !== undefined && value !== null;
  const given = Object.entries(config).filter(isGiven);
  const options = Object.fromEntries(given.map(([name, value]) => [optionNames[name]!, value]));
  return isConfig(options.learningRate) ? { ...options, learningRate: toSchedule(options.learningRate) } : options;
}

function toSchedule({ class_name: name, config }: Config): Schedule {
  if (typeof name === "string" && Object.hasOwn(scheduleTypes, name)) {
    return scheduleTypes[name]!(optionsOf(isConfig(config) ? config : {}) as never);
  }
  const known = Object.keys(scheduleTypes).join(", ");
  throw new UserError(`optimizer: learning-rate schedule ${show(name)} is unknown; known are ${known}.`);
}

/** What changes an update and we do not have; any other value than these is refused. */
const off: readonly (readonly [key: string, value: unknown])[] = [
  ["use_ema", false],
  ["gradient_accumulation_steps", null],
  ["decay", 0],
  ["loss_scale_factor", null],
];

/**
 * The optimizer that an option of `compile` or a Keras config names.
 *
 * @internal
 */
export function toOptimizer(option: unknown): Optimizer {
  if (isConfig(option) && typeof option.update === "function") return option as unknown as Optimizer;
  const name = isConfig(option) ? option.class_name : option;
  // Keras 2.11 and later write `Custom>Adam`.
  const key = typeof name === "string" ? name.replace("Custom>", "").toLowerCase() : "";
  if (!Object.hasOwn(optimizers, key)) {
    const known = Object.keys(optimizers).join(", ");
    throw new UserError(`compile: optimizer ${show(name)} is unknown; known are ${known}.`);
  }
  const config = isConfig(option) && isConfig(option.config) ? option.config : {};
  for (const [setting, value] of off) {
    const found = config[setting] ?? value;
    if (found !== value && found) throw new UserError(`optimizer ${key}: ${setting} ${show(found)} is not supported.`);
  }
  return optimizers[key]!(optionsOf(config));
}
