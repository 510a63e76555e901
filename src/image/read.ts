/** Picture files to grey levels, for the public API. */
import type { GreyImage } from "./pictures.ts";

/**
 * Decodes a PNG or JPEG file to grey levels, as `lenet predict` does: colour to luminance, transparency composited on white,
 * JPEG turned upright by its EXIF orientation. The decoders are loaded with the first picture.
 *
 * @param name what messages call the picture, usually its path
 * @throws UserError for a file that is neither PNG nor JPEG, is damaged, or has more than 64 megapixels.
 */
export async function decodeImage(bytes: Uint8Array, name: string): Promise<GreyImage> {
  const decoders = await import("./decode.ts");
  return decoders.decodeImage(bytes, name);
}
