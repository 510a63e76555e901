/** Area averaging: each new pixel is the mean of the old area that it covers. */

/** A plane of numbers, row by row. */
export interface Plane {
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: ArrayLike<number>;
}

/** A rectangle in pixels; `right` and `bottom` lie just outside it. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Weighted mean over `[start, end)` of the elements `at(index)`, the first and last counted by the part inside. */
function mean(at: (index: number) => number, start: number, end: number, last: number): number {
  let sum = 0;
  for (let index = Math.floor(start); index < end && index <= last; index++) {
    sum += at(index) * (Math.min(index + 1, end) - Math.max(index, start));
  }
  return sum / (end - start);
}

/** Scales the part of `image` inside `box` to `width` x `height` by area averaging, first along rows, then columns. */
export function resample(image: Pixels, box: Box, width: number, height: number): Plane {
  const boxWidth = box.right - box.left;
  const boxHeight = box.bottom - box.top;
  const rows = new Float32Array(width * boxHeight);
  for (let y = 0; y < boxHeight; y++) {
    const start = (box.top + y) * image.width + box.left;
    const at = (x: number) => image.data[start + x] as number;
    for (let x = 0; x < width; x++) {
      rows[y * width + x] = mean(at, (x * boxWidth) / width, ((x + 1) * boxWidth) / width, boxWidth - 1);
    }
  }
  const data = new Float32Array(width * height);
  for (let x = 0; x < width; x++) {
    const at = (y: number) => rows[y * width + x] as number;
    for (let y = 0; y < height; y++) {
      data[y * width + x] = mean(at, (y * boxHeight) / height, ((y + 1) * boxHeight) / height, boxHeight - 1);
    }
  }
  return { width, height, data };
}

/** The whole picture with its longest side at most `longest`; an unchanged copy where it is smaller. */
export function shrink(image: Pixels, longest: number): Plane {
  const scale = Math.min(1, longest / Math.max(image.width, image.height));
  if (scale === 1) return { width: image.width, height: image.height, data: Float32Array.from(image.data) };
  const width = Math.max(1, Math.round(image.width * scale));
  const height = Math.max(1, Math.round(image.height * scale));
  return resample(image, { left: 0, top: 0, right: image.width, bottom: image.height }, width, height);
}
