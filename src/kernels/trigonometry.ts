/**
 * Sine and cosine, four lanes at a time, after the Cephes library's `sinf` and `cosf` (S. Moshier, netlib.org/cephes): the
 * angle less a multiple of π/2, then a polynomial. Up to a few turns errors stay below 2e-7 (a test holds them to that).
 */
import { f32x4, i32x4, type StackVar, v128 } from "wasmati";
import type { Emitter, V128 } from "../wasm/emitter.ts";
import { polynomial } from "./exponential.ts";

/** Pushes sin(x) of angles in radians. */
export function emitSin(e: Emitter, x: V128): StackVar<"v128"> {
  return emitSinAfter(e, x, 0);
}

/** Pushes cos(x) of angles in radians. */
export function emitCos(e: Emitter, x: V128): StackVar<"v128"> {
  return emitSinAfter(e, x, 1);
}

/** π/2 in three parts, the first two exact in few bits, so that the subtractions lose nothing. */
const QUARTER_TURN = [1.5703125, 4.837512969970703e-4, 7.549789948768648e-8] as const;

/** Pushes sin(x + quarters · π/2). */
function emitSinAfter(e: Emitter, x: V128, quarters: number): StackVar<"v128"> {
  const multiple = e.v128(f32x4.nearest(f32x4.mul(x, f32x4.splat(2 / Math.PI))));
  const quadrant = e.v128(i32x4.add(i32x4.trunc_sat_f32x4_s(multiple), i32x4.splat(quarters)));
  let r = x;
  for (const part of QUARTER_TURN) {
    const before = r;
    r = e.v128(f32x4.sub(before, f32x4.mul(multiple, f32x4.splat(part))));
  }
  const square = e.v128(f32x4.mul(r, r));
  const cubic = e.v128(f32x4.mul(square, r));
  const sineTail = e.v128(polynomial(square, [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]));
  const sine = e.v128(f32x4.add(f32x4.mul(sineTail, cubic), r));
  const cosine = e.v128(
    polynomial(square, [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2, -0.5, 1]),
  );
  const isOdd = e.v128(i32x4.neg(v128.and(quadrant, i32x4.splat(1))));
  const magnitude = e.v128(v128.bitselect(cosine, sine, isOdd));
  return v128.xor(magnitude, i32x4.shl(v128.and(quadrant, i32x4.splat(2)), 30));
}
