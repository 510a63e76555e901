/**
 * Winograd's minimal filtering F(m, r): m outputs of a filter of r taps from n = m + r - 1 multiplications, in place of
 * m * r. `y = A^T [(G g) * (B^T d)]`, with matrices generated from interpolation points (Toom and Cook's construction;
 * Lavin & Gray 2016, https://arxiv.org/abs/1509.09308). In two dimensions each matrix is applied to columns, then to rows.
 *
 * The points are 0, infinity, and pairs of a number and its negative: what the two points of a pair compute differs in the
 * sign of the odd powers alone, so both come out of one even and one odd sum.
 */
import { f32x4 } from "wasmati";
import type { Emitter, V128 } from "../wasm/emitter.ts";

type Matrix = readonly (readonly number[])[];

export interface Filtering {
  /** Outputs, taps and multiplications along one axis; m and n are even. */
  readonly m: number;
  readonly r: number;
  readonly n: number;
  /** A^T (m x n), G (n x r) and B^T (n x n). */
  readonly output: Matrix;
  readonly kernel: Matrix;
  readonly input: Matrix;
  /** What two-dimensional filtering errs by, for inputs of up to 1, in parts of the sum of the kernel's magnitudes. */
  readonly error: number;
}

/**
 * The points between 0 and infinity, each with its negative, for one, two and three pairs: those with the smallest errors
 * of some that were tried (with 1 and 2 in place of 1/2 and 2, F(4, 3) errs by 5e-6 in place of 2.2e-6).
 */
const MAGNITUDES = [[], [1], [1 / 2, 2], [1 / 2, 2, 1]];

/** By the number of pairs: twice what was found for random images and kernels of 20 channels. */
const ERRORS = [0, 1e-7, 3e-7, 1e-6];

/** The matrices of F(m, r), for even m and odd r with m + r - 1 at most 8. */
export function filtering(m: number, r: number): Filtering {
  const n = m + r - 1;
  const points = [0, ...MAGNITUDES[(n - 2) / 2]!.flatMap((point) => [point, -point])];
  const powers = (point: number, count: number) => Array.from({ length: count }, (_, power) => point ** power);
  const last = (count: number) => Array.from({ length: count }, (_, i) => (i === count - 1 ? 1 : 0));
  const others = (point: number) => points.filter((other) => other !== point);
  const columns = [...points.map((point) => powers(point, m)), last(m)];
  return {
    m,
    r,
    n,
    output: Array.from({ length: m }, (_, i) => columns.map((column) => column[i]!)),
    kernel: [
      ...points.map((point) => {
        const scale = others(point).reduce((product, other) => product * (point - other), 1);
        return powers(point, r).map((power) => power / scale);
      }),
      last(r),
    ],
    error: ERRORS[(n - 2) / 2]!,
    input: [...points.map((point) => [...polynomial(others(point)), 0]), polynomial(points)],
  };
}

/** Coefficients, lowest first, of the polynomial with these roots. */
function polynomial(roots: readonly number[]): number[] {
  let coefficients = [1];
  for (const root of roots) {
    const raised = [0, ...coefficients];
    coefficients = raised.map((value, i) => value - root * (coefficients[i] ?? 0));
  }
  return coefficients;
}

/** Constants in locals, so that each is made once where the code is entered. */
export type Constants = ReadonlyMap<number, V128>;

/** Takes a local for each coefficient of a matrix that is not 0, 1 or -1. */
export function takeConstants(e: Emitter, matrix: Matrix): Constants {
  const values = new Set(matrix.flat().filter((value) => value !== 0 && Math.abs(value) !== 1));
  return new Map([...values].map((value) => [value, e.v128(f32x4.splat(value))]));
}

/** Writes the product of a matrix whose rows are points, in pairs, with a vector: B^T and G. Returns one local a row. */
export function multiplyPairedRows(e: Emitter, matrix: Matrix, constants: Constants, vector: readonly V128[]): V128[] {
  const terms = (row: readonly number[], parity: number): Term[] =>
    row.flatMap((value, i): Term[] => (value !== 0 && i % 2 === parity ? [[value, vector[i]!]] : []));
  const results: V128[] = [];
  for (let i = 0; i < matrix.length; ) {
    const row = matrix[i]!;
    const even = combine(e, constants, terms(row, 0));
    const odd = combine(e, constants, terms(row, 1));
    if (i === 0 || i === matrix.length - 1) {
      results.push((even ?? odd)!);
      i++;
    } else {
      results.push(e.v128(f32x4.add(even!, odd!)), e.v128(f32x4.sub(even!, odd!)));
      i += 2;
    }
  }
  return results;
}

/** As `multiplyPairedRows`, for a matrix whose columns are points: A^T. */
export function multiplyPairedColumns(e: Emitter, matrix: Matrix, constants: Constants, vector: readonly V128[]) {
  const last = vector.length - 1;
  const pairs = Array.from({ length: (last - 1) / 2 }, (_, pair) => 1 + 2 * pair);
  const sums = pairs.map((i) => e.v128(f32x4.add(vector[i]!, vector[i + 1]!)));
  const differences = pairs.map((i) => e.v128(f32x4.sub(vector[i]!, vector[i + 1]!)));
  return matrix.map((row, power) => {
    const halves = power % 2 === 0 ? sums : differences;
    const terms: Term[] = pairs.map((i, pair) => [row[i]!, halves[pair]!]);
    for (const i of [0, last]) if (row[i] !== 0) terms.unshift([row[i]!, vector[i]!]);
    return combine(e, constants, terms)!;
  });
}

type Term = readonly [coefficient: number, variable: V128];

/** A local with the sum of `coefficient * variable`; none for no terms. The sum begins with a coefficient of 1. */
function combine(e: Emitter, constants: Constants, terms: readonly Term[]): V128 | undefined {
  const first = terms.find(([coefficient]) => coefficient === 1) ?? terms[0];
  if (!first) return undefined;
  const rest = terms.filter((term) => term !== first);
  let sum = first[1];
  if (first[0] === -1) sum = e.v128(f32x4.neg(sum));
  else if (first[0] !== 1) sum = e.v128(f32x4.mul(sum, constants.get(first[0])!));
  for (const [coefficient, variable] of rest) {
    if (coefficient === 1) sum = e.v128(f32x4.add(sum, variable));
    else if (coefficient === -1) sum = e.v128(f32x4.sub(sum, variable));
    else sum = e.v128(e.madd(variable, constants.get(coefficient)!, sum));
  }
  return sum;
}
