/** Learning rates that follow the number of steps. https://keras.io/api/optimizers/learning_rate_schedules/ */
import { boolean, numberIn, onlyKnown, positiveInteger, wholeNumber } from "../arguments.ts";
import type { Schedule } from "./schedule.ts";

/** What `exponentialDecay` is told. */
export interface ExponentialDecayOptions {
  readonly initialLearningRate: number;
  /** Number of steps after which the rate has been multiplied by `decayRate` once. */
  readonly decaySteps: number;
  readonly decayRate: number;
  /** Decay every `decaySteps` steps at once, and not between. Default false. */
  readonly staircase?: boolean;
}

/** What `cosineDecay` is told. */
export interface CosineDecayOptions {
  readonly initialLearningRate: number;
  /** Number of steps, after the warm-up, until the rate has reached its end. */
  readonly decaySteps: number;
  /** The rate at the end as a share of the highest; default 0. */
  readonly alpha?: number;
  /** The rate that the warm-up leads to, and that decays; without it there is no warm-up. */
  readonly warmupTarget?: number | null;
  /** Number of steps of the warm-up; default 0. */
  readonly warmupSteps?: number;
}

const { fround } = Math;

const POSITIVE = { min: 0, expected: "a number of at least 0" };

/**
 * rate = initial · decayRate ^ (step / decaySteps).
 * https://keras.io/api/optimizers/learning_rate_schedules/exponential_decay/
 */
export function exponentialDecay(options: ExponentialDecayOptions): Schedule {
  const where = "exponentialDecay";
  onlyKnown(where, options, ["initialLearningRate", "decaySteps", "decayRate", "staircase"]);
  const initial = numberIn(where, "initialLearningRate", options.initialLearningRate, POSITIVE);
  const decaySteps = positiveInteger(where, "decaySteps", options.decaySteps);
  const decayRate = numberIn(where, "decayRate", options.decayRate, POSITIVE);
  const staircase = boolean(where, "staircase", options.staircase ?? false);
  return {
    className: "ExponentialDecay",
    rateAt(step) {
      const passed = fround(step / decaySteps);
      return fround(fround(initial) * fround(fround(decayRate) ** (staircase ? Math.floor(passed) : passed)));
    },
    getConfig: () => ({
      initial_learning_rate: initial,
      decay_steps: decaySteps,
      decay_rate: decayRate,
      staircase,
      name: "ExponentialDecay",
    }),
  };
}

/**
 * A linear warm-up from the initial rate to `warmupTarget`, where there is one, then half a wave of the cosine down to
 * `alpha` of that (Loshchilov & Hutter 2016). https://keras.io/api/optimizers/learning_rate_schedules/cosine_decay/
 */
export function cosineDecay(options: CosineDecayOptions): Schedule {
  const where = "cosineDecay";
  onlyKnown(where, options, ["initialLearningRate", "decaySteps", "alpha", "warmupTarget", "warmupSteps"]);
  const initial = numberIn(where, "initialLearningRate", options.initialLearningRate, POSITIVE);
  const decaySteps = positiveInteger(where, "decaySteps", options.decaySteps);
  const alpha = numberIn(where, "alpha", options.alpha ?? 0, POSITIVE);
  const warmupSteps = wholeNumber(where, "warmupSteps", options.warmupSteps ?? 0);
  const target = options.warmupTarget ?? null;
  if (target !== null) numberIn(where, "warmupTarget", target, POSITIVE);
  const decayed = (passed: number, from: number) => {
    const cosine = 0.5 * (1 + Math.cos(Math.PI * Math.min(passed / decaySteps, 1)));
    return fround(from * ((1 - alpha) * cosine + alpha));
  };
  return {
    className: "CosineDecay",
    rateAt(step) {
      if (target === null) return decayed(step, initial);
      if (step >= warmupSteps) return decayed(step - warmupSteps, target);
      return fround((target - initial) * (step / warmupSteps) + initial);
    },
    getConfig: () => ({
      initial_learning_rate: initial,
      decay_steps: decaySteps,
      alpha,
      name: "CosineDecay",
      warmup_target: target,
      warmup_steps: warmupSteps,
    }),
  };
}
