/** Where the ink is: the strokes of a picture on a clean, dark ground, and the box around them. */
import { findBackground, quantile } from "./background.ts";
import type { Box, Plane } from "./resample.ts";

/** Least difference of ink from background, in grey levels of 255, that is taken for ink. */
const MIN_CONTRAST = 16;
/** Pieces with less than this share of the largest piece's ink are dust. */
const DUST = 0.04;

/** In a picture larger than this the ink has soft edges, whose fainter half is not part of the digit's extent. */
const SOFT_EDGE_SIZE = 40;
const SOFT_EDGE = 0.15;

export interface Ink {
  /** 0 (background) to 1 (full ink). */
  readonly plane: Plane;
  readonly box: Box;
}

/** How far each pixel is from the background towards the ink, stretched to 0 … 1; undefined when nothing stands out. */
function stretch(plane: Plane): Plane | undefined {
  const { surface, noise, darkInk } = findBackground(plane);
  const paper = quantile(surface, 0.5);
  const depth = new Float32Array(plane.data.length);
  let deepest = 0;
  for (let i = 0; i < depth.length; i++) {
    const difference = (plane.data[i] as number) - (surface[i] as number);
    // Ink on paper takes away a share of the light, so in a shadow it differs by less.
    const light = darkInk ? paper / Math.max(paper / 4, surface[i] as number) : 1;
    depth[i] = Math.max(0, darkInk ? -difference * light : difference);
    deepest = Math.max(deepest, depth[i] as number);
  }
  if (deepest < Math.max(MIN_CONTRAST, 6 * noise)) return undefined;
  const full = quantile(
    depth.filter((value) => value > deepest / 2),
    0.9,
  );
  const floor = Math.min(2.7 * noise, full / 2);
  const data = depth.map((value) => Math.min(1, Math.max(0, (value - floor) / (full - floor))));
  return { width: plane.width, height: plane.height, data };
}

interface Pieces {
  /** For each pixel the number of its piece, from 1; 0 for background. */
  readonly labels: Int32Array;
  /** The sum of ink of each piece. */
  readonly amounts: readonly number[];
  readonly touchesBorder: readonly boolean[];
}

/** Finds the connected pieces (8 neighbours) of nonzero pixels. */
function findPieces({ width, height, data }: Plane): Pieces {
  const labels = new Int32Array(data.length);
  const amounts = [0];
  const touchesBorder = [false];
  const stack: number[] = [];
  for (let start = 0; start < data.length; start++) {
    if (labels[start] !== 0 || data[start] === 0) continue;
    const label = amounts.length;
    let amount = 0;
    let atBorder = false;
    labels[start] = label;
    stack.push(start);
    for (let pixel = stack.pop(); pixel !== undefined; pixel = stack.pop()) {
      amount += data[pixel] as number;
      const x = pixel % width;
      const y = (pixel - x) / width;
      atBorder ||= x === 0 || y === 0 || x === width - 1 || y === height - 1;
      for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
        for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
          const neighbour = ny * width + nx;
          if (labels[neighbour] !== 0 || data[neighbour] === 0) continue;
          labels[neighbour] = label;
          stack.push(neighbour);
        }
      }
    }
    amounts.push(amount);
    touchesBorder.push(atBorder);
  }
  return { labels, amounts, touchesBorder };
}

/**
 * Which pieces belong to the digit: not dust, and not what comes in from outside the picture (the paper's edge, a
 * shadow), unless the digit itself touches the border.
 */
function choosePieces({ amounts, touchesBorder }: Pieces): boolean[] {
  const largest = amounts.reduce((a, b) => Math.max(a, b), 0);
  const inside = amounts.filter((_, piece) => !touchesBorder[piece]);
  const largestInside = inside.reduce((a, b) => Math.max(a, b), 0);
  const dropBorder = largestInside > 0.2 * largest;
  const least = DUST * (dropBorder ? largestInside : largest);
  return amounts.map((amount, piece) => amount >= least && amount > 0 && !(dropBorder && touchesBorder[piece]));
}

function boundingBox({ width, height, data }: Plane): Box {
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let i = 0; i < data.length; i++) {
    if (data[i] === 0) continue;
    const x = i % width;
    const y = (i - x) / width;
    left = Math.min(left, x);
    right = Math.max(right, x + 1);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y + 1);
  }
  return { left, top, right, bottom };
}

/** Finds the ink of a picture in grey levels; undefined where nothing stands out from the background. */
export function findInk(picture: Plane): Ink | undefined {
  const stretched = stretch(picture);
  if (stretched === undefined) return undefined;
  const pieces = findPieces(stretched);
  const belongs = choosePieces(pieces);
  const keep = (threshold: number) => {
    const isInk = (value: number, i: number) => value > threshold && belongs[pieces.labels[i] as number] === true;
    return { ...stretched, data: stretched.data.map((value, i) => (isInk(value, i) ? value : 0)) };
  };
  const whole = keep(0);
  const { left, top, right, bottom } = boundingBox(whole);
  const plane = Math.max(right - left, bottom - top) > SOFT_EDGE_SIZE ? keep(SOFT_EDGE) : whole;
  return { plane, box: boundingBox(plane) };
}
