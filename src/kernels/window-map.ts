/**
 * Which windows of an image have an input that is not zero: a map of one byte a window, 0 where all are zero. What a
 * convolution gives there is known without computing it. Where there are few channels, pixels are not told apart: there is
 * a byte for what begins at each element.
 */
import { f32, f32x4, i8x16, i16x8, i32, local, v128 } from "wasmati";
import type { Emitter, I32 } from "../wasm/emitter.ts";

export interface WindowMap {
  /** Rows, columns and channels of the image. */
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Height and width of a window. There is one at each pixel whose window is within the image. */
  readonly window: readonly [height: number, width: number];
  /** Bytes from a pixel's mark to the next one's: 1, or the number of channels where each element has one. */
  readonly markBytes: number;
}

/** From so many channels on a pixel has one mark. */
const MANY_CHANNELS = 8;

/** `markBytes` for `mapWindows`. */
export const markBytesFor = (channels: number) => (channels < MANY_CHANNELS ? channels : 1);

/** Bytes from row to row of a map. */
export const mapPitch = ({ width, markBytes }: WindowMap) => Math.ceil((width * markBytes) / 16) * 16 + 16;

export const mapBytes = (map: WindowMap) => (map.height + 1) * mapPitch(map);

/** Writes the map of the image at `image` to `map`. */
export function mapWindows(e: Emitter, shape: WindowMap, image: I32, map: I32): void {
  e.scope(() => (shape.markBytes === shape.channels ? markElements : markPixels)(e, shape, image, map));
  spreadOverWindows(e, shape, map);
}

/** Makes a map of windows of a map of pixels: the bits that one of the window's pixels has. */
export function spreadOverWindows(e: Emitter, shape: WindowMap, map: I32): void {
  const pitch = mapPitch(shape);
  const [height, width] = shape.window;
  // Windows along columns, then along rows, in place: each byte is read before it is written.
  const spread = (rows: number, count: number, step: number) => {
    const chunk = e.i32();
    const end = e.i32(i32.add(map, rows * pitch));
    e.for(chunk, map, end, 16, () => {
      const any = e.v128(v128.load({ align: 1 }, chunk));
      for (let k = 1; k < count; k++) local.set(any, v128.or(any, v128.load({ offset: k * step, align: 1 }, chunk)));
      v128.store({ align: 1 }, chunk, any);
    });
  };
  spread(shape.height, width * shape.markBytes, 1);
  spread(shape.height - height + 1, height, pitch);
}

/** One byte an element, not 0 where it is not zero. */
function markElements(e: Emitter, shape: WindowMap, image: I32, map: I32): void {
  const elements = shape.width * shape.channels;
  const line = e.i32(map);
  const element = e.i32(image);
  e.for(e.i32(), 0, shape.height, 1, () => {
    const mark = e.i32();
    const end = e.i32(i32.add(line, elements));
    e.for(mark, line, end, 16, () => {
      const nonzero = (i: number) => e.v128(f32x4.ne(v128.load({ offset: i * 16, align: 4 }, element), f32x4.splat(0)));
      const [a, b, c, d] = [nonzero(0), nonzero(1), nonzero(2), nonzero(3)];
      const left = e.v128(i16x8.narrow_i32x4_s(a, b));
      const right = e.v128(i16x8.narrow_i32x4_s(c, d));
      v128.store({ align: 1 }, mark, i8x16.narrow_i16x8_s(left, right));
      local.set(element, i32.add(element, 64));
    });
    // The last vectors may have gone on into the next row.
    local.set(element, i32.sub(element, (Math.ceil(elements / 16) * 16 - elements) * 4));
    local.set(line, i32.add(line, mapPitch(shape)));
  });
}

/** One byte a pixel, not 0 where one of its channels is not zero. */
function markPixels(e: Emitter, shape: WindowMap, image: I32, map: I32): void {
  const { height, width, channels } = shape;
  const line = e.i32(map);
  const pixel = e.i32(image);
  e.for(e.i32(), 0, height, 1, () => {
    const mark = e.i32(line);
    e.for(e.i32(), 0, width, 1, () => {
      i32.store8({}, mark, anyNonzero(e, pixel, channels));
      local.set(mark, i32.add(mark, 1));
      local.set(pixel, i32.add(pixel, channels * 4));
    });
    local.set(line, i32.add(line, mapPitch(shape)));
  });
}

/** A local that is 1 where one of the `channels` numbers at `address` is not zero. */
function anyNonzero(e: Emitter, address: I32, channels: number): I32 {
  const rest = channels % 4;
  const any = e.v128(f32x4.splat(0));
  const vector = e.i32(address);
  const last = e.i32(i32.add(address, (channels - rest) * 4));
  e.for(vector, address, last, 16, () => {
    local.set(any, v128.or(any, f32x4.ne(v128.load({ align: 4 }, vector), f32x4.splat(0))));
  });
  const found = e.i32(v128.any_true(any));
  // The lanes past the last channel are the next pixel's.
  for (let lane = 0; lane < rest; lane++) {
    local.set(found, i32.or(found, f32.ne(f32.load({ offset: lane * 4 }, last), 0)));
  }
  return found;
}
