import { deflateSync } from "node:zlib";
import { encode } from "fast-png";
import { describe, expect, test } from "vitest";
import { jpegOf, meanDifference, paint, pngOf } from "../../test/helpers/pictures.ts";
import { UserError } from "../errors.ts";
import { decodeImage } from "./decode.ts";

function crc32(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(Buffer.from(type, "latin1"), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

/** A PNG file written by hand: header fields, further chunks, and the rows as they are filtered (filter 0). */
function png(
  header: { size: [number, number]; depth: number; colour: number; interlace?: number },
  rows: number[][],
  extra: Uint8Array[] = [],
) {
  const ihdr = new Uint8Array(13);
  const view = new DataView(ihdr.buffer);
  view.setUint32(0, header.size[0]);
  view.setUint32(4, header.size[1]);
  ihdr.set([header.depth, header.colour, 0, 0, header.interlace ?? 0], 8);
  const data = deflateSync(Uint8Array.from(rows.flatMap((row) => [0, ...row])));
  const signature = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Uint8Array.from(
    Buffer.concat([signature, chunk("IHDR", ihdr), ...extra, chunk("IDAT", data), chunk("IEND", new Uint8Array(0))]),
  );
}

const grey = (bytes: Uint8Array) => [...decodeImage(bytes, "a.png").data];

describe("PNG", () => {
  test("8-bit grey comes back exactly", () => {
    const picture = paint(37, 19, (x, y) => (7 * x + 11 * y) % 256);
    expect(decodeImage(pngOf(picture), "a.png")).toEqual(picture);
  });

  test.each([
    [1, [0b10100000], [255, 0, 255]],
    [2, [0b00011011], [0, 85, 170]],
    [4, [0x0f, 0x80], [0, 255, 136]],
    [8, [0, 100, 255], [0, 100, 255]],
    [16, [0, 0, 0x80, 0, 0xff, 0xff], [0, 128, 255]],
  ])("grey of %d bits", (depth, row, expected) => {
    expect(grey(png({ size: [3, 1], depth, colour: 0 }, [row]))).toEqual(expected);
  });

  test("colour becomes Rec. 601 luminance", () => {
    const row = [255, 0, 0, 0, 255, 0, 0, 0, 255];
    expect(grey(png({ size: [3, 1], depth: 8, colour: 2 }, [row]))).toEqual([76, 150, 29]);
  });

  test("alpha is composited on white", () => {
    expect(grey(png({ size: [2, 1], depth: 8, colour: 6 }, [[0, 0, 0, 0, 0, 0, 0, 255]]))).toEqual([255, 0]);
    expect(grey(png({ size: [2, 1], depth: 8, colour: 4 }, [[100, 51, 100, 255]]))).toEqual([224, 100]);
    expect(grey(png({ size: [1, 1], depth: 16, colour: 4 }, [[0, 0, 0, 0]]))).toEqual([255]);
  });

  test("a palette, with rows that end within a byte, and its transparency", () => {
    const palette = chunk("PLTE", Uint8Array.from([0, 0, 0, 255, 255, 255, 255, 0, 0]));
    const transparency = chunk("tRNS", Uint8Array.from([0]));
    const rows = [[0b00011000], [0b10010000]];
    expect(grey(png({ size: [3, 2], depth: 2, colour: 3 }, rows, [palette]))).toEqual([0, 255, 76, 76, 255, 0]);
    expect(grey(png({ size: [3, 2], depth: 2, colour: 3 }, rows, [palette, transparency]))).toEqual([
      255, 255, 76, 76, 255, 255,
    ]);
  });

  test("one transparent grey level", () => {
    const transparency = chunk("tRNS", Uint8Array.from([0, 7]));
    expect(grey(png({ size: [2, 1], depth: 8, colour: 0 }, [[7, 8]], [transparency]))).toEqual([255, 8]);
  });

  test("a broken profile beside the picture does no harm", () => {
    const profile = chunk("iCCP", Uint8Array.from([65, 0, 0, 1, 2, 3]));
    expect(grey(png({ size: [1, 1], depth: 8, colour: 0 }, [[9]], [profile]))).toEqual([9]);
  });

  test("interlaced", () => {
    const picture = paint(21, 13, (x, y) => (5 * x + 3 * y) % 256);
    const bytes = encode({ ...picture, channels: 1, depth: 8 }, { interlace: "Adam7" });
    expect(decodeImage(bytes, "a.png")).toEqual(picture);
  });

  test("what is refused names the file and the reason", () => {
    const good = pngOf(paint(40, 40, (x, y) => (x * y) % 251));
    const damaged = good.slice();
    damaged[60] = (damaged[60] as number) ^ 0xff;
    const huge = png({ size: [100_000, 100_000], depth: 8, colour: 0 }, [[0]]);
    const empty = png({ size: [0, 5], depth: 8, colour: 0 }, [[0]]);
    const interlaced = png({ size: [3, 1], depth: 1, colour: 0, interlace: 1 }, [[0]]);
    const outside = png({ size: [1, 1], depth: 8, colour: 3 }, [[5]], [chunk("PLTE", Uint8Array.from([1, 2, 3]))]);
    const cases: [Uint8Array, RegExp][] = [
      [good.subarray(0, 20), /breaks off in its header/],
      [good.subarray(0, good.length - 30), /damaged PNG/],
      [damaged, /damaged PNG/],
      [huge, /100000x100000 pixels are too many \(at most 64 megapixels\)/],
      [empty, /0x5 pixels/],
      [interlaced, /interlaced PNG with 1 bits/],
      [outside, /outside its palette/],
    ];
    for (const [bytes, message] of cases) {
      expect(() => decodeImage(bytes, "b.png")).toThrow(UserError);
      expect(() => decodeImage(bytes, "b.png")).toThrow(message);
      expect(() => decodeImage(bytes, "b.png")).toThrow(/^b\.png: [^\n]*$/);
    }
  });
});

/** A JPEG file with an EXIF segment that holds nothing but the orientation. */
function withOrientation(bytes: Uint8Array, orientation: number): Uint8Array {
  const tiff = [0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0];
  const body = [...Buffer.from("Exif\0\0", "latin1"), ...tiff];
  return Uint8Array.from([0xff, 0xd8, 0xff, 0xe1, 0, body.length + 2, ...body, ...bytes.subarray(2)]);
}

describe("JPEG", () => {
  const slope = paint(48, 32, (x, y) => 4 * x + 2 * y);

  test("comes back nearly as it was, tinted pictures by their luminance", () => {
    expect(meanDifference(decodeImage(jpegOf(slope, 90), "a.jpg").data, slope.data)).toBeLessThan(2);
    const tinted = decodeImage(jpegOf(slope, 90, [1, 0.5, 0]), "a.jpg").data;
    expect(
      meanDifference(
        tinted,
        slope.data.map((level) => level * (0.299 + 0.587 * 0.5)),
      ),
    ).toBeLessThan(2.5);
  });

  test.each([
    [2, (x: number, y: number) => [47 - x, y]],
    [3, (x: number, y: number) => [47 - x, 31 - y]],
    [4, (x: number, y: number) => [x, 31 - y]],
    [5, (x: number, y: number) => [y, x]],
    [6, (x: number, y: number) => [y, 31 - x]],
    [7, (x: number, y: number) => [47 - y, 31 - x]],
    [8, (x: number, y: number) => [47 - y, x]],
  ])("EXIF orientation %d is undone", (orientation, source) => {
    const image = decodeImage(withOrientation(jpegOf(slope, 95), orientation), "a.jpg");
    const [width, height] = orientation >= 5 ? [32, 48] : [48, 32];
    const expected = paint(width, height, (x, y) => {
      const [column = 0, row = 0] = source(x, y);
      return slope.data[row * 48 + column] as number;
    });
    expect([image.width, image.height]).toEqual([width, height]);
    expect(meanDifference(image.data, expected.data)).toBeLessThan(2);
  });

  test("what is refused names the file and the reason", () => {
    const good = jpegOf(slope, 90);
    const frame = good.findIndex((byte, i) => byte === 0xff && good[i + 1] === 0xc0);
    const huge = good.slice();
    huge.set([0xff, 0xff, 0xff, 0xff], frame + 5);
    const claiming = good.slice();
    claiming.set([6000 >> 8, 6000 & 255, 6000 >> 8, 6000 & 255], frame + 5);
    const cases: [Uint8Array, RegExp][] = [
      [good.subarray(0, 30), /no frame header/],
      [good.subarray(0, good.length >> 1), /damaged or unsupported JPEG/],
      [huge, /65535x65535 pixels are too many/],
      [claiming, /it says 6000x6000 pixels, which \d+ bytes cannot hold/],
    ];
    for (const [bytes, message] of cases) {
      expect(() => decodeImage(bytes, "b.jpg")).toThrow(UserError);
      expect(() => decodeImage(bytes, "b.jpg")).toThrow(message);
    }
  });
});

test("anything else is refused", () => {
  for (const bytes of [new Uint8Array(0), Uint8Array.from(Buffer.from("GIF89a....")), new Uint8Array(100)]) {
    expect(() => decodeImage(bytes, "notes.txt")).toThrow(/^notes\.txt: expected a PNG or JPEG picture/);
  }
});
