/** Images of a data set as pictures that a page carries in itself. */
import { encodePng } from "../../image/encode.ts";
import { shrink } from "../../image/resample.ts";
import type { NDArray } from "../../index.ts";

/** A picture as a `data:` address. */
export interface Picture {
  readonly address: string;
  readonly width: number;
  readonly height: number;
}

/** Larger pictures are scaled down: a page is no archive. */
const LONGEST_SIDE = 160;

/** What black and white are: of bytes 0 and 255, of floats 0 and 1 or 255 where they are within, or else their own extremes. */
function rangeOf({ dtype, data }: NDArray): readonly [black: number, white: number] {
  if (dtype === "uint8") return [0, 255];
  let [least, most] = [0, 0];
  for (const value of data.filter(Number.isFinite)) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return least < 0 ? [least, most] : [0, [1, 255].find((white) => most <= white) ?? most];
}

/** One channel of an image of so many, or, without its number, the mean of all. */
function planeOf(image: NDArray, channel?: number): Float32Array {
  const channels = image.shape[2]!;
  const at = (pixel: number, which: number) => image.data[pixel * channels + which]!;
  return Float32Array.from({ length: image.size / channels }, (_, pixel) => {
    if (channel !== undefined) return at(pixel, channel);
    let sum = 0;
    for (let which = 0; which < channels; which++) sum += at(pixel, which);
    return sum / channels;
  });
}

/**
 * One of the images (n, height, width, channels). Three channels, and of four the first three, are colours; of any other
 * number the mean is shown.
 */
export function pictureOf(images: NDArray, index: number): Picture {
  const [height, width, depth] = images.shape.slice(1) as [number, number, number];
  const image = images.slice(index, index + 1).reshape([height, width, depth]);
  const [black, white] = rangeOf(image);
  const isColour = depth === 3 || depth === 4;
  const planes = (isColour ? [0, 1, 2] : [undefined]).map((channel) =>
    shrink({ width, height, data: planeOf(image, channel) }, LONGEST_SIDE),
  );
  const size = { width: planes[0]!.width, height: planes[0]!.height };
  // Clamped: what is no number is black.
  const data = new Uint8ClampedArray(size.width * size.height * planes.length);
  for (const [channel, plane] of planes.entries()) {
    for (const [pixel, value] of plane.data.entries()) {
      data[pixel * planes.length + channel] = (255 * (value - black)) / (white - black);
    }
  }
  const file = encodePng({ ...size, channels: isColour ? 3 : 1, data: new Uint8Array(data.buffer) });
  return { ...size, address: `data:image/png;base64,${Buffer.from(file).toString("base64")}` };
}
