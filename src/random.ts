/** Seeded random numbers: every stream is a function of a seed and a few integers, never of what was drawn before. */
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** Draws numbers, the same ones for the same seed. */
export interface Generator {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Normal with mean 0 and standard deviation 1 (Box–Muller). */
  normal(): number;
  /** Uniform among the integers from 0 up to, not including, `below`. */
  integer(below: number): number;
}

/** Mixes integers into one of 32 bits, so that neighbouring streams have nothing in common (MurmurHash3's finalizer). */
function mix(values: readonly number[]): number {
  let hash = 0;
  for (const value of values) {
    hash = Math.imul(hash ^ value, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return hash | 0;
}

const mixSeed = (seed: number, path: readonly number[]) => mix([seed | 0, Math.floor(seed / 2 ** 32), ...path]);

/** The seed that belongs to `seed` and `path`, for example the number of a layer: an integer of 32 bits, as Keras wants it. */
export function seedFor(seed: number, ...path: number[]): number {
  return mixSeed(seed, path) >>> 0;
}

/** The stream that belongs to `seed` and `path`, for example the number of a weight. */
export function generator(seed: number, ...path: number[]): Generator {
  const state = xoroshiro128plus(mixSeed(seed, path));
  const uniform = () => uniformFloat64(state);
  return {
    uniform,
    // 1 - u is never 0, whose logarithm has no value.
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    integer: (below) => uniformInt(state, 0, below - 1),
  };
}

/** The numbers 0 … count - 1 in an order that depends on the seed and the epoch alone (Fisher–Yates). */
export function permutation(count: number, seed: number, epoch: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  const { integer } = generator(seed, 0x5f, epoch);
  for (let i = count - 1; i > 0; i--) {
    const j = integer(i + 1);
    const held = order[i]!;
    order[i] = order[j]!;
    order[j] = held;
  }
  return order;
}

/** A seed for whoever asks for none: different each time. */
export function freshSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}
