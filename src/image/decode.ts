/** Picture files to pixels. No file system here: bytes in, pixels out, the same in Node and in a browser. */
import { UserError } from "../errors.ts";
import { decodeJpeg, isJpeg } from "./jpeg.ts";
import { type ColourImage, type GreyImage, toGrey, turnUpright } from "./pictures.ts";
import { decodePng, isPng } from "./png.ts";

/**
 * Decodes a PNG or JPEG file, told apart by their first bytes, to colours as they are stored: not composited, not turned.
 *
 * @param name what messages call the picture, usually its path
 * @throws UserError, naming `name`, for a file that is neither, is damaged, or has more than 64 megapixels.
 */
export function decodeColours(bytes: Uint8Array, name: string): ColourImage {
  if (isPng(bytes)) return decodePng(bytes, name);
  if (isJpeg(bytes)) return decodeJpeg(bytes, name);
  const found = bytes.length === 0 ? "an empty file" : "something else";
  throw new UserError(`${name}: expected a PNG or JPEG picture, found ${found}; convert it to PNG or JPEG first.`);
}

/**
 * Decodes a PNG or JPEG file to grey levels: colour to luminance, transparency composited on white, JPEG turned upright by
 * its EXIF orientation.
 *
 * @param name what messages call the picture, usually its path
 * @throws UserError for a file that is neither PNG nor JPEG, is damaged, or has more than 64 megapixels.
 */
export function decodeImage(bytes: Uint8Array, name: string): GreyImage {
  const image = decodeColours(bytes, name);
  return turnUpright(toGrey(image), image.orientation);
}
