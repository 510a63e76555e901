/** What an optimizer is: its configuration, its counter of steps, and the update of a weight as ops. */
import { type Config, numberIn, onlyKnown } from "../arguments.ts";
import type { UpdateRule } from "../compiler/network.ts";
import { UserError } from "../errors.ts";
import { clipByNorm } from "../kernels/gradient-norms.ts";
import type { UpdateAttributes, UpdateOp } from "../kernels/parameter-update.ts";
import { isSchedule, type Schedule, scheduleConfig } from "./schedule.ts";

/** An optimizer, with its number of steps and its learning rate. */
export interface Optimizer extends UpdateRule {
  /** Keras's class name. */
  readonly className: string;
  /** The name that Keras gives it, which begins the names of the saved state. */
  readonly name: string;
  /**
   * The rate of the next step. May be changed at any time; counts from the next step on.
   *
   * @throws UserError when it is set although it follows a schedule, or to what is no rate.
   */
  learningRate: number;
  /** What the learning rate follows, where it does. */
  readonly schedule: Schedule | undefined;
  /** Number of steps made. */
  iterations: number;
  /** `slotNames`, in the groups that Keras saves one after another: in a group weight by weight, all of one together. */
  readonly slotGroups: readonly (readonly string[])[];
  /** The scalars of the next step, from `iterations` and `learningRate`. */
  stepScalars(): number[];
  /** What Keras's `get_config` gives, less what is switched off: Keras 2 and 3 call that by different names. */
  getConfig(): Config;
}

/** Options that all optimizers have. At most one of the three ways to clip may be given; 0 is none. */
export interface OptimizerOptions {
  readonly learningRate?: number | Schedule;
  /** Share of each weight, times the learning rate, that is taken off before each update. */
  readonly weightDecay?: number;
  /** Scales the gradient of each weight down to this norm, where it is larger. */
  readonly clipnorm?: number;
  /** Scales all gradients down so that their common norm is at most this. */
  readonly globalClipnorm?: number;
  /** Bounds each element of a gradient by this and its negative. */
  readonly clipvalue?: number;
}

/** What makes an optimizer the one that it is. */
export interface Kind<Attributes> {
  /** What users call, for messages. */
  readonly where: string;
  readonly className: string;
  readonly name: string;
  readonly slotGroups: readonly (readonly string[])[];
  readonly op: UpdateOp<Attributes & UpdateAttributes>;
  readonly attributes: Attributes;
  /** The formula's one scalar for a step, counted from 1; without it the learning rate. */
  readonly scalar?: (rate: number, step: number) => number;
  /** Its own part of the config. */
  readonly config: Config;
}

const AT_LEAST_0 = { min: 0, expected: "a number of at least 0" };

export function learningRateOf(where: string, value: unknown): number {
  return numberIn(where, "learningRate", value, AT_LEAST_0);
}

/** Refuses options that neither all optimizers nor this one has. */
export function checkNames(where: string, options: object, own: readonly string[]): void {
  onlyKnown(where, options, ["learningRate", ...own, "weightDecay", "clipnorm", "globalClipnorm", "clipvalue"]);
}

/** A number from 0 to below 1. */
export function shareOf(where: string, name: string, value: unknown): number {
  return numberIn(where, name, value, { min: 0, below: 1, expected: "a number from 0 to below 1" });
}

export function atLeast0(where: string, name: string, value: unknown): number {
  return numberIn(where, name, value, AT_LEAST_0);
}

function checkCommon(where: string, options: OptimizerOptions) {
  const check = (name: "weightDecay" | "clipnorm" | "globalClipnorm" | "clipvalue") =>
    options[name] === undefined ? undefined : atLeast0(where, name, options[name]);
  const clips = [options.clipnorm, options.globalClipnorm, options.clipvalue];
  if (clips.filter((clip) => clip !== undefined).length > 1) {
    throw new UserError(`${where}: only one of clipnorm, globalClipnorm and clipvalue can be given.`);
  }
  return {
    weightDecay: check("weightDecay"),
    clipnorm: check("clipnorm"),
    globalClipnorm: check("globalClipnorm"),
    clipvalue: check("clipvalue"),
  };
}

/** An optimizer, from what is its own and from the options that all have. https://keras.io/api/optimizers/ */
export function makeOptimizer<Attributes>(
  kind: Kind<Attributes>,
  options: OptimizerOptions,
  defaultRate: number,
): Optimizer {
  const { where, className, name, slotGroups, op, scalar = (rate) => rate } = kind;
  const { weightDecay, clipnorm, globalClipnorm, clipvalue } = checkCommon(where, options);
  const given = options.learningRate ?? defaultRate;
  const schedule = isSchedule(given) ? given : undefined;
  let rate = isSchedule(given) ? 0 : learningRateOf(where, given);
  const attributes = {
    ...kind.attributes,
    ...(weightDecay && { decays: true }),
    ...(clipvalue && { clipvalue }),
  };
  const norm = clipnorm || globalClipnorm;
  return {
    className,
    name,
    schedule,
    iterations: 0,
    slotGroups,
    slotNames: slotGroups.flat(),
    scalarCount: weightDecay ? 2 : 1,
    get learningRate() {
      return schedule ? schedule.rateAt(this.iterations) : rate;
    },
    set learningRate(value) {
      if (schedule) throw new UserError(`${where}: the learning rate follows a schedule, and cannot be set.`);
      rate = learningRateOf(where, value);
    },
    stepScalars() {
      const own = scalar(this.learningRate, this.iterations + 1);
      return weightDecay ? [own, this.learningRate * weightDecay] : [own];
    },
    ...(norm && { factors: (graph, gradients) => clipByNorm(graph, gradients, { norm, isGlobal: !clipnorm }) }),
    update(graph, { parameter, gradient, slots, scalars, factor }) {
      const own = factor ? { ...attributes, factor: factor.index } : attributes;
      graph.applyAll(op, own, parameter, gradient, ...slots, scalars, ...(factor ? [factor.factors] : []));
    },
    getConfig() {
      const common = { weight_decay: weightDecay, clipnorm, global_clipnorm: globalClipnorm, clipvalue };
      return {
        name,
        learning_rate: schedule ? scheduleConfig(schedule) : rate,
        ...Object.fromEntries(Object.entries(common).filter(([, value]) => value !== undefined)),
        ...kind.config,
      };
    },
  };
}
