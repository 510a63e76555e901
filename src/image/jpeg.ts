/** JPEG to pixels. */
import jpeg from "jpeg-js";
import { UserError } from "../errors.ts";
import { type ColourImage, checkSize, MAX_PIXELS } from "./pictures.ts";

/** Bound on what the decoder may allocate; the largest picture allowed, not subsampled, needs about 1.3 GB of it. */
const MAX_DECODER_MEGABYTES = 2048;

/** A block of 8x8 pixels takes a bit at the least: a file of few bytes that claims many pixels is not worth decoding. */
const MOST_PIXELS_A_BYTE = 8 * 64;

/** Each scan goes over all pixels, and may take few bytes. Encoders make about ten. */
const MOST_SCANS = 100;

/** Whether the bytes begin as a JPEG file does. */
export function isJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
}

interface Header {
  readonly width: number;
  readonly height: number;
  /** EXIF orientation, 1 (upright) to 8. */
  readonly orientation: number;
}

/** Reads the segments up to the frame header, which holds the size. */
function readHeader(bytes: Uint8Array, name: string): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let orientation = 1;
  for (let at = 2; at + 9 < bytes.length; ) {
    if (bytes[at] !== 0xff) break;
    const marker = bytes[at + 1] as number;
    if (marker === 0xff) {
      at++;
      continue;
    }
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame) return { height: view.getUint16(at + 5), width: view.getUint16(at + 7), orientation };
    const end = at + 2 + view.getUint16(at + 2);
    if (marker === 0xe1) orientation = readOrientation(bytes.subarray(at + 4, end)) ?? orientation;
    at = end;
  }
  throw new UserError(`${name}: a damaged JPEG file (no frame header); get it again.`);
}

/** The EXIF orientation in an APP1 segment, undefined where there is none. */
function readOrientation(segment: Uint8Array): number | undefined {
  const isExif = String.fromCharCode(...segment.subarray(0, 6)) === "Exif\0\0";
  if (!isExif || segment.length < 16) return undefined;
  const tiff = new DataView(segment.buffer, segment.byteOffset + 6, segment.byteLength - 6);
  const littleEndian = tiff.getUint8(0) === 0x49;
  const directory = tiff.getUint32(4, littleEndian);
  if (directory + 2 > tiff.byteLength) return undefined;
  const entries = tiff.getUint16(directory, littleEndian);
  for (let entry = 0; entry < entries; entry++) {
    const at = directory + 2 + 12 * entry;
    if (at + 12 > tiff.byteLength) return undefined;
    if (tiff.getUint16(at, littleEndian) === 0x0112) return tiff.getUint16(at + 8, littleEndian);
  }
  return undefined;
}

/** Among the bits of the pictures there is no such marker. */
function countScans(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(0xff); at >= 0; at = bytes.indexOf(0xff, at + 1)) if (bytes[at + 1] === 0xda) count++;
  return count;
}

/**
 * Decodes a JPEG file; the pixels are as they are stored, not turned by its EXIF orientation.
 *
 * @throws UserError, naming `name`, for a damaged file, more than {@link MAX_PIXELS} pixels or absurdly many scans.
 */
export function decodeJpeg(bytes: Uint8Array, name: string): ColourImage {
  const { width, height, orientation } = readHeader(bytes, name);
  checkSize(width, height, name);
  if (width * height > MOST_PIXELS_A_BYTE * bytes.length) {
    throw new UserError(
      `${name}: a damaged JPEG file (it says ${width}x${height} pixels, which ${bytes.length} bytes cannot hold); get it again.`,
    );
  }
  const scans = countScans(bytes);
  if (scans > MOST_SCANS) {
    throw new UserError(`${name}: a JPEG file that has ${scans} scans; at most ${MOST_SCANS} are decoded.`);
  }
  let decoded: { width: number; height: number; data: Uint8Array };
  try {
    decoded = jpeg.decode(bytes, {
      useTArray: true,
      formatAsRGBA: true,
      tolerantDecoding: false,
      maxResolutionInMP: MAX_PIXELS / 1e6,
      maxMemoryUsageInMB: MAX_DECODER_MEGABYTES,
    });
  } catch (error) {
    throw new UserError(`${name}: a damaged or unsupported JPEG file (${(error as Error).message}).`, { cause: error });
  }
  return { width: decoded.width, height: decoded.height, data: decoded.data, orientation };
}
