/**
 * Random numbers inside a step: Philox4x32-10, which makes four words of 32 bits of a counter of four words and a key of
 * two. Numbers are a function of what they are for and never of what was drawn before, so that neither threads nor
 * resuming change them. Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
 * https://doi.org/10.1145/2063384.2063405
 */
import { i8x16, i32x4, i64x2, local, v128 } from "wasmati";
import type { Emitter, V128 } from "../wasm/emitter.ts";
import { lanes } from "./packing.ts";

const ROUNDS = 10;
/** The paper's multipliers, and what is added to the key's words after each round. */
const MULTIPLIERS = [0xd2511f53, 0xcd9e8d57] as const;
const WEYL = [0x9e3779b9, 0xbb67ae85] as const;

export type Words = [number, number, number, number];
export type Key = readonly [number, number];

/** The key that belongs to a seed, an integer from 0 to below 2^53. */
export function keyOf(seed: number): Key {
  return [seed >>> 0, Math.floor(seed / 2 ** 32)];
}

/** The key of each round. */
function roundKeys(key: Key): Key[] {
  return Array.from({ length: ROUNDS }, (_, round) => [
    (key[0] + Math.imul(round, WEYL[0])) >>> 0,
    (key[1] + Math.imul(round, WEYL[1])) >>> 0,
  ]);
}

/** The plain reference: the four words, from 0 to below 2^32, of one counter. */
export function philox4x32(counter: Readonly<Words>, key: Key): Words {
  let [a, b, c, d] = counter;
  const product = (x: number, y: number) => {
    const whole = BigInt(x) * BigInt(y);
    return [Number(whole >> 32n), Number(whole & 0xffff_ffffn)] as const;
  };
  for (const [k0, k1] of roundKeys(key)) {
    const [high0, low0] = product(MULTIPLIERS[0], a);
    const [high1, low1] = product(MULTIPLIERS[1], c);
    [a, b, c, d] = [(high1 ^ b ^ k0) >>> 0, low1, (high0 ^ d ^ k1) >>> 0, low0];
  }
  return [a, b, c, d];
}

/** Writes four generators side by side, one a lane: the counters' words are replaced by the random ones. */
export function emitPhilox4x32(e: Emitter, [a, b, c, d]: readonly [V128, V128, V128, V128], key: Key): void {
  const [first, second] = MULTIPLIERS.map((multiplier) => e.v128(i32x4.splat(multiplier | 0))) as [V128, V128];
  for (const [k0, k1] of roundKeys(key)) {
    e.scope(() => {
      const [high0, low0] = emitProduct(e, first, a);
      const [high1, low1] = emitProduct(e, second, c);
      local.set(a, v128.xor(v128.xor(high1, b), i32x4.splat(k0 | 0)));
      local.set(c, v128.xor(v128.xor(high0, d), i32x4.splat(k1 | 0)));
      local.set(b, low1);
      local.set(d, low0);
    });
  }
}

/** The upper and the lower halves of four products of 64 bits. */
function emitProduct(e: Emitter, x: V128, y: V128): [high: V128, low: V128] {
  const left = e.v128(i64x2.extmul_low_i32x4_u(x, y));
  const right = e.v128(i64x2.extmul_high_i32x4_u(x, y));
  const pick = (...order: number[]) => e.v128(i8x16.shuffle(lanes(...order), left, right));
  return [pick(1, 3, 5, 7), pick(0, 2, 4, 6)];
}
