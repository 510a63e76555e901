/**
 * What keeps the rounding of filtering from deciding anything. Its errors, up to some 1e-5 of an output, do no harm
 * as such, but ReLU and pooling choose: where an output is nearly zero, or two of a window nearly equal, rounding would
 * decide which of them passes the gradient on, and training would leave the path that it takes with exact sums.
 *
 * - Outputs whose window of inputs is all zero are exactly zero.
 * - Outputs whose window repeats that of the output to the left or above get its value: images have large areas of one
 *   colour, where most ties are.
 * - Where what then differs does so by less than the error's bound, outputs are summed again, directly: about one window
 *   in a thousand. In training alone, where gradients go the way of the choice; zeros stay zeros everywhere, because kernels
 *   behind leave them out.
 */
import { f32, f32x4, i32, i32x4, local, memory, v128 } from "wasmati";
import type { Emitter, F32, I32, V128 } from "../wasm/emitter.ts";
import { clearSums, multiplyRun, PANEL_BYTES, storeSums, takeSums } from "./block.ts";
import { clearMemory } from "./convolution.ts";
import { firstLanes } from "./packing.ts";
import { mapBytes, mapPitch, spreadOverWindows, type WindowMap } from "./window-map.ts";

/** The bits of a window in the map: 0 where all of it is zero, or is what its neighbour's window is. */
const NOT_ZERO = 1;
const UNLIKE_LEFT = 2;
const UNLIKE_ABOVE = 4;

/** A band's list: where it ends, the largest magnitude of its image, then pairs of places in the strip of outputs. */
const LIST_HEAD = 8;

/** Places in a strip of outputs, which has `columns` columns and is followed by one place of zeros. */
export interface OutputStrip {
  readonly rows: number;
  readonly columns: number;
}

export const repairListBytes = ({ rows, columns }: OutputStrip) => LIST_HEAD + rows * columns * 8;

/** An image, and the map of the windows of its padded copy; the map has one byte a pixel of that copy. */
export interface MappedImage {
  readonly image: readonly [height: number, width: number, channels: number];
  /** Rows and columns of zeros before the image. */
  readonly top: number;
  readonly left: number;
  readonly map: WindowMap;
}

/**
 * Maps which windows are zero or repeat their neighbours', and gives the largest magnitude of the image.
 */
export function mapRepeats(e: Emitter, plan: MappedImage, image: I32, map: I32): F32 {
  clearMemory(map, mapBytes(plan.map));
  const largest = markPixels(e, plan, image, map);
  // There is nothing to the left of the first windows.
  const line = e.i32(map);
  e.for(e.i32(), 0, plan.map.height, 1, () => {
    i32.store8({}, line, e.i32(i32.or(i32.load8_u({}, line), UNLIKE_LEFT)));
    local.set(line, i32.add(line, mapPitch(plan.map)));
  });
  spreadOverWindows(e, plan.map, map);
  return largest;
}

/** Marks each pixel that is not zero, or unlike the one before or above it; gives the largest magnitude of all. */
function markPixels(e: Emitter, { image, top, left, map: shape }: MappedImage, start: I32, map: I32): F32 {
  const [height, width, channels] = image;
  const pixelBytes = channels * 4;
  const pitch = width * pixelBytes;
  const tail = channels % 4;
  const lanes = tail ? firstLanes(e, tail) : undefined;
  const largest = e.v128(f32x4.splat(0));
  const line = e.i32(i32.add(map, top * mapPitch(shape) + left));
  const pixel = e.i32(start);
  const neighbours = { left: e.i32(), above: e.i32() };
  const [nonzero, fromLeft, fromAbove] = [e.v128(), e.v128(), e.v128()];
  const compare = (offset: I32, mask?: V128) => {
    const load = (address: I32) => {
      const vector = e.v128(v128.load({ align: 4 }, i32.add(address, offset)));
      if (mask) local.set(vector, v128.and(vector, mask));
      return vector;
    };
    const [own, before, up] = [load(pixel), load(neighbours.left), load(neighbours.above)];
    const magnitude = e.v128(f32x4.abs(own));
    local.set(largest, f32x4.pmax(largest, magnitude));
    local.set(nonzero, v128.or(nonzero, magnitude));
    local.set(fromLeft, v128.or(fromLeft, v128.xor(own, before)));
    local.set(fromAbove, v128.or(fromAbove, v128.xor(own, up)));
  };
  const mark = e.i32();
  const isNonzero = e.i32();
  const unlikeLeft = e.i32();
  const unlikeAbove = e.i32();
  const row = e.i32();
  const column = e.i32();
  const addBit = (offset: number, bit: number) =>
    i32.store8({ offset }, mark, e.i32(i32.or(i32.load8_u({ offset }, mark), bit)));
  e.for(row, 0, height, 1, () => {
    local.set(mark, line);
    e.for(column, 0, width, 1, () => {
      for (const vector of [nonzero, fromLeft, fromAbove]) local.set(vector, f32x4.splat(0));
      local.set(neighbours.left, i32.sub(pixel, pixelBytes));
      local.set(neighbours.above, i32.sub(pixel, pitch));
      e.if(i32.eqz(column), () => local.set(neighbours.left, pixel));
      e.if(i32.eqz(row), () => local.set(neighbours.above, pixel));
      const offset = e.i32();
      e.for(offset, 0, (channels - tail) * 4, 16, () => compare(offset));
      if (lanes) compare(offset, lanes);
      local.set(pixel, i32.add(pixel, pixelBytes));
      local.set(isNonzero, v128.any_true(nonzero));
      local.set(unlikeLeft, v128.any_true(fromLeft));
      local.set(unlikeAbove, v128.any_true(fromAbove));
      // Beside the image are zeros.
      e.if(i32.eqz(column), () => local.set(unlikeLeft, isNonzero));
      e.if(i32.eqz(row), () => local.set(unlikeAbove, isNonzero));
      local.set(unlikeLeft, i32.shl(unlikeLeft, 1));
      local.set(unlikeAbove, i32.shl(unlikeAbove, 2));
      i32.store8({}, mark, e.i32(i32.or(i32.or(isNonzero, unlikeLeft), unlikeAbove)));
      // The last row decides for the row of zeros behind it.
      if (top + height < shape.height) {
        e.if(i32.and(isNonzero, i32.eq(row, height - 1)), () => addBit(mapPitch(shape), UNLIKE_ABOVE));
      }
      local.set(mark, i32.add(mark, 1));
    });
    if (left + width < shape.width) e.if(i32.ne(isNonzero, 0), () => addBit(0, UNLIKE_LEFT));
    local.set(line, i32.add(line, mapPitch(shape)));
  });
  const lane = (index: 0 | 1 | 2 | 3) => e.f32(f32x4.extract_lane(index, largest));
  const [first, second, third, fourth] = [lane(0), lane(1), lane(2), lane(3)];
  return e.f32(f32.max(f32.max(first, second), f32.max(third, fourth)));
}

/** Lists the outputs of a strip that are zero or repeat another. `map` is that of its first row, `used` its width. */
export function listRepeats(
  e: Emitter,
  shape: WindowMap,
  { rows: allRows, columns }: OutputStrip,
  { largest, map, list, rows, used }: { largest: F32; map: I32; list: I32; rows: I32; used: number },
): void {
  f32.store({ offset: 4 }, list, largest);
  const mark = e.i32();
  const line = e.i32(map);
  const end = e.i32(i32.add(list, LIST_HEAD));
  const place = e.i32(0);
  const source = e.i32();
  const zeros = e.i32(allRows * columns * PANEL_BYTES);
  // What is above the first row is in another strip.
  const first = e.i32(UNLIKE_ABOVE);
  e.for(e.i32(), 0, rows, 1, () => {
    local.set(mark, line);
    e.for(e.i32(), 0, used, 1, () => {
      const bits = e.i32(i32.or(first, i32.load8_u({}, mark)));
      const isUnlike = (bit: number) => i32.and(bits, bit);
      local.set(source, i32.sub(place, columns * PANEL_BYTES));
      e.if(i32.eqz(isUnlike(UNLIKE_LEFT)), () => local.set(source, i32.sub(place, PANEL_BYTES)));
      e.if(i32.eqz(isUnlike(NOT_ZERO)), () => local.set(source, zeros));
      i32.store({}, end, place);
      i32.store({ offset: 4 }, end, source);
      const isListed = i32.ne(i32.and(bits, NOT_ZERO | UNLIKE_LEFT | UNLIKE_ABOVE), 7);
      local.set(end, i32.add(end, i32.shl(isListed, 3)));
      local.set(mark, i32.add(mark, 1));
      local.set(place, i32.add(place, PANEL_BYTES));
    });
    local.set(first, i32.const(0));
    local.set(place, i32.add(place, (columns - used) * PANEL_BYTES));
    local.set(line, i32.add(line, mapPitch(shape)));
  });
  i32.store({}, list, end);
}

/** Gives the listed outputs of a strip their values. */
export function copyRepeats(e: Emitter, list: I32, outputs: I32): void {
  const end = e.i32(i32.load({}, list));
  const entry = e.i32();
  e.for(entry, i32.add(list, LIST_HEAD), end, 8, () => {
    const to = e.i32(i32.add(outputs, i32.load({}, entry)));
    const from = e.i32(i32.add(outputs, i32.load({ offset: 4 }, entry)));
    for (let offset = 0; offset < PANEL_BYTES; offset += 16) {
      v128.store({ offset }, to, e.v128(v128.load({ offset }, from)));
    }
  });
}

/** What choices are made of: the windows of a strip of outputs, in four channels. */
export interface Choices {
  /** Windows of the strip; outputs along a side of each, 1 or 2. */
  readonly rows: I32;
  readonly width: number;
  readonly size: number;
  readonly relu: boolean;
  /** The strip's first output, and bytes from row to row of it. */
  readonly outputs: I32;
  readonly rowBytes: number;
  /** The strip's list, which knows the magnitude of its inputs; the channels' bias, and their bounds for inputs of up to 1. */
  readonly list: I32;
  readonly bias: I32 | undefined;
  readonly bounds: I32;
}

/** What sums are made of: one sample and the kernel. */
export interface Source {
  readonly image: readonly [height: number, width: number, channels: number];
  /** The sample, and the kernel's first column; bytes from row to row of the kernel; its side. */
  readonly sample: I32;
  readonly kernel: I32;
  readonly kernelPitch: number;
  readonly r: number;
  /** In the image: row of the first output's window, and column. */
  readonly top: I32;
  readonly left: number;
  /** Memory for the inputs of one window of outputs. */
  readonly patch: I32;
}

export const patchBytes = (size: number, r: number, channels: number) => (size + r - 1) ** 2 * channels * 4 + 16;

/** Sums again what rounding would choose among. */
export function settle(e: Emitter, choices: Choices, source: Source): void {
  const { rows, width, size, relu, outputs, rowBytes, list, bias, bounds } = choices;
  const window = size === 2 ? [0, PANEL_BYTES, rowBytes, rowBytes + PANEL_BYTES] : [0];
  const magnitude = e.v128(v128.load32_splat({ offset: 4 }, list));
  const limit = e.v128(f32x4.mul(magnitude, v128.load({}, bounds)));
  const line = e.i32(outputs);
  const y = e.i32(source.top);
  e.for(e.i32(), 0, rows, 1, () => {
    const x = e.i32(-source.left);
    const vector = e.i32(line);
    e.for(e.i32(), 0, width, 1, () => {
      e.if(isClose(e, { relu, window, vector, limit, bias }), () =>
        sumDirectly(e, source, { size, y, x, vector, window }),
      );
      local.set(x, i32.add(x, size));
      local.set(vector, i32.add(vector, size * PANEL_BYTES));
    });
    local.set(y, i32.add(y, size));
    local.set(line, i32.add(line, size * rowBytes));
  });
}

interface Close {
  readonly relu: boolean;
  readonly window: readonly number[];
  readonly vector: I32;
  readonly limit: V128;
  readonly bias: I32 | undefined;
}

/**
 * Pushes whether in one of four channels the largest output of a window is nearer than the limit to another one, or to
 * zero where there is ReLU. What is exactly equal is settled: as integers, less 1, such differences are the largest.
 */
function isClose(e: Emitter, { relu, window, vector, limit, bias }: Close) {
  const sums = window.map((place) => e.v128(v128.load({ offset: place }, vector)));
  const largest = e.v128(sums[0]!);
  for (const sum of sums.slice(1)) local.set(largest, f32x4.pmax(largest, sum));
  const differences = sums.length > 1 ? sums.map((sum) => e.v128(f32x4.sub(largest, sum))) : [];
  if (bias) local.set(largest, f32x4.add(largest, v128.load({ align: 4 }, bias)));
  if (relu) differences.push(e.v128(f32x4.abs(largest)));
  const least = e.v128(i32x4.splat(-1));
  for (const difference of differences) {
    local.set(least, i32x4.min_u(least, i32x4.sub(difference, i32x4.splat(1))));
  }
  const close = e.v128(i32x4.lt_u(least, limit));
  // What ReLU cuts off anyway need not be settled.
  if (relu) local.set(close, v128.and(close, f32x4.gt(largest, f32x4.neg(limit))));
  return v128.any_true(close);
}

/** The outputs of one window in four channels, summed over its inputs in order. */
function sumDirectly(
  e: Emitter,
  { image: [height, width, channels], sample, kernel, kernelPitch, r, patch }: Source,
  { size, y, x, vector, window }: { size: number; y: I32; x: I32; vector: I32; window: readonly number[] },
): void {
  const pixelBytes = channels * 4;
  const side = size + r - 1;
  const sideBytes = side * pixelBytes;
  // The part of the patch that is within the image's columns; the rest is zero.
  const first = e.i32(i32.sub(0, x));
  e.atLeast(first, 0);
  const last = e.i32(i32.sub(width, x));
  e.atMost(last, side);
  const count = e.i32(i32.mul(i32.sub(last, first), pixelBytes));
  const to = e.i32(patch);
  const row = e.i32(y);
  clearMemory(patch, side * sideBytes);
  e.for(e.i32(), 0, side, 1, () => {
    e.if(i32.lt_u(row, height), () => {
      const column = e.i32(i32.add(x, first));
      local.get(e.i32(e.address(0, [to, 1], [first, pixelBytes])));
      local.get(e.i32(e.address(0, [sample, 1], [row, width * pixelBytes], [column, pixelBytes])));
      local.get(count);
      memory.copy();
    });
    local.set(row, i32.add(row, 1));
    local.set(to, i32.add(to, sideBytes));
  });
  const rowOffsets = size === 2 ? [0, pixelBytes, sideBytes, sideBytes + pixelBytes] : [0];
  const sums = takeSums(e, window.length, 4);
  clearSums(sums);
  const a = e.i32(patch);
  const b = e.i32(kernel);
  const end = e.i32();
  e.for(e.i32(), 0, r, 1, () => {
    local.set(end, i32.add(a, r * pixelBytes));
    multiplyRun(e, { rowOffsets, aStep: 4, bStep: kernelPitch }, sums, a, b, end);
    local.set(a, i32.add(a, sideBytes - r * pixelBytes));
  });
  storeSums(e, sums, vector, window, 4);
}
