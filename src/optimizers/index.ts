/** The optimizers: what users call, and what a saved model's class names are looked up in. */
import { type Config, isConfig, show } from "../arguments.ts";
import { UserError } from "../errors.ts";
import { type AdamOptions, adam } from "./adam.ts";
import type { Optimizer } from "./optimizer.ts";
import { type SgdOptions, sgd } from "./sgd.ts";

export type { AdamOptions } from "./adam.ts";
export type { Optimizer } from "./optimizer.ts";
export type { SgdOptions } from "./sgd.ts";
export { adam, sgd };

/** By Keras's name in lower case: from a Keras config to an optimizer. */
const fromConfig: Record<string, (config: Config) => Optimizer> = {
  adam: ({ learning_rate: learningRate, beta_1: beta1, beta_2: beta2, epsilon }) =>
    adam(defined({ learningRate, beta1, beta2, epsilon }) as AdamOptions),
  sgd: ({ learning_rate: learningRate, momentum, nesterov }) =>
    sgd(defined({ learningRate, momentum, nesterov }) as SgdOptions),
};

function defined(options: Config): Config {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** What changes an update and we do not have; any other value than these is refused. */
const off: readonly (readonly [key: string, value: unknown])[] = [
  ["weight_decay", null],
  ["clipnorm", null],
  ["global_clipnorm", null],
  ["clipvalue", null],
  ["use_ema", false],
  ["gradient_accumulation_steps", null],
  ["amsgrad", false],
  ["decay", 0],
  ["loss_scale_factor", null],
];

/** The optimizer that an option of `compile` or a Keras config names. */
export function toOptimizer(option: unknown): Optimizer {
  if (isConfig(option) && typeof option.update === "function") return option as unknown as Optimizer;
  const name = isConfig(option) ? option.class_name : option;
  // Keras 2.11 and later write `Custom>Adam`.
  const key = typeof name === "string" ? name.replace("Custom>", "").toLowerCase() : "";
  if (!Object.hasOwn(fromConfig, key)) {
    const known = Object.keys(fromConfig).join(", ");
    throw new UserError(`compile: optimizer ${show(name)} is unknown; known are ${known}.`);
  }
  const config = isConfig(option) && isConfig(option.config) ? option.config : {};
  for (const [setting, value] of off) {
    const found = config[setting] ?? value;
    if (found !== value && found) throw new UserError(`optimizer ${key}: ${setting} ${show(found)} is not supported.`);
  }
  return fromConfig[key]!(config);
}
