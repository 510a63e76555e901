/** Picture files to grey levels: PNG and JPEG as `lenet predict` reads them, others as far as the browser knows them. */
import { decodeImage, type GreyImage, UserError } from "lenet";

/** The longest side of pictures that the browser decodes: more than the preparation looks at. */
const LONGEST_SIDE = 2048;

const startsWith = (bytes: Uint8Array, start: readonly number[]) => start.every((byte, i) => bytes[i] === byte);
const isOurs = (bytes: Uint8Array) => startsWith(bytes, [0x89, 0x50, 0x4e, 0x47]) || startsWith(bytes, [0xff, 0xd8]);

async function decodeByBrowser(bytes: Uint8Array, name: string): Promise<GreyImage> {
  const bitmap = await createImageBitmap(new Blob([bytes as Uint8Array<ArrayBuffer>])).catch((error) => {
    throw new UserError(`${name}: this browser does not know the picture; convert it to PNG or JPEG.`, {
      cause: error,
    });
  });
  const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
  const context = new OffscreenCanvas(width!, height!).getContext("2d")!;
  context.fillStyle = "white";
  context.fillRect(0, 0, width!, height!);
  context.drawImage(bitmap, 0, 0, width!, height!);
  const { data } = context.getImageData(0, 0, width!, height!);
  const grey = Uint8Array.from({ length: width! * height! }, (_, i) => {
    return Math.round(0.299 * data[4 * i]! + 0.587 * data[4 * i + 1]! + 0.114 * data[4 * i + 2]!);
  });
  return { width: width!, height: height!, data: grey };
}

/** @throws UserError for what is no picture. */
export async function readPicture(bytes: Uint8Array, name: string): Promise<GreyImage> {
  return isOurs(bytes) ? decodeImage(bytes, name) : decodeByBrowser(bytes, name);
}
