/** Pixels to PNG files. */
import { encode } from "fast-png";

export interface Raster {
  readonly width: number;
  readonly height: number;
  /** 1: grey, 3: red, green and blue. */
  readonly channels: 1 | 3;
  /** (height, width, channels), 0 to 255. */
  readonly data: Uint8Array;
}

/** A PNG file of 8 bits a sample. */
export function encodePng({ width, height, channels, data }: Raster): Uint8Array {
  return encode({ width, height, channels, data, depth: 8 });
}
