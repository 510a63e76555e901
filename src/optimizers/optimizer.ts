/** What an optimizer is: its configuration, its counter of steps, and the update of a weight as ops. */
import { type Config, numberIn } from "../arguments.ts";
import type { UpdateRule } from "../compiler/network.ts";

export interface Optimizer extends UpdateRule {
  /** Keras's class name; in lower case it begins the names of the saved state. */
  readonly className: string;
  /** May be changed at any time; counts from the next step on. */
  learningRate: number;
  /** Number of steps made. */
  iterations: number;
  /** The scalars of the next step, from `iterations` and `learningRate`. */
  stepScalars(): number[];
  /** What Keras's `get_config` gives, less what is switched off: Keras 2 and 3 call that by different names. */
  getConfig(): Config;
}

export function learningRateOf(where: string, value: unknown): number {
  return numberIn(where, "learningRate", value, { min: 0, expected: "a number of at least 0" });
}
