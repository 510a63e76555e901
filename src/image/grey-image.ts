/** A picture as grey levels: what the decoders return and the digit preparation takes. */
import { UserError } from "../errors.ts";

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
