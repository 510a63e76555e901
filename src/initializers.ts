/** Keras's initializers: how weights begin. https://keras.io/api/layers/initializers/ */
import { badArgument, type Config, isConfig, numberIn, oneOf, show } from "./arguments.ts";
import { UserError } from "./errors.ts";
import type { Shape } from "./kernels/op.ts";
import type { Generator } from "./random.ts";

export interface Initializer {
  /** Keras's class name. */
  readonly className: string;
  readonly config: Config;
  /** Values for a weight of this shape, in row-major order. */
  create(shape: Shape, random: Generator): Float32Array;
}

/** A name, in Keras's or TF.js's spelling, or an initializer itself. */
export type InitializerOption = string | Initializer;

function fill(shape: Shape, draw: () => number): Float32Array {
  return Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, draw);
}

/** Number of inputs and outputs of a weight: the last two axes, times the area of the kernel before them. */
function fans(shape: Shape): { in: number; out: number } {
  const area = shape.slice(0, -2).reduce((product, size) => product * size, 1);
  if (shape.length === 1) return { in: shape[0]!, out: shape[0]! };
  return { in: shape.at(-2)! * area, out: shape.at(-1)! * area };
}

/** Normal, drawn again beyond two standard deviations. */
function truncatedNormal({ normal }: Generator): number {
  for (;;) {
    const value = normal();
    if (Math.abs(value) < 2) return value;
  }
}

/** Standard deviation of a normal truncated at two, which Keras makes up for. */
const TRUNCATED_DEVIATION = 0.87962566103423978;

type Mode = "fan_in" | "fan_out" | "fan_avg";
type Distribution = "uniform" | "truncated_normal" | "untruncated_normal";

/** Variance scale / n, where n is the number of inputs, of outputs, or their mean. */
function scaled(scale: number, mode: Mode, distribution: Distribution): Initializer["create"] {
  const variance = (shape: Shape) => {
    const fan = fans(shape);
    return scale / Math.max(1, { fan_in: fan.in, fan_out: fan.out, fan_avg: (fan.in + fan.out) / 2 }[mode]);
  };
  return (shape, random) => {
    const limit = Math.sqrt(3 * variance(shape));
    if (distribution === "uniform") return fill(shape, () => (random.uniform() * 2 - 1) * limit);
    const deviation = Math.sqrt(variance(shape));
    if (distribution === "untruncated_normal") return fill(shape, () => random.normal() * deviation);
    const wider = deviation / TRUNCATED_DEVIATION;
    return fill(shape, () => truncatedNormal(random) * wider);
  };
}

function varianceScaling(className: string, scale: number, mode: Mode, isNormal: boolean): Initializer {
  return { className, config: { seed: null }, create: scaled(scale, mode, isNormal ? "truncated_normal" : "uniform") };
}

const number = (where: string, config: Config, name: string, fallback: number) =>
  numberIn(where, name, config[name] ?? fallback, {});

/** By Keras's class name: from a config to an initializer. */
const classes: Record<string, (config: Config) => Initializer> = {
  Zeros: () => ({ className: "Zeros", config: {}, create: (shape) => fill(shape, () => 0) }),
  Ones: () => ({ className: "Ones", config: {}, create: (shape) => fill(shape, () => 1) }),
  Constant: (config) => {
    const value = number("Constant", config, "value", 0);
    return { className: "Constant", config: { value }, create: (shape) => fill(shape, () => value) };
  },
  GlorotUniform: () => varianceScaling("GlorotUniform", 1, "fan_avg", false),
  GlorotNormal: () => varianceScaling("GlorotNormal", 1, "fan_avg", true),
  HeUniform: () => varianceScaling("HeUniform", 2, "fan_in", false),
  HeNormal: () => varianceScaling("HeNormal", 2, "fan_in", true),
  LecunUniform: () => varianceScaling("LecunUniform", 1, "fan_in", false),
  LecunNormal: () => varianceScaling("LecunNormal", 1, "fan_in", true),
  VarianceScaling: (config) => {
    const where = "VarianceScaling";
    const positive = { min: Number.MIN_VALUE, expected: "a number above 0" };
    const scale = numberIn(where, "scale", config.scale ?? 1, positive);
    const mode = oneOf(where, "mode", config.mode ?? "fan_in", ["fan_in", "fan_out", "fan_avg"]);
    // Keras 2 once called the truncated one normal.
    const given = config.distribution === "normal" ? "truncated_normal" : (config.distribution ?? "truncated_normal");
    const kinds = ["truncated_normal", "untruncated_normal", "uniform"] as const;
    const distribution = oneOf(where, "distribution", given, kinds);
    return {
      className: where,
      config: { scale, mode, distribution, seed: null },
      create: scaled(scale, mode, distribution),
    };
  },
  RandomUniform: (config) => {
    const minval = number("RandomUniform", config, "minval", -0.05);
    const maxval = number("RandomUniform", config, "maxval", 0.05);
    const create = (shape: Shape, { uniform }: Generator) => fill(shape, () => minval + uniform() * (maxval - minval));
    return { className: "RandomUniform", config: { minval, maxval, seed: null }, create };
  },
  RandomNormal: (config) => {
    const mean = number("RandomNormal", config, "mean", 0);
    const stddev = number("RandomNormal", config, "stddev", 0.05);
    const create = (shape: Shape, { normal }: Generator) => fill(shape, () => mean + normal() * stddev);
    return { className: "RandomNormal", config: { mean, stddev, seed: null }, create };
  },
  TruncatedNormal: (config) => {
    const mean = number("TruncatedNormal", config, "mean", 0);
    const stddev = number("TruncatedNormal", config, "stddev", 0.05);
    const create = (shape: Shape, random: Generator) => fill(shape, () => mean + truncatedNormal(random) * stddev);
    return { className: "TruncatedNormal", config: { mean, stddev, seed: null }, create };
  },
};

/** `glorotUniform`, `glorot_uniform` and `GlorotUniform` are one name. */
const key = (name: string) => name.replaceAll("_", "").toLowerCase();

/**
 * The initializer that an option or a Keras config names.
 *
 * @throws UserError where there is none of that name.
 */
export function toInitializer(where: string, name: string, option: unknown): Initializer {
  if (isConfig(option) && typeof option.create === "function") return option as unknown as Initializer;
  const className = isConfig(option) ? option.class_name : option;
  if (typeof className !== "string") throw badArgument(where, name, "the name of an initializer", option);
  const found = Object.keys(classes).find((candidate) => key(candidate) === key(className));
  if (!found) {
    throw new UserError(
      `${where}: ${name} ${show(className)} is unknown; known are ${Object.keys(classes).join(", ")}.`,
    );
  }
  return classes[found]!(isConfig(option) && isConfig(option.config) ? option.config : {});
}

/** As Keras 3 writes an initializer into a layer's config. */
export function initializerConfig({ className, config }: Initializer): Config {
  return { module: "keras.initializers", class_name: className, config, registered_name: null };
}
