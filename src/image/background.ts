/** What a picture would look like without the digit: its paper or blackboard, lit evenly or not. */
import type { Plane } from "./resample.ts";

/** Terms of the quadratic surface: 1, x, y, x², xy, y². */
const TERMS = 6;

export interface Background {
  readonly surface: Float32Array;
  /** Typical deviation of bare background from the surface, in grey levels. */
  readonly noise: number;
  /** Whether the ink is darker than the background. */
  readonly darkInk: boolean;
}

interface Sample {
  readonly index: number;
  readonly terms: readonly number[];
}

/** The value below which the given share of the numbers lies. */
export function quantile(values: ArrayLike<number>, share: number): number {
  if (values.length === 0) return 0;
  const sorted = Float32Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] as number;
}

function termsAt(plane: Plane, x: number, y: number): number[] {
  const u = (2 * x) / Math.max(1, plane.width - 1) - 1;
  const v = (2 * y) / Math.max(1, plane.height - 1) - 1;
  return [1, u, v, u * u, u * v, v * v];
}

/** The pixels of a frame along the border, about a twentieth of the shorter side wide, thinned to a few thousand. */
function borderSamples(plane: Plane): Sample[] {
  const { width, height } = plane;
  const frame = Math.max(1, Math.round(Math.min(width, height) / 20));
  const stride = Math.max(1, Math.round((2 * frame * (width + height)) / 4000));
  const samples: Sample[] = [];
  let seen = 0;
  for (let y = 0; y < height; y++) {
    const wholeRow = y < frame || y >= height - frame;
    for (let x = 0; x < width; x++) {
      if (!wholeRow && x === frame && width > 2 * frame) x = width - frame;
      if (seen++ % stride === 0) samples.push({ index: y * width + x, terms: termsAt(plane, x, y) });
    }
  }
  return samples;
}

/** Solves the normal equations by elimination; a small ridge keeps terms that the picture cannot tell apart at zero. */
function leastSquares(samples: readonly Sample[], data: Float32Array): number[] {
  const matrix = Array.from({ length: TERMS }, () => new Array<number>(TERMS + 1).fill(0));
  for (const { index, terms } of samples) {
    for (let i = 0; i < TERMS; i++) {
      const row = matrix[i] as number[];
      for (let j = 0; j < TERMS; j++) row[j] = (row[j] as number) + (terms[i] as number) * (terms[j] as number);
      row[TERMS] = (row[TERMS] as number) + (terms[i] as number) * (data[index] as number);
    }
  }
  for (let i = 1; i < TERMS; i++) (matrix[i] as number[])[i] = (matrix[i]?.[i] as number) + 1e-3 * samples.length;
  for (let pivot = 0; pivot < TERMS; pivot++) {
    const pivotRow = matrix[pivot] as number[];
    for (let i = 0; i < TERMS; i++) {
      const row = matrix[i] as number[];
      if (i === pivot) continue;
      const factor = (row[pivot] as number) / (pivotRow[pivot] as number);
      for (let j = pivot; j <= TERMS; j++) row[j] = (row[j] as number) - factor * (pivotRow[j] as number);
    }
  }
  return matrix.map((row, i) => (row[TERMS] as number) / (row[i] as number));
}

function evaluate(coefficients: readonly number[], terms: readonly number[]): number {
  return terms.reduce((sum, term, i) => sum + term * (coefficients[i] as number), 0);
}

/**
 * Fits a quadratic surface to the border, leaving out what deviates (a digit that touches it), twice over. The fit
 * starts from the border's median, so that a few strokes across it cannot tilt the surface.
 */
function fitBorder(plane: Plane, samples: readonly Sample[]): { coefficients: number[]; noise: number } {
  const median = quantile(
    samples.map(({ index }) => plane.data[index] as number),
    0.5,
  );
  let coefficients = [median, 0, 0, 0, 0, 0];
  let noise = 0;
  for (let round = 0; round < 4; round++) {
    const residuals = samples.map(({ index, terms }) =>
      Math.abs((plane.data[index] as number) - evaluate(coefficients, terms)),
    );
    noise = 1.48 * quantile(residuals, 0.5);
    if (round === 3) break;
    const limit = Math.max(2, 2.5 * noise);
    const kept = samples.filter((_, i) => (residuals[i] as number) <= limit);
    coefficients = leastSquares(kept, plane.data);
  }
  return { coefficients, noise };
}

/** Largest (or smallest) value within `radius` along rows or columns, by van Herk's method: constant work a pixel. */
function slideExtreme(plane: Plane, radius: number, pick: (a: number, b: number) => number): Plane {
  const { width, height } = plane;
  const along = (source: Float32Array, lines: number, length: number, step: number, lineStep: number) => {
    const result = new Float32Array(source.length);
    const window = 2 * radius + 1;
    const padded = length + 2 * radius;
    const forward = new Float32Array(padded);
    const backward = new Float32Array(padded);
    for (let line = 0; line < lines; line++) {
      const at = (i: number) =>
        source[line * lineStep + Math.min(length - 1, Math.max(0, i - radius)) * step] as number;
      for (let i = 0; i < padded; i++) forward[i] = i % window === 0 ? at(i) : pick(forward[i - 1] as number, at(i));
      for (let i = padded - 1; i >= 0; i--) {
        const starts = i === padded - 1 || (i + 1) % window === 0;
        backward[i] = starts ? at(i) : pick(backward[i + 1] as number, at(i));
      }
      for (let i = 0; i < length; i++) {
        result[line * lineStep + i * step] = pick(backward[i] as number, forward[i + 2 * radius] as number);
      }
    }
    return result;
  };
  const rows = along(plane.data, height, width, 1, width);
  return { width, height, data: along(rows, width, height, width, 1) };
}

/** Fills in everything narrower than the window: morphological closing for dark ink, opening for light ink. */
function fillNarrow(plane: Plane, radius: number, darkInk: boolean): Plane {
  const [first, second] = darkInk ? [Math.max, Math.min] : [Math.min, Math.max];
  return slideExtreme(slideExtreme(plane, radius, first), radius, second);
}

/** Largest value within `radius` of each pixel, in a square: makes light strokes wider. */
export function widen(plane: Plane, radius: number): Plane {
  return slideExtreme(plane, radius, Math.max);
}

/**
 * Works out the background from the border: its level, its lighting (a quadratic surface, or, where the border shows a
 * shadow's edge, whatever is wider than a third of the picture), its noise, and which way the ink differs from it.
 */
export function findBackground(plane: Plane): Background {
  const samples = borderSamples(plane);
  const { coefficients, noise } = fitBorder(plane, samples);
  const surface = new Float32Array(plane.data.length);
  // Fourth powers: a little strong ink outweighs a lot of weak unevenness.
  let dark = 0;
  let light = 0;
  let contrast = 0;
  for (let y = 0, i = 0; y < plane.height; y++) {
    for (let x = 0; x < plane.width; x++, i++) {
      surface[i] = evaluate(coefficients, termsAt(plane, x, y));
      const difference = (plane.data[i] as number) - (surface[i] as number);
      if (difference < 0) dark += difference ** 4;
      else light += difference ** 4;
      contrast = Math.max(contrast, Math.abs(difference));
    }
  }
  const darkInk = dark > light;
  const deviations = samples.map(({ index }) => Math.abs((plane.data[index] as number) - (surface[index] as number)));
  if (quantile(deviations, 0.75) < 0.15 * contrast) return { surface, noise, darkInk };
  const radius = Math.max(2, Math.round(Math.min(plane.width, plane.height) / 6));
  const filled = fillNarrow(plane, radius, darkInk).data;
  const gaps = samples.map(({ index }) => Math.abs((plane.data[index] as number) - (filled[index] as number)));
  return { surface: filled, noise: 1.48 * quantile(gaps, 0.5), darkInk };
}
