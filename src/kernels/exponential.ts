/**
 * Exponential functions, four lanes at a time, after the Cephes library's single-precision `expf` and `tanhf`
 * (S. Moshier, netlib.org/cephes): range reduction by multiples of ln 2, then a polynomial; the logarithm of 1 + x after its
 * `logf`, the error function after Eigen's rational approximation. The logarithm for losses is scalar, in double precision.
 * Relative errors stay below 2e-7, those of exp(x) - 1 and ln(1 + x) below 3e-7, of erf(x) below 4e-7 (tests hold them to that).
 */
import { f32x4, f64, type Input, i32x4, i64, local, type StackVar, v128 } from "wasmati";
import type { Emitter, F64, V128 } from "../wasm/emitter.ts";

/** Pushes a polynomial in x, highest coefficient first, by Horner's rule with separate roundings on every host. */
export function polynomial(x: V128, coefficients: readonly number[]): StackVar<"v128"> {
  let value = f32x4.splat(coefficients[0]!);
  for (const coefficient of coefficients.slice(1)) value = f32x4.add(f32x4.mul(value, x), f32x4.splat(coefficient));
  return value;
}

/** What exp(x) is made of: scale · (1 + r + tail), where scale is a power of 2, r small, and tail the series from r² on. */
function reduceExponent(e: Emitter, x: V128): { scale: V128; r: V128; tail: V128 } {
  const clamped = e.v128(f32x4.max(f32x4.min(x, f32x4.splat(88)), f32x4.splat(-87)));
  const multiple = e.v128(f32x4.nearest(f32x4.mul(clamped, f32x4.splat(Math.LOG2E))));
  // ln 2 in two parts, the first exact in few bits, so that the subtraction loses nothing.
  const high = e.v128(f32x4.sub(clamped, f32x4.mul(multiple, f32x4.splat(0.693359375))));
  const r = e.v128(f32x4.sub(high, f32x4.mul(multiple, f32x4.splat(-2.1219444e-4))));
  const coefficients = [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5];
  const series = e.v128(polynomial(r, coefficients));
  const tail = e.v128(f32x4.mul(series, f32x4.mul(r, r)));
  const scale = e.v128(i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(multiple), i32x4.splat(127)), 23));
  return { scale, r, tail };
}

/** Pushes exp(x); below -87 it is 0 to within the smallest normal number, above 88 it stays finite (1.7e38). */
export function emitExp(e: Emitter, x: V128): StackVar<"v128"> {
  const { scale, r, tail } = reduceExponent(e, x);
  return f32x4.mul(scale, f32x4.add(tail, f32x4.add(r, f32x4.splat(1))));
}

/** Pushes exp(x) - 1, exact to the last places near 0 too. */
export function emitExpm1(e: Emitter, x: V128): StackVar<"v128"> {
  const { scale, r, tail } = reduceExponent(e, x);
  const part = e.v128(f32x4.mul(scale, f32x4.add(tail, r)));
  return f32x4.add(part, f32x4.sub(scale, f32x4.splat(1)));
}

/** Pushes ln(1 + x) of an x from 0 to 1. */
export function emitLog1p(e: Emitter, x: V128): StackVar<"v128"> {
  // Beyond √2 - 1 as ln 2 + ln(1 + z) with z = (x - 1) / 2, which the series takes as well.
  const isFar = e.v128(f32x4.gt(x, f32x4.splat(Math.SQRT2 - 1)));
  const halved = e.v128(f32x4.mul(f32x4.sub(x, f32x4.splat(1)), f32x4.splat(0.5)));
  const z = e.v128(v128.bitselect(halved, x, isFar));
  const square = e.v128(f32x4.mul(z, z));
  const coefficients = [
    7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
    2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
  ];
  const series = e.v128(polynomial(z, coefficients));
  const cubic = e.v128(f32x4.mul(f32x4.mul(series, square), z));
  const tail = e.v128(f32x4.sub(cubic, f32x4.mul(square, f32x4.splat(0.5))));
  const near = e.v128(f32x4.add(z, tail));
  return f32x4.add(near, v128.and(f32x4.splat(Math.LN2), isFar));
}

/** Pushes erf(x): x P(x²) / Q(x²) on -4 to 4, where it reaches ±1 in single precision. */
export function emitErf(e: Emitter, x: V128): StackVar<"v128"> {
  const clamped = e.v128(f32x4.max(f32x4.min(x, f32x4.splat(4)), f32x4.splat(-4)));
  const square = e.v128(f32x4.mul(clamped, clamped));
  const above = [
    -2.72614225801306e-10, 2.77068142495902e-8, -2.10102402082508e-6, -5.69250639462346e-5, -7.34990630326855e-4,
    -2.954599808540251e-3, -1.60960333262415e-2,
  ];
  const below = [
    -1.45660718464996e-5, -2.13374055278905e-4, -1.68282697438203e-3, -7.37332916720468e-3, -1.42647390514189e-2,
  ];
  const numerator = e.v128(f32x4.mul(clamped, polynomial(square, above)));
  const denominator = e.v128(polynomial(square, below));
  return f32x4.div(numerator, denominator);
}

/** Pushes 1 / (1 + exp(-x)). */
export function emitSigmoid(e: Emitter, x: V128): StackVar<"v128"> {
  const exponential = e.v128(emitExp(e, e.v128(f32x4.neg(x))));
  return f32x4.div(f32x4.splat(1), f32x4.add(exponential, f32x4.splat(1)));
}

/** Pushes tanh(x): a polynomial near 0, where 1 - 2 / (exp(2x) + 1) would cancel. */
export function emitTanh(e: Emitter, x: V128): StackVar<"v128"> {
  const magnitude = e.v128(f32x4.abs(x));
  const square = e.v128(f32x4.mul(x, x));
  const coefficients = [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1];
  const series = e.v128(polynomial(square, coefficients));
  const near = e.v128(f32x4.add(f32x4.mul(f32x4.mul(series, square), x), x));
  const exponential = e.v128(emitExp(e, e.v128(f32x4.add(magnitude, magnitude))));
  const quotient = f32x4.div(f32x4.splat(2), f32x4.add(exponential, f32x4.splat(1)));
  const positive = e.v128(f32x4.sub(f32x4.splat(1), quotient));
  const far = e.v128(v128.bitselect(x, positive, i32x4.splat(-0x80000000)));
  return v128.bitselect(near, far, f32x4.lt(magnitude, f32x4.splat(0.625)));
}

/** Pushes ln(x) of a positive, normal, finite x: x = 2^k m with m in [√½, √2), then the series of artanh. */
export function emitLog(e: Emitter, x: F64 | Input<"f64">): StackVar<"f64"> {
  const value = e.f64(x);
  const bits = e.i64(i64.reinterpret_f64(value));
  // Adding the bits of 1 - √½ moves the boundary between exponents from 1 to √2.
  const shifted = e.i64(i64.add(bits, 0x3ff0000000000000n - 0x3fe6a09e667f3bcdn));
  const k = e.i64(i64.sub(i64.shr_s(shifted, 52n), 1023n));
  const m = e.f64(f64.reinterpret_i64(i64.sub(bits, i64.shl(k, 52n))));
  const s = e.f64(f64.div(f64.sub(m, 1), f64.add(m, 1)));
  const square = e.f64(f64.mul(s, s));
  let series = f64.const(1 / 17);
  for (let n = 15; n >= 1; n -= 2) series = f64.add(f64.mul(series, square), 1 / n);
  local.set(square, series);
  return f64.add(f64.mul(f64.mul(s, 2), square), f64.mul(f64.convert_i64_s(k), Math.LN2));
}
