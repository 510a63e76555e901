/**
 * Prepares a picture of a digit as MNIST was made (http://yann.lecun.com/exdb/mnist/): white on black, the ink's longest
 * side scaled to 20 pixels by area averaging, its centre of mass in the middle of 28x28.
 */
import { NDArray } from "../array.ts";
import { UserError } from "../errors.ts";
import { widen } from "./background.ts";
import { findInk, type Ink } from "./ink.ts";
import { cropImage, type GreyImage } from "./pictures.ts";
import { type Box, type Plane, resample, shrink } from "./resample.ts";

const FIELD = 28;
const DIGIT = 20;
/** Where MNIST's centre of mass lies, in pixel indices: within half a pixel of it for every one of its digits. */
const CENTRE = 14;
/** Pictures are examined at this size; a digit that is small in a large picture is cut out first. */
const WORK_SIZE = 512;
/** Strokes thinner than this share of the digit are widened to it: a pen line would all but vanish at 20 pixels. */
const MIN_STROKE = 0.06;

function longestSide({ left, top, right, bottom }: Box): number {
  return Math.max(right - left, bottom - top);
}

/** The ink of a picture; found in a small copy first, then looked at more closely where it is small. */
function locate(image: GreyImage): Ink | undefined {
  const work = shrink(image, WORK_SIZE);
  const ink = findInk(work);
  if (ink === undefined) return undefined;
  const scale = image.width / work.width;
  const longest = longestSide(ink.box);
  if (scale <= 1 || longest > WORK_SIZE / 4) return ink;
  const margin = longest / 2;
  const { left, top, right, bottom } = ink.box;
  const [x0, y0] = [(left - margin) * scale, (top - margin) * scale];
  return locate(cropImage(image, x0, y0, (right + margin) * scale, (bottom + margin) * scale)) ?? ink;
}

/** Mean width of the strokes, in pixels: twice the ink's area over the length of its outline. */
function strokeWidth({ width, data }: Plane, { left, top, right, bottom }: Box): number {
  let area = 0;
  let outline = 0;
  const isInk = (x: number, y: number) => x >= left && y >= top && (data[y * width + x] as number) > 0.5;
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      if (isInk(x, y)) area++;
      if (isInk(x, y) !== isInk(x - 1, y)) outline++;
      if (isInk(x, y) !== isInk(x, y - 1)) outline++;
    }
  }
  return outline === 0 ? 0 : (2 * area) / outline;
}

function thicken({ plane, box }: Ink): Ink {
  const radius = Math.round((MIN_STROKE * longestSide(box) - strokeWidth(plane, box)) / 2);
  if (radius < 1) return { plane, box };
  return {
    plane: widen(plane, radius),
    box: {
      left: Math.max(0, box.left - radius),
      top: Math.max(0, box.top - radius),
      right: Math.min(plane.width, box.right + radius),
      bottom: Math.min(plane.height, box.bottom + radius),
    },
  };
}

/** Puts a digit into the field with its centre of mass at the middle, wholly inside. */
function centre(digit: Plane): Uint8Array {
  let [mass, massX, massY, peak] = [0, 0, 0, 0];
  for (let i = 0; i < digit.data.length; i++) {
    const value = digit.data[i] as number;
    mass += value;
    massX += value * (i % digit.width);
    massY += value * Math.floor(i / digit.width);
    peak = Math.max(peak, value);
  }
  const shift = (moment: number, extent: number) =>
    Math.min(FIELD - extent, Math.max(0, Math.round(CENTRE - moment / mass)));
  const left = shift(massX, digit.width);
  const top = shift(massY, digit.height);
  const field = new Uint8Array(FIELD * FIELD);
  for (let y = 0; y < digit.height; y++) {
    for (let x = 0; x < digit.width; x++) {
      field[(top + y) * FIELD + left + x] = Math.round((255 * (digit.data[y * digit.width + x] as number)) / peak);
    }
  }
  return field;
}

/**
 * Prepares a picture of one digit for a network trained on MNIST. Dark on light or light on dark is found out from the
 * border; uneven light, dust and low contrast are evened out.
 *
 * @param name what messages call the picture, usually its path
 * @returns uint8 of shape (28, 28, 1), 0 background to 255 ink
 * @throws UserError when nothing in the picture stands out from its background
 */
export function prepareDigit(image: GreyImage, name: string): NDArray<"uint8"> {
  const found = locate(image);
  if (found === undefined) {
    throw new UserError(`${name}: no ink found; expected one digit, clearly darker or lighter than its background.`);
  }
  const { plane, box } = thicken(found);
  const [width, height] = [box.right - box.left, box.bottom - box.top];
  const scale = DIGIT / Math.max(width, height);
  const scaled = (extent: number) => Math.max(1, Math.round(extent * scale));
  return new NDArray(centre(resample(plane, box, scaled(width), scaled(height))), [FIELD, FIELD, 1]);
}
