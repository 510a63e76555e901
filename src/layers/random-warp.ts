/** What the layers that move images at random have in common. */
import { badArgument, type Config, numberIn, oneOf, wholeNumber } from "../arguments.ts";
import { affineWarp, FILL_MODES, INTERPOLATIONS, type WarpAttributes } from "../kernels/affine-warp.ts";
import type { Shape } from "../kernels/op.ts";
import { type AffineFormula, randomAffine } from "../kernels/random-affine.ts";
import type { Layer, LayerOptions } from "./layer.ts";
import { checkImage } from "./padding.ts";
import { refuseUnsupported } from "./unsupported.ts";

/** The largest change either way, or [lower, upper]. */
export type Factor = number | readonly [lower: number, upper: number];

export interface RandomWarpOptions extends LayerOptions {
  /**
   * How the image goes on behind its edges: "reflect" (default) mirrors it, "constant" is `fillValue`, "wrap" begins again at
   * the other edge, "nearest" repeats the last pixel.
   */
  readonly fillMode?: WarpAttributes["fillMode"];
  /** Between pixels: "bilinear" (default), or the "nearest" one. */
  readonly interpolation?: WarpAttributes["interpolation"];
  /** What decides how images move, together with the number of the step. Default: made of the model's seed and the layer's place. */
  readonly seed?: number;
  /** What lies outside of the image in fill mode "constant"; default 0. */
  readonly fillValue?: number;
}

/** A layer's own part. */
interface RandomWarp {
  /** Its options, as Keras names them in a config. */
  readonly config: Config;
  /** What each image draws. */
  readonly ranges: readonly (readonly [lower: number, upper: number])[];
  /** The map, from places in the output to places in the image (height, width, …), that is made of it. */
  formula(image: Shape): AffineFormula;
  /** The same layer with a seed. */
  withSeed(seed: number): Layer;
}

/** @throws UserError for options out of range. */
export function randomWarp(where: string, options: RandomWarpOptions, own: RandomWarp) {
  const fillMode = oneOf(where, "fillMode", options.fillMode ?? "reflect", FILL_MODES);
  const interpolation = oneOf(where, "interpolation", options.interpolation ?? "bilinear", INTERPOLATIONS);
  const fillValue = numberIn(where, "fillValue", options.fillValue ?? 0, {});
  const seed = options.seed === undefined ? undefined : wholeNumber(where, "seed", options.seed);
  const { config, ranges, formula, withSeed } = own;
  const layer: Pick<Layer, "outputShape" | "weights" | "lower" | "getConfig"> = {
    outputShape(input, place) {
      checkImage(input, place);
      return input;
    },
    weights: () => [],
    lower(graph, x, _, step) {
      if (!step) return x;
      const maps = graph.apply(randomAffine, { seed: seed ?? 0, ranges, formula: formula(x.shape) }, step);
      return graph.apply(affineWarp, { fillMode, fillValue, interpolation }, x, maps);
    },
    getConfig: () => ({
      ...config,
      fill_mode: fillMode,
      interpolation,
      seed: seed ?? null,
      fill_value: fillValue,
      data_format: "channels_last",
    }),
  };
  return { ...layer, ...(seed === undefined && { withSeed }) };
}

/** The options in a Keras config that all have. */
export function randomWarpOptionsOf(className: string, config: Config): RandomWarpOptions {
  refuseUnsupported(className, config, { data_format: "channels_last" });
  return {
    fillMode: config.fill_mode,
    interpolation: config.interpolation,
    seed: config.seed ?? undefined,
    fillValue: config.fill_value,
  } as RandomWarpOptions;
}

/** The range of a factor within `limits`, in order. @throws UserError for another one. */
export function toRange(
  where: string,
  name: string,
  factor: unknown,
  isAllowed: (value: number) => boolean,
  limits: string,
): [lower: number, upper: number] {
  const ends = Array.isArray(factor) ? factor : [factor];
  const isFactor = ends.length <= 2 && ends.every((end) => typeof end === "number" && isAllowed(end));
  if (!isFactor || (Array.isArray(factor) && ends.length !== 2)) {
    throw badArgument(where, name, `a number ${limits}, or two of them: [lower, upper]`, factor);
  }
  const [first, second] = ends.length === 2 ? ends : [-ends[0], ends[0]];
  return [Math.min(first, second), Math.max(first, second)];
}
