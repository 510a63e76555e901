/**
 * Filtering of a whole image by the discrete Fourier transform, as a product of polynomials: the image is one of degree
 * below N in two variables, down (u) and across (v), the kernel one of their negative powers. The product is taken modulo
 * u^N + 1 and v^N - 1; what wraps around falls on the border of zeros, so that one border serves both sides, and N = 16
 * is enough for an image of 14x14 with two zeros all around.
 *
 * A polynomial modulo u^N + 1 is known by its values at the roots of that. They come in N / 2 conjugate pairs, of which one
 * root is enough where the coefficients are real: N / 2 rows of N complex numbers in all. Each product of complex numbers
 * takes three real ones (Gauss), which makes 3 N^2 / 2, with the rounding of direct sums.
 *
 * Values at roots are found by remainders: a polynomial modulo z^n - s^2 is known by its remainders modulo z^(n/2) - s and
 * z^(n/2) + s (Fiduccia's form of the fast Fourier transform, 1972).
 */
import { f32x4, i32, local, v128 } from "wasmati";
import type { Emitter, I32, V128 } from "../wasm/emitter.ts";
import type { FilteredImage, Filtering, Vectors, Writer } from "./filtering.ts";

/** A vector of numbers, or zeros. */
type Real = V128 | undefined;

interface Complex {
  readonly re: Real;
  readonly im: Real;
}

const ZERO: Complex = { re: undefined, im: undefined };

/** The value of a polynomial at the root of unity of that angle. */
type Value = readonly [value: Complex, angle: number];

interface Coefficients {
  readonly at: (index: number) => Complex;
  /** Runs `body` in a loop, each time with all coefficients one further on; where none is known to be zero. */
  readonly repeat?: (count: number, body: (at: Coefficients["at"]) => void) => void;
}

/** Coefficients that are each made of `step` vectors. */
function inVectors(
  { load, repeat }: Vectors,
  step: number,
  read: (load: Vectors["load"], index: number) => Complex,
): Coefficients {
  return {
    at: (index) => read(load, index),
    repeat: (count, body) => repeat(count, step, (load) => body((index) => read(load, index))),
  };
}

const COMPLEX_BYTES = 32;

function put({ re, im }: Complex, desk: I32, place: number): void {
  if (re) v128.store({ offset: place * COMPLEX_BYTES }, desk, re);
  if (im) v128.store({ offset: place * COMPLEX_BYTES + 16 }, desk, im);
}

/** Arithmetic with complex vectors. Angles are counted in quarters of the Nth part of a circle. */
class Rotations {
  readonly #e: Emitter;
  readonly #n: number;
  readonly #desk: I32;
  readonly #cosines: readonly (V128 | undefined)[];
  readonly #tangents: readonly (V128 | undefined)[];

  readonly #half: V128;
  readonly #sine: V128;

  /** Takes locals for the constants, so that each is made once where the code is entered. */
  constructor(e: Emitter, n: number, desk: I32) {
    this.#e = e;
    this.#desk = desk;
    this.#n = n;
    const constants = (of: (radians: number) => number) =>
      Array.from({ length: n / 2 + 1 }, (_, angle) => {
        const value = Math.fround(of((Math.PI * angle) / (2 * n)));
        return value === 1 ? undefined : e.v128(f32x4.splat(value));
      });
    this.#cosines = constants(Math.cos);
    this.#tangents = constants(Math.tan);
    this.#half = e.v128(f32x4.splat(1 / 2));
    this.#sine = e.v128(f32x4.splat(Math.sqrt(3) / 2));
  }

  /** a + sign * b * factor, where no factor is 1. */
  #add(a: Real, b: Real, sign: number, factor?: V128): Real {
    const e = this.#e;
    if (!b) return a;
    if (!a) {
      const product = factor ? e.v128(f32x4.mul(b, factor)) : b;
      return sign < 0 ? e.v128(f32x4.neg(product)) : product;
    }
    if (factor) return e.v128(sign < 0 ? e.nmadd(b, factor, a) : e.madd(b, factor, a));
    return e.v128(sign < 0 ? f32x4.sub(a, b) : f32x4.add(a, b));
  }

  /** b * root, for the root of unity of that angle: the parts with their signs, all of them a factor short. */
  #turn(b: Complex, angle: number) {
    // A quarter of a circle exchanges the parts; what is left is an eighth at most, and b * (1 + i tangent) a cosine short.
    const quarters = Math.round(angle / this.#n);
    const rest = angle - quarters * this.#n;
    const tangent = this.#tangents[Math.abs(rest)];
    const re = rest ? this.#add(b.re, b.im, -Math.sign(rest), tangent) : b.re;
    const im = rest ? this.#add(b.im, b.re, Math.sign(rest), tangent) : b.im;
    const factor = this.#cosines[Math.abs(rest)];
    const turn = ((quarters % 4) + 4) % 4;
    const parts = turn % 2 ? { re: im, im: re } : { re, im };
    return { ...parts, factor, signs: { re: turn === 0 || turn === 3 ? 1 : -1, im: turn < 2 ? 1 : -1 } };
  }

  /** z * root, for the root of unity of that angle. */
  rotate(z: Complex, angle: number): Complex {
    const { re, im, signs, factor } = this.#turn(z, angle);
    return { re: this.#add(undefined, re, signs.re, factor), im: this.#add(undefined, im, signs.im, factor) };
  }

  /** a + b * root and a - b * root, for the root of unity of that angle. */
  both(a: Complex, b: Complex, angle: number): [Complex, Complex] {
    const { re, im, signs, factor } = this.#turn(b, angle);
    const branch = (sign: number): Complex => ({
      re: this.#add(a.re, re, sign * signs.re, factor),
      im: this.#add(a.im, im, sign * signs.im, factor),
    });
    return [branch(1), branch(-1)];
  }

  /**
   * The values of a polynomial of `n` coefficients, the lowest first, at all z with z^n = the root of unity of that angle.
   * It reads each coefficient when it is needed and gives each value when it is there: few of them are in registers at a
   * time, what is between lies on the desk.
   */
  evaluate(n: number, coefficients: Coefficients, angle: number, give: (...value: Value) => void): void {
    // As a polynomial in z^(n/radix), whose coefficients are polynomials of lower degree.
    const radix = [4, 3, 2].find((divisor) => n % divisor === 0)!;
    const rest = n / radix;
    const valuesFrom = (coefficient: Coefficients["at"], first: number) =>
      this.#values(
        Array.from({ length: radix }, (_, k) => coefficient(first + k * rest)),
        angle,
      );
    if (rest === 1) {
      this.#e.scope(() => {
        for (const value of valuesFrom(coefficients.at, 0)) give(...value);
      });
      return;
    }
    const reduce = (coefficient: Coefficients["at"], first: number, desk: I32): Value[] => {
      const values = valuesFrom(coefficient, first);
      for (const [k, [value]] of values.entries()) put(value, desk, k * rest + first);
      return values;
    };
    /** For each coefficient of the remainders the values that it is in them, of which only what is zero matters here. */
    let remainders: Value[][] = [];
    if (coefficients.repeat) {
      const desk = this.#e.i32(this.#desk);
      coefficients.repeat(rest, (coefficient) => {
        remainders = Array(rest).fill(reduce(coefficient, 0, desk));
        local.set(desk, i32.add(desk, COMPLEX_BYTES));
      });
    } else {
      remainders = Array.from({ length: rest }, (_, i) => this.#e.scope(() => reduce(coefficients.at, i, this.#desk)));
    }
    for (const [k, [, root]] of remainders[0]!.entries()) {
      this.evaluate(rest, { at: (i) => this.#take(remainders[i]![k]![0], k * rest + i) }, root, give);
    }
  }

  /** As `evaluate`, of few coefficients. */
  #values(coefficients: readonly Complex[], angle: number): Value[] {
    if (coefficients.length === 3) return this.#threeValues(coefficients as [Complex, Complex, Complex], angle / 3);
    const half = coefficients.length / 2;
    if (half < 1) return [[coefficients[0]!, angle]];
    const root = angle / 2;
    const pairs = Array.from({ length: half }, (_, i) => this.both(coefficients[i]!, coefficients[i + half]!, root));
    return [0, 1].flatMap((branch) => {
      return this.#values(
        pairs.map((pair) => pair[branch]!),
        root + 2 * this.#n * branch,
      );
    });
  }

  /** a + b z + c z^2 for the three z with one cube, of which one has that angle. */
  #threeValues([a, b, c]: [Complex, Complex, Complex], angle: number): Value[] {
    const [sum, difference] = this.both(this.rotate(b, angle), this.rotate(c, 2 * angle), 0);
    const middle = { re: this.#add(a.re, sum.re, -1, this.#half), im: this.#add(a.im, sum.im, -1, this.#half) };
    // The other two are a third of a circle ahead and behind: i * sin(120 degrees) times the difference.
    const branch = (sign: number): Complex => ({
      re: this.#add(middle.re, difference.im, -sign, this.#sine),
      im: this.#add(middle.im, difference.re, sign, this.#sine),
    });
    const third = (4 * this.#n) / 3;
    return [
      [{ re: this.#add(a.re, sum.re, 1), im: this.#add(a.im, sum.im, 1) }, angle],
      [branch(1), angle + third],
      [branch(-1), angle + 2 * third],
    ];
  }

  /** What was put for such a value. */
  #take(value: Complex, place: number): Complex {
    const load = (offset: number) => this.#e.v128(v128.load({ offset }, this.#desk));
    return { re: value.re && load(place * COMPLEX_BYTES), im: value.im && load(place * COMPLEX_BYTES + 16) };
  }

  /** Which of n roots from the first on, in the order of their angles, the root of unity of that angle is. */
  indexOf(angle: number, n: number): number {
    return Math.floor((angle * n) / (4 * this.#n)) % n;
  }
}

/** Sizes n for `fourierFiltering`, in ascending order. From 24 on there would be three stages, for which the desk is too small. */
export const FOURIER_SIZES = [8, 12, 16];

/** Filtering of an image with a kernel of r x r by polynomials of degree below n. */
export function fourierFiltering(n: number, r: number, { size, top, left, output }: FilteredImage): Filtering {
  const half = n / 2;
  const scale = 2 / n ** 2;
  /** Values of real polynomials whose coefficients are vectors, from the `first` power on. */
  const down =
    (count: number, first: number, scale = 1): Writer =>
    (e, desk) => {
      const rotations = new Rotations(e, n, desk);
      const factor = scale === 1 ? undefined : e.v128(f32x4.splat(scale));
      return ({ load, store }) => {
        const scaled = (vector: V128) => (factor ? e.v128(f32x4.mul(vector, factor)) : vector);
        const real = (power: number) =>
          power >= first && power < first + count ? scaled(load(power - first)) : undefined;
        const give = ({ re, im }: Complex, angle: number) => {
          const index = rotations.indexOf(angle, half);
          store(2 * index, re!);
          store(2 * index + 1, im!);
        };
        // Where u^half is i.
        rotations.evaluate(half, { at: (i) => ({ re: real(i), im: real(i + half) }) }, n, give);
      };
    };
  /** Values of complex polynomials, each as the three factors of products. */
  const across =
    (count: number, first: number, factorsOf: (e: Emitter, value: Complex) => V128[]): Writer =>
    (e, desk) => {
      const rotations = new Rotations(e, n, desk);
      return ({ load, store }) => {
        const coefficient = (power: number) => {
          const index = power - first;
          return index >= 0 && index < count ? { re: load(2 * index), im: load(2 * index + 1) } : ZERO;
        };
        rotations.evaluate(n, { at: coefficient }, 0, (value, angle) => {
          const index = rotations.indexOf(angle, n);
          for (const [i, factor] of factorsOf(e, value).entries()) store(3 * index + i, factor);
        });
      };
    };
  const add = (e: Emitter, a: Real, b: Real) => e.v128(f32x4.add(a!, b!));
  const subtract = (e: Emitter, a: Real, b: Real) => e.v128(f32x4.sub(a!, b!));
  return {
    name: `Fourier ${n}`,
    m: output,
    r,
    rows: half,
    columns: 3 * n,
    filtered(tap) {
      const values: number[] = [];
      for (let u = 0; u < half; u++) {
        for (let v = 0; v < n; v++) {
          let [re, im] = [0, 0];
          for (let y = 0; y < r; y++) {
            for (let x = 0; x < r; x++) {
              // The roots of u^n = -1, of which every other one is here, and those of v^n = 1.
              const angle = (Math.PI * (4 * u + 1) * y + 2 * Math.PI * v * x) / n;
              re += Math.cos(angle) * tap(y, x) * scale;
              im += Math.sin(angle) * tap(y, x) * scale;
            }
          }
          values.push(re, re + im, re - im);
        }
      }
      return values;
    },
    parts: 2,
    isWhole: true,
    error: 1e-7,
    input: {
      size,
      down: down(size[0], top),
      across: across(size[1], left, (e, { re, im }) => [add(e, re, im), re!, im!]),
    },
    kernel: {
      size: [r, r],
      down: down(r, 0, scale),
      // Of negative powers: the conjugate values.
      across: across(r, 0, (e, { re, im }) => [re!, add(e, re, im), subtract(e, re, im)]),
    },
    // Values at roots are turned back by evaluating, as if they were coefficients, at the roots' inverses.
    output: {
      size: [half, 3 * n],
      across(e, desk) {
        const rotations = new Rotations(e, n, desk);
        return (vectors) => {
          const { store } = vectors;
          const values = inVectors(vectors, 3, (load, i) => {
            const [sum, real, imaginary] = [load(3 * i), load(3 * i + 1), load(3 * i + 2)];
            return { re: subtract(e, sum, imaginary), im: subtract(e, sum, real) };
          });
          rotations.evaluate(n, values, 0, ({ re, im }, angle) => {
            const index = (n - rotations.indexOf(angle, n)) % n;
            if (index >= output[1]) return;
            store(2 * index, re!);
            store(2 * index + 1, im!);
          });
        };
      },
      down(e, desk) {
        const rotations = new Rotations(e, n, desk);
        return (vectors) => {
          const { store } = vectors;
          const values = inVectors(vectors, 2, (load, i) => ({ re: load(2 * i), im: load(2 * i + 1) }));
          rotations.evaluate(half, values, 0, (found, angle) => {
            const index = (half - rotations.indexOf(angle, half)) % half;
            const { re, im } = rotations.rotate(found, -2 * index);
            if (index < output[0]) store(index, re!);
            if (index + half < output[0]) store(index + half, im!);
          });
        };
      },
    },
  };
}
