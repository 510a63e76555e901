/**
 * Winograd's minimal filtering F(m, r): m outputs of a filter of r taps from n = m + r - 1 multiplications, in place of
 * m * r. `y = A^T [(G g) * (B^T d)]`, with matrices generated from interpolation points (Toom and Cook's construction;
 * Lavin & Gray 2016, https://arxiv.org/abs/1509.09308). In two dimensions each matrix is applied along both axes.
 *
 * The points are 0 where n is even, pairs of a number and its negative, and infinity: what the two points of a pair compute
 * differs in the sign of the odd powers alone, so both come out of one even and one odd sum.
 */
import { f32x4 } from "wasmati";
import type { Emitter, V128 } from "../wasm/emitter.ts";
import type { Filtering, Passes, Transform } from "./filtering.ts";

type Matrix = readonly (readonly number[])[];

/** The matrices of F(m, r): A^T (m x n), G (n x r) and B^T (n x n), where n = m + r - 1. */
interface Matrices {
  readonly output: Matrix;
  readonly kernel: Matrix;
  readonly input: Matrix;
}

/**
 * By the number of multiplications: the points but 0 and infinity, each with its negative, and the error. Points are those
 * with the smallest errors of some that were tried (with 1 and 2 in place of 1/2 and 2, F(4, 3) errs by 5e-6 in place of
 * 2.2e-6); errors are above what was found for random images and kernels of 20 channels.
 */
const METHODS = new Map([
  [4, { magnitudes: [1], error: 1e-7 }],
  [6, { magnitudes: [1 / 2, 2], error: 6e-7 }],
  [8, { magnitudes: [1 / 2, 2, 1], error: 1e-6 }],
  [9, { magnitudes: [1 / 4, 11 / 16, 9 / 8, 9 / 4], error: 2.5e-6 }],
]);

/** F(m, r) in two dimensions, for those numbers of multiplications m + r - 1. */
export function winogradFiltering(m: number, r: number): Filtering {
  const n = m + r - 1;
  const { input, kernel, output } = matricesOf(m, r);
  const passes = (count: number, product: (e: Emitter) => Product): Passes => {
    const writer = (e: Emitter): Transform => {
      const multiply = product(e);
      return ({ load, store }) => {
        const vector = Array.from({ length: count }, (_, i) => load(i));
        for (const [i, value] of multiply(vector).entries()) store(i, value);
      };
    };
    return { size: [count, count], down: writer, across: writer };
  };
  return {
    name: `F(${m}x${m}, ${r}x${r})`,
    m: [m, m],
    r,
    rows: n,
    columns: n,
    filtered: (tap) =>
      kernel.flatMap((down) =>
        kernel.map((across) => {
          let sum = 0;
          for (const [y, a] of down.entries()) for (const [x, b] of across.entries()) sum += a * b * tap(y, x);
          return sum;
        }),
      ),
    parts: 1,
    isWhole: false,
    error: METHODS.get(n)!.error,
    input: passes(n, (e) => multiplyPairedRows(e, input)),
    kernel: passes(r, (e) => multiplyPairedRows(e, kernel)),
    output: passes(n, (e) => multiplyPairedColumns(e, output)),
  };
}

/** The matrices of F(m, r). */
export function matricesOf(m: number, r: number): Matrices {
  const n = m + r - 1;
  const { magnitudes } = METHODS.get(n)!;
  const points = [...(n % 2 === 0 ? [0] : []), ...magnitudes.flatMap((point) => [point, -point])];
  const powers = (point: number, count: number) => Array.from({ length: count }, (_, power) => point ** power);
  const last = (count: number) => Array.from({ length: count }, (_, i) => (i === count - 1 ? 1 : 0));
  const others = (point: number) => points.filter((other) => other !== point);
  const columns = [...points.map((point) => powers(point, m)), last(m)];
  return {
    output: Array.from({ length: m }, (_, i) => columns.map((column) => column[i]!)),
    kernel: [
      ...points.map((point) => {
        const scale = others(point).reduce((product, other) => product * (point - other), 1);
        return powers(point, r).map((power) => power / scale);
      }),
      last(r),
    ],
    input: [...points.map((point) => [...polynomial(others(point)), 0]), polynomial(points)],
  };
}

/** Index of the first point of the pairs. */
const firstPair = (n: number) => (n % 2 === 0 ? 1 : 0);

/** Coefficients, lowest first, of the polynomial with these roots. */
function polynomial(roots: readonly number[]): number[] {
  let coefficients = [1];
  for (const root of roots) {
    const raised = [0, ...coefficients];
    coefficients = raised.map((value, i) => value - root * (coefficients[i] ?? 0));
  }
  return coefficients;
}

/** Writes the product of a matrix with a vector of locals, and gives a local for each of its rows. */
type Product = (vector: readonly V128[]) => V128[];

/** Constants in locals, so that each is made once where the code is entered. */
type Constants = ReadonlyMap<number, V128>;

/** Takes a local for each number but 0, 1 and -1. */
function takeConstants(e: Emitter, numbers: readonly number[]): Constants {
  const values = new Set(numbers.filter((value) => value !== 0 && Math.abs(value) !== 1));
  return new Map([...values].map((value) => [value, e.v128(f32x4.splat(value))]));
}

/** Multiplies by a matrix whose rows are points: B^T and G. */
function multiplyPairedRows(e: Emitter, matrix: Matrix): Product {
  const last = matrix.length - 1;
  const first = firstPair(matrix.length);
  const rows = matrix.map((row) => [halfOf(row, 0), halfOf(row, 1)] as const);
  const halves = rows.flat();
  const factors = halves.flatMap(({ factor }) => [factor, -factor]);
  const constants = takeConstants(e, [...factors, ...halves.flatMap(({ terms }) => terms.map(([value]) => value))]);
  return (vector) => {
    const sumOf = ({ terms }: Half) =>
      combine(
        e,
        constants,
        terms.map(([value, i]) => [value, vector[i]!]),
      );
    const scaled = (half: Half) => combine(e, constants, [[half.factor, sumOf(half)]]);
    return rows.flatMap(([even, odd], i) => {
      if (i < first || i === last) return [scaled(even.factor ? even : odd)];
      // The second row of a pair is made with the first.
      if ((i - first) % 2) return [];
      const isEvenTurned = matrix[i]![even.last] !== matrix[i + 1]![even.last];
      const [kept, turned] = isEvenTurned ? [odd, even] : [even, odd];
      const [sum, other] = [scaled(kept), sumOf(turned)];
      return [1, -1].map((sign) =>
        combine(e, constants, [
          [1, sum],
          [sign * turned.factor, other],
        ]),
      );
    });
  };
}

/** The even or the odd powers of a row: `factor` times terms of which the last has coefficient 1; 0 where there are none. */
interface Half {
  readonly factor: number;
  readonly last: number;
  readonly terms: readonly (readonly [coefficient: number, index: number])[];
}

function halfOf(row: readonly number[], parity: number): Half {
  const indices = [...row.keys()].filter((i) => i % 2 === parity && row[i] !== 0);
  const last = indices.at(-1) ?? parity;
  const factor = row[last]!;
  return { factor, last, terms: indices.map((i) => [row[i]! / factor, i]) };
}

/** Multiplies by a matrix whose columns are points: A^T. */
function multiplyPairedColumns(e: Emitter, matrix: Matrix): Product {
  const constants = takeConstants(e, matrix.flat());
  return (vector) => {
    const last = vector.length - 1;
    const first = firstPair(vector.length);
    const pairs = Array.from({ length: (last - first) / 2 }, (_, pair) => first + 2 * pair);
    const sums = pairs.map((i) => e.v128(f32x4.add(vector[i]!, vector[i + 1]!)));
    const differences = pairs.map((i) => e.v128(f32x4.sub(vector[i]!, vector[i + 1]!)));
    return matrix.map((row, power) => {
      const halves = power % 2 === 0 ? sums : differences;
      const terms: Term[] = pairs.map((i, pair) => [row[i]!, halves[pair]!]);
      for (const i of first ? [0, last] : [last]) if (row[i] !== 0) terms.unshift([row[i]!, vector[i]!]);
      return combine(e, constants, terms);
    });
  };
}

type Term = readonly [coefficient: number, variable: V128];

/** A local with the sum of `coefficient * variable`. It begins with a coefficient of 1. */
function combine(e: Emitter, constants: Constants, terms: readonly Term[]): V128 {
  const first = terms.find(([coefficient]) => coefficient === 1) ?? terms[0]!;
  let sum = first[1];
  if (first[0] === -1) sum = e.v128(f32x4.neg(sum));
  else if (first[0] !== 1) sum = e.v128(f32x4.mul(sum, constants.get(first[0])!));
  for (const [coefficient, variable] of terms) {
    if (variable === first[1]) continue;
    if (coefficient === 1) sum = e.v128(f32x4.add(sum, variable));
    else if (coefficient === -1) sum = e.v128(f32x4.sub(sum, variable));
    else sum = e.v128(e.madd(variable, constants.get(coefficient)!, sum));
  }
  return sum;
}
