/**
 * Draws an affine map of the plane for each sample: numbers that are uniform in ranges, and a formula that makes the map of
 * them. What a sample draws is a function of seed, step and its place in the batch. Threads share the samples.
 */
import { f32x4, i32x4, v128 } from "wasmati";
import type { I32 } from "../wasm/emitter.ts";
import { type Arithmetic, numbers, vectors } from "./arithmetic.ts";
import type { Op } from "./op.ts";
import { emitPhilox4x32, keyOf, philox4x32 } from "./philox.ts";

/**
 * The map (x, y) → (xx x + xy y + x0, yx x + yy y + y0) as the columns of its matrix: xx, yx, xy, yy, x0, y0. Written once,
 * for numbers and for WebAssembly.
 */
export type AffineFormula = <V>(m: Arithmetic<V>, draws: readonly V[]) => readonly [V, V, V, V, V, V];

export interface RandomAffineAttributes {
  /** An integer from 0 to below 2^53. */
  readonly seed: number;
  /** What a sample draws, four numbers at most: each uniform from the first to below the second. */
  readonly ranges: readonly (readonly [lower: number, upper: number])[];
  /** Makes the map of what was drawn. */
  readonly formula: AffineFormula;
}

/** Elements of a map. */
export const AFFINE = 6;

/** The counter's third word: other numbers than those of dropout, whose is 0, under the same seed. */
const STREAM = 1;

/** step (1) int32 → maps (6), batched. */
export const randomAffine: Op<RandomAffineAttributes> = {
  name: "randomAffine",

  infer: () => [{ shape: [AFFINE], batched: true, dtype: "float32" }],

  reference({ seed, ranges, formula }, [step], [maps], batch) {
    for (let n = 0; n < batch; n++) {
      const words = philox4x32([n, step!.data[0]! >>> 0, STREAM, 0], keyOf(seed));
      const draws = ranges.map(([lower, upper], i) => lower + (upper - lower) * ((words[i]! >>> 8) / 2 ** 24));
      maps!.data.set(formula(numbers, draws), n * AFFINE);
    }
  },

  emit(e, { seed, ranges, formula }, [step], [maps]) {
    const stepNumber = e.v128(v128.load32_splat({ offset: step!.address }, e.i32(0)));
    const { from, to } = e.samples();
    const n = e.i32();
    e.for(n, from, to, 1, () => {
      // All lanes do the same: a few hundred instructions a sample are not worth a second way for the last ones.
      const splat = (word: I32 | number) => e.v128(i32x4.splat(word));
      const words = [splat(n), e.v128(stepNumber), splat(STREAM), splat(0)] as const;
      emitPhilox4x32(e, words, keyOf(seed));
      const m = vectors(e);
      const draws = ranges.map(([lower, upper], i) => {
        const whole = e.v128(f32x4.convert_i32x4_s(i32x4.shr_u(words[i]!, 8)));
        return m.add(m.constant(lower), m.mul(m.constant((upper - lower) / 2 ** 24), whole));
      });
      const address = e.i32(e.address(maps!.address, [n, AFFINE * 4]));
      for (const [i, value] of formula(m, draws).entries()) v128.store32_lane({ offset: 4 * i }, 0, address, value);
    });
  },
};
