/**
 * Arithmetic in which a formula is written once and works twice: on numbers in double precision, as the reference, and on
 * vectors of four, as WebAssembly.
 */
import { f32x4, v128 } from "wasmati";
import type { Emitter, V128 } from "../wasm/emitter.ts";
import { emitErf, emitExp, emitExpm1, emitLog1p, emitSigmoid, emitTanh } from "./exponential.ts";
import { emitCos, emitSin } from "./trigonometry.ts";

export interface Arithmetic<V> {
  constant(value: number): V;
  add(a: V, b: V): V;
  sub(a: V, b: V): V;
  mul(a: V, b: V): V;
  div(a: V, b: V): V;
  /** The smaller one; a NaN in `a` stays. */
  min(a: V, b: V): V;
  /** The larger one; a NaN in `a` stays. */
  max(a: V, b: V): V;
  neg(a: V): V;
  abs(a: V): V;
  sqrt(a: V): V;
  exp(a: V): V;
  /** exp(a) - 1 without cancellation. */
  expm1(a: V): V;
  /** ln(1 + a) of an `a` from 0 to 1. */
  log1p(a: V): V;
  /** 1 / (1 + exp(-a)). */
  sigmoid(a: V): V;
  tanh(a: V): V;
  erf(a: V): V;
  /** Of an angle in radians, a few turns at most. */
  sin(a: V): V;
  cos(a: V): V;
  /** `then` where a > b, else `otherwise`. */
  whereGreater(a: V, b: V, then: V, otherwise: V): V;
}

/** On numbers, in double precision. */
export const numbers: Arithmetic<number> = {
  constant: (value) => value,
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  min: Math.min,
  max: Math.max,
  neg: (a) => -a,
  abs: Math.abs,
  sqrt: Math.sqrt,
  exp: Math.exp,
  expm1: Math.expm1,
  log1p: Math.log1p,
  sigmoid: (a) => 1 / (1 + Math.exp(-a)),
  tanh: Math.tanh,
  erf,
  sin: Math.sin,
  cos: Math.cos,
  whereGreater: (a, b, then, otherwise) => (a > b ? then : otherwise),
};

/** On vectors: each result is a local of its own, so that no order of operands can be mistaken. */
export function vectors(e: Emitter): Arithmetic<V128> {
  return {
    constant: (value) => e.v128(f32x4.splat(value)),
    add: (a, b) => e.v128(f32x4.add(a, b)),
    sub: (a, b) => e.v128(f32x4.sub(a, b)),
    mul: (a, b) => e.v128(f32x4.mul(a, b)),
    div: (a, b) => e.v128(f32x4.div(a, b)),
    min: (a, b) => e.v128(f32x4.pmin(a, b)),
    max: (a, b) => e.v128(f32x4.pmax(a, b)),
    neg: (a) => e.v128(f32x4.neg(a)),
    abs: (a) => e.v128(f32x4.abs(a)),
    sqrt: (a) => e.v128(f32x4.sqrt(a)),
    exp: (a) => e.v128(emitExp(e, a)),
    expm1: (a) => e.v128(emitExpm1(e, a)),
    log1p: (a) => e.v128(emitLog1p(e, a)),
    sigmoid: (a) => e.v128(emitSigmoid(e, a)),
    tanh: (a) => e.v128(emitTanh(e, a)),
    erf: (a) => e.v128(emitErf(e, a)),
    sin: (a) => e.v128(emitSin(e, a)),
    cos: (a) => e.v128(emitCos(e, a)),
    whereGreater(a, b, then, otherwise) {
      const mask = e.v128(f32x4.gt(a, b));
      return e.v128(v128.bitselect(then, otherwise, mask));
    },
  };
}

/** The error function, by a series whose terms are all positive (Abramowitz and Stegun 7.1.6). */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}
