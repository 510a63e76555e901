/** Pictures scaled as Keras scales them. */
import { type ColourImage, luminance } from "./pictures.ts";

/** What a pixel is made of, in Keras's words, and how many numbers that are. */
export const CHANNELS = { grayscale: 1, rgb: 3, rgba: 4 } as const;

export type ColorMode = keyof typeof CHANNELS;

/** The channels of a picture, row by row: luminance, or colours as they are stored, whatever is transparent. */
function channelsOf({ data, width, height }: ColourImage, mode: ColorMode): Uint8Array {
  if (mode === "rgba") return data;
  const channels = CHANNELS[mode];
  const result = new Uint8Array(width * height * channels);
  for (let from = 0, to = 0; to < result.length; from += 4, to += channels) {
    const [red, green, blue] = [data[from]!, data[from + 1]!, data[from + 2]!];
    if (mode === "grayscale") result[to] = Math.round(luminance(red, green, blue));
    else {
      result[to] = red;
      result[to + 1] = green;
      result[to + 2] = blue;
    }
  }
  return result;
}

/** For each new index the two old ones that it lies between, and how far it is from the first to the second. */
function neighbours(from: number, to: number): { first: number; second: number; share: number }[] {
  return Array.from({ length: to }, (_, i) => {
    const place = ((i + 0.5) * from) / to - 0.5;
    const floor = Math.floor(place);
    return { first: Math.max(floor, 0), second: Math.min(Math.ceil(place), from - 1), share: place - floor };
  });
}

/**
 * Scales a picture to `height` x `width` by bilinear interpolation between the four nearest pixels, without smoothing
 * before, as `keras.utils.image_dataset_from_directory` does (https://www.tensorflow.org/api_docs/python/tf/image/resize).
 *
 * @returns (height, width, channels), rounded to whole levels
 */
export function resizeBilinear(image: ColourImage, height: number, width: number, mode: ColorMode): Uint8Array {
  const source = channelsOf(image, mode);
  if (image.width === width && image.height === height) return source;
  const channels = CHANNELS[mode];
  const result = new Uint8Array(height * width * channels);
  const columns = neighbours(image.width, width);
  let to = 0;
  for (const row of neighbours(image.height, height)) {
    const [upper, lower] = [row.first * image.width, row.second * image.width];
    for (const { first, second, share } of columns) {
      for (let channel = 0; channel < channels; channel++) {
        const at = (start: number, column: number) => source[(start + column) * channels + channel]!;
        const top = at(upper, first) + (at(upper, second) - at(upper, first)) * share;
        const bottom = at(lower, first) + (at(lower, second) - at(lower, first)) * share;
        result[to++] = Math.round(top + (bottom - top) * row.share);
      }
    }
  }
  return result;
}
