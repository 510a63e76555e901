/** Pictures in memory: in colour, as the decoders return them, and as grey levels, as the digit preparation takes them. */
import { UserError } from "../errors.ts";

export interface ColourImage {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue and opacity of each pixel, 0 to 255, row by row. */
  readonly data: Uint8Array;
  /** EXIF orientation, 1 (upright) to 8: how the picture must be turned to be looked at. */
  readonly orientation: number;
}

/** A picture in grey levels. */
export interface GreyImage {
  readonly width: number;
  readonly height: number;
  /** Luminance, 0 (black) to 255 (white), row by row. */
  readonly data: Uint8Array;
}

/** Largest picture that is decoded, in pixels: it bounds the memory that a small, hostile file can ask for. */
export const MAX_PIXELS = 64_000_000;

/** Rec. 601 luminance, as PNG and JPEG viewers compute it; each channel 0 to 255. */
export function luminance(red: number, green: number, blue: number): number {
  return 0.299 * red + 0.587 * green + 0.114 * blue;
}

/** The luminance of a picture, composited on white where it is transparent. */
export function toGrey({ width, height, data }: ColourImage): GreyImage {
  const grey = new Uint8Array(width * height);
  for (let pixel = 0, at = 0; pixel < grey.length; pixel++, at += 4) {
    const alpha = (data[at + 3] as number) / 255;
    const level = luminance(data[at] as number, data[at + 1] as number, data[at + 2] as number);
    grey[pixel] = Math.round(level * alpha + 255 * (1 - alpha));
  }
  return { width, height, data: grey };
}

/** Undoes the rotation and mirroring that an EXIF orientation stands for. */
export function turnUpright(image: GreyImage, orientation: number): GreyImage {
  if (orientation < 2 || orientation > 8) return image;
  const { width, height, data } = image;
  const transposed = orientation >= 5;
  const flipX = orientation === 2 || orientation === 3 || orientation === 7 || orientation === 8;
  const flipY = orientation === 3 || orientation === 4 || orientation === 6 || orientation === 7;
  const upright = new Uint8Array(data.length);
  const [newWidth, newHeight] = transposed ? [height, width] : [width, height];
  for (let y = 0; y < newHeight; y++) {
    for (let x = 0; x < newWidth; x++) {
      const [storedX, storedY] = transposed ? [y, x] : [x, y];
      const fromX = flipX ? width - 1 - storedX : storedX;
      const fromY = flipY ? height - 1 - storedY : storedY;
      upright[y * newWidth + x] = data[fromY * width + fromX] as number;
    }
  }
  return { width: newWidth, height: newHeight, data: upright };
}

/** Refuses a picture by the size in its header, before anything of that size is allocated. */
export function checkSize(width: number, height: number, name: string): void {
  if (width < 1 || height < 1) {
    throw new UserError(`${name}: the header says ${width}x${height} pixels; expected at least 1x1.`);
  }
  if (width * height > MAX_PIXELS) {
    const limit = MAX_PIXELS / 1e6;
    throw new UserError(
      `${name}: ${width}x${height} pixels are too many (at most ${limit} megapixels); scale it down.`,
    );
  }
}

/** The part of a picture inside a box; coordinates are clamped to the picture. */
export function cropImage(image: GreyImage, left: number, top: number, right: number, bottom: number): GreyImage {
  const x0 = Math.max(0, Math.floor(left));
  const y0 = Math.max(0, Math.floor(top));
  const width = Math.min(image.width, Math.ceil(right)) - x0;
  const height = Math.min(image.height, Math.ceil(bottom)) - y0;
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const start = (y0 + y) * image.width + x0;
    data.set(image.data.subarray(start, start + width), y * width);
  }
  return { width, height, data };
}
