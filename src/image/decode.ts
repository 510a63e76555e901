/** Picture files to grey levels. No file system here: bytes in, pixels out, the same in Node and in a browser. */
import { UserError } from "../errors.ts";
import type { GreyImage } from "./grey-image.ts";
import { decodeJpeg, isJpeg } from "./jpeg.ts";
import { decodePng, isPng } from "./png.ts";

/**
 * Decodes a PNG or JPEG file, told apart by their first bytes, to grey levels: colour to luminance, transparency
 * composited on white, JPEG turned upright by its EXIF orientation.
 *
 * @param name what messages call the picture, usually its path
 * @throws UserError, naming `name`, for a file that is neither, is damaged, or has more than 64 megapixels.
 */
export function decodeImage(bytes: Uint8Array, name: string): GreyImage {
  if (isPng(bytes)) return decodePng(bytes, name);
  if (isJpeg(bytes)) return decodeJpeg(bytes, name);
  const found = bytes.length === 0 ? "an empty file" : "something else";
  throw new UserError(`${name}: expected a PNG or JPEG picture, found ${found}; convert it to PNG or JPEG first.`);
}
