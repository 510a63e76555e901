/** PNG to pixels: every colour type and bit depth. */
import { decode } from "fast-png";
import { Unzlib } from "fflate";
import { UserError } from "../errors.ts";
import { type ColourImage, checkSize } from "./pictures.ts";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** The chunks that carry the picture; all others are left out, so that a broken comment or profile does no harm. */
const PICTURE_CHUNKS = new Set(["IHDR", "PLTE", "tRNS", "IDAT", "IEND"]);

/** Channels by colour type. */
const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
/** What a file's content unpacks to is not looked at where it cannot be more than this. */
const SMALL = 2 ** 26;
/** Deflate makes of a byte at most so many. */
const MOST_TIMES = 1032;
/** Bytes unpacked at a time. */
const SLICE = 2 ** 16;

/** Whether the bytes begin as a PNG file does. */
export function isPng(bytes: Uint8Array): boolean {
  return SIGNATURE.every((byte, index) => bytes[index] === byte);
}

interface Header {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly interlaced: boolean;
  readonly channels: number;
}

function readHeader(bytes: Uint8Array, name: string): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 33 || chunkType(bytes, 8) !== "IHDR") {
    throw new UserError(`${name}: a PNG file that breaks off in its header; it is damaged, get it again.`);
  }
  return {
    width: view.getUint32(16),
    height: view.getUint32(20),
    depth: view.getUint8(24),
    interlaced: view.getUint8(28) !== 0,
    channels: CHANNELS[view.getUint8(25)] ?? 4,
  };
}

function chunkType(bytes: Uint8Array, chunk: number): string {
  return String.fromCharCode(...bytes.subarray(chunk + 4, chunk + 8));
}

/** The same file with only the chunks that carry the picture. */
function keepPictureChunks(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kept = new Uint8Array(bytes.length);
  kept.set(bytes.subarray(0, 8));
  let length = 8;
  for (let chunk = 8; chunk + 12 <= bytes.length; ) {
    const end = chunk + 12 + view.getUint32(chunk);
    if (PICTURE_CHUNKS.has(chunkType(bytes, chunk))) {
      kept.set(bytes.subarray(chunk, end), length);
      length += Math.min(end, bytes.length) - chunk;
    }
    chunk = end;
  }
  return kept.subarray(0, length);
}

/** @throws UserError for content that unpacks to more than the picture's pixels: the decoder would unpack it all. */
function checkContent(bytes: Uint8Array, { width, height, depth, channels }: Header, name: string): void {
  if (bytes.length * MOST_TIMES <= SMALL) return;
  // An interlaced picture has some more rows, each with a byte before it.
  const most = 2 * height * (1 + Math.ceil((width * depth * channels) / 8));
  let length = 0;
  const unpacker = new Unzlib((part) => {
    length += part.length;
  });
  for (const content of contentOf(bytes)) {
    for (let at = 0; at < content.length; at += SLICE) {
      unpacker.push(content.subarray(at, at + SLICE));
      if (length > most) throw new UserError(`${name}: a damaged PNG file (it unpacks to more than its pixels).`);
    }
  }
}

function* contentOf(bytes: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let chunk = 8; chunk + 12 <= bytes.length; chunk += 12 + view.getUint32(chunk)) {
    if (chunkType(bytes, chunk) === "IDAT") yield bytes.subarray(chunk + 8, chunk + 8 + view.getUint32(chunk));
  }
}

/**
 * Decodes a PNG file.
 *
 * @throws UserError, naming `name`, for a damaged file or more than {@link MAX_PIXELS} pixels.
 */
export function decodePng(bytes: Uint8Array, name: string): ColourImage {
  const header = readHeader(bytes, name);
  const { width, height, depth, interlaced } = header;
  checkSize(width, height, name);
  if (interlaced && depth < 8) {
    throw new UserError(
      `${name}: interlaced PNG with ${depth} bits a sample is not supported; save it not interlaced.`,
    );
  }
  let png: ReturnType<typeof decode>;
  const picture = keepPictureChunks(bytes);
  try {
    checkContent(picture, header, name);
    png = decode(picture, { checkCrc: true });
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${name}: a damaged PNG file (${(error as Error).message}); get it again.`, { cause: error });
  }
  const samples = png.depth < 8 ? unpackSamples(png.data, width, height, png.depth) : png.data;
  const data = png.palette ? coloursOfPalette(samples, png.palette, name) : coloursOfSamples(png, samples);
  return { width, height, data, orientation: 1 };
}

/** Samples of 1, 2 or 4 bits, packed with each row starting on a byte, as one a byte. */
function unpackSamples(packed: ArrayLike<number>, width: number, height: number, depth: number): Uint8Array {
  const rowBytes = Math.ceil((width * depth) / 8);
  const samples = new Uint8Array(width * height);
  const mask = (1 << depth) - 1;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const bit = x * depth;
      const byte = packed[y * rowBytes + (bit >> 3)] as number;
      samples[y * width + x] = (byte >> (8 - depth - (bit & 7))) & mask;
    }
  }
  return samples;
}

function coloursOfPalette(indices: ArrayLike<number>, palette: number[][], name: string): Uint8Array {
  const colours = new Uint8Array(4 * indices.length);
  for (let pixel = 0; pixel < indices.length; pixel++) {
    const colour = palette[indices[pixel] as number];
    if (colour === undefined) throw new UserError(`${name}: a damaged PNG file (a colour outside its palette).`);
    const [red = 0, green = 0, blue = 0, alpha = 255] = colour;
    colours.set([red, green, blue, alpha], 4 * pixel);
  }
  return colours;
}

function coloursOfSamples(png: ReturnType<typeof decode>, samples: ArrayLike<number>): Uint8Array {
  const { channels, transparency } = png;
  const scale = 255 / (2 ** png.depth - 1);
  const hasColour = channels >= 3;
  const hasAlpha = channels % 2 === 0;
  const colours = new Uint8Array(4 * png.width * png.height);
  for (let to = 0, at = 0; to < colours.length; to += 4, at += channels) {
    const first = samples[at] as number;
    const second = hasColour ? (samples[at + 1] as number) : first;
    const third = hasColour ? (samples[at + 2] as number) : first;
    let alpha = hasAlpha ? (samples[at + channels - 1] as number) * scale : 255;
    // tRNS of a grey or colour picture names one sample value that is wholly transparent.
    if (transparency !== undefined && first === transparency[0]) {
      if (!hasColour || (second === transparency[1] && third === transparency[2])) alpha = 0;
    }
    colours[to] = Math.round(first * scale);
    colours[to + 1] = Math.round(second * scale);
    colours[to + 2] = Math.round(third * scale);
    colours[to + 3] = Math.round(alpha);
  }
  return colours;
}
