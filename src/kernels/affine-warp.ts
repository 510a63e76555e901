/**
 * Moves the pixels of images: each one of the output is read from where an affine map of the sample takes its place to. What
 * lies between pixels is interpolated; what lies outside of the image is filled, as TensorFlow's `ImageProjectiveTransformV3`
 * does it (tensorflow/core/kernels/image/image_ops.h), on which Keras's random layers stand.
 *
 * A pixel's four neighbours are found at once: lanes are the columns and rows before and behind the place, x0, y0, x1, y1.
 * Where neighbours are is computed with separate roundings on every host, so that all choose the same ones. Unlike
 * TensorFlow, which turns the gradient's image back, this has the gradient of what it computes: each pixel's goes where its
 * value came from. Threads share the samples.
 */
import { f32, f32x4, i8x16, i32, i32x4, local, v128 } from "wasmati";
import type { Emitter, I32, V128 } from "../wasm/emitter.ts";
import { clearMemory } from "./convolution.ts";
import { elementsOf, type Op, type Shape, type Value } from "./op.ts";
import { lanes } from "./packing.ts";
import { AFFINE } from "./random-affine.ts";

export const FILL_MODES = ["reflect", "constant", "wrap", "nearest"] as const;
export const INTERPOLATIONS = ["bilinear", "nearest"] as const;

export interface WarpAttributes {
  /** The image goes on behind its edges: mirrored, as `fillValue`, from its other edge on, or as the last pixel. */
  readonly fillMode: (typeof FILL_MODES)[number];
  readonly fillValue: number;
  readonly interpolation: (typeof INTERPOLATIONS)[number];
}

/** x (height, width, channels), maps (6), batched, from places in the output to those in the image → (height, width, channels). */
export const affineWarp: Op<WarpAttributes> = {
  name: "affineWarp",

  infer: (_, [x]) => [{ shape: x!.shape, batched: true, dtype: "float32" }],

  reference(attributes, [x, maps], [y], batch) {
    y!.data.fill(0, 0, batch * elementsOf(y!.shape));
    eachNeighbour(attributes, x!.shape, maps!, batch, (place, neighbour, weight) => {
      for (let c = 0; c < x!.shape[2]!; c++) {
        y!.data[place + c]! += weight * (neighbour === undefined ? attributes.fillValue : x!.data[neighbour + c]!);
      }
    });
  },

  gradient: (graph, { attributes, inputs: [, maps] }, [dy]) => [
    graph.apply(affineWarpGradient, attributes, maps!, dy!),
    undefined,
  ],

  operations: (_, __, [y]) => 4 * elementsOf(y!.shape),

  emit(e, attributes, [x, maps], [y]) {
    const { fillMode, fillValue } = attributes;
    eachPixel(e, attributes, x!.shape, maps!.address, ({ place, neighbours, weights }) => {
      const filled = e.v128(f32x4.splat(0));
      if (fillMode === "constant" && fillValue !== 0) {
        const sum = weights.reduce((a, b) => e.v128(f32x4.add(a, b)));
        local.set(filled, f32x4.mul(f32x4.splat(fillValue), e.v128(f32x4.sub(f32x4.splat(1), sum))));
      }
      eachChannels(e, x!.shape[2]!, [place, ...neighbours], ([target, ...sources], count) => {
        const sum = e.v128(filled);
        for (const [i, source] of sources.entries()) {
          e.accumulate(sum, weights[i]!, v128.load({ offset: x!.address, align: 4 }, source!));
        }
        e.storeLanes(target!, y!.address, sum, count);
      });
    });
  },
};

/** maps (6), batched, dy (height, width, channels) → dx (height, width, channels). */
export const affineWarpGradient: Op<WarpAttributes> = {
  name: "affineWarpGradient",

  infer: (_, [, dy]) => [{ shape: dy!.shape, batched: true, dtype: "float32" }],

  reference(attributes, [maps, dy], [dx], batch) {
    dx!.data.fill(0, 0, batch * elementsOf(dx!.shape));
    eachNeighbour(attributes, dy!.shape, maps!, batch, (place, neighbour, weight) => {
      if (neighbour === undefined) return;
      for (let c = 0; c < dy!.shape[2]!; c++) dx!.data[neighbour + c]! += weight * dy!.data[place + c]!;
    });
  },

  operations: (_, __, [dx]) => 4 * elementsOf(dx!.shape),

  emit(e, attributes, [maps, dy], [dx]) {
    const sampleBytes = elementsOf(dx!.shape) * 4;
    const clear = (sample: I32) => clearMemory(e.i32(i32.add(sample, dx!.address)), sampleBytes);
    const scatter = ({ place, neighbours, weights }: Pixel) =>
      eachChannels(e, dx!.shape[2]!, [place, ...neighbours], ([source, ...targets], count) => {
        const slope = e.v128(v128.load({ offset: dy!.address, align: 4 }, source!));
        for (const [i, target] of targets.entries()) {
          const sum = e.v128(v128.load({ offset: dx!.address, align: 4 }, target!));
          e.accumulate(sum, weights[i]!, slope);
          e.storeLanes(target!, dx!.address, sum, count);
        }
      });
    eachPixel(e, attributes, dx!.shape, maps!.address, scatter, clear);
  },
};

/** A pixel of the output; where it and its four neighbours in the input are, in bytes from the tensors' first. */
interface Pixel {
  readonly place: I32;
  readonly neighbours: readonly I32[];
  /** What each neighbour counts, in all lanes; 0 for one outside of the image. */
  readonly weights: readonly V128[];
}

/** Runs `body` for each pixel, after `begin` with the sample's first byte. */
function eachPixel(
  e: Emitter,
  attributes: WarpAttributes,
  shape: Shape,
  maps: number,
  body: (pixel: Pixel) => void,
  begin: (sample: I32) => void = () => {},
): void {
  const [height, width, channels] = shape as [number, number, number];
  const pixelBytes = channels * 4;
  const { from, to } = e.samples();
  const [n, row, column] = [e.i32(), e.i32(), e.i32()];
  const place = e.i32(i32.mul(from, height * width * pixelBytes));
  e.for(n, from, to, 1, () => {
    const sample = e.i32(place);
    begin(sample);
    const map = e.i32(i32.mul(n, AFFINE * 4));
    const columnOf = (i: number) => e.v128(v128.load64_splat({ offset: maps + i * 8 }, map));
    const [across, down, origin] = [columnOf(0), columnOf(1), columnOf(2)];
    e.for(row, 0, height, 1, () => {
      const ofRow = e.v128(f32x4.mul(down, f32x4.splat(f32.convert_i32_s(row))));
      e.for(column, 0, width, 1, () => {
        const ofColumn = e.v128(f32x4.mul(across, f32x4.splat(f32.convert_i32_s(column))));
        const source = e.v128(f32x4.add(f32x4.add(ofColumn, ofRow), origin));
        body({ place, ...emitNeighbours(e, attributes, shape, source, sample) });
        local.set(place, i32.add(place, pixelBytes));
      });
    });
  });
}

/** The four pixels around a place (x, y, x, y), and what each counts. */
function emitNeighbours(
  e: Emitter,
  { fillMode, interpolation }: WarpAttributes,
  [height, width, channels]: Shape,
  source: V128,
  sample: I32,
): Omit<Pixel, "place"> {
  const size: Size = [width!, height!, width!, height!];
  const filled = emitFilled(e, fillMode, size, source);
  const place = interpolation === "nearest" ? emitRounded(e, filled) : filled;
  const before = e.v128(f32x4.floor(place));
  const part = e.v128(f32x4.sub(place, before));
  // 1 - part and part: what those before and behind count.
  const shares = e.v128(f32x4.abs(f32x4.sub(part, v128.const("f32x4", [1, 1, 0, 0]))));
  const sides = e.v128(f32x4.add(before, v128.const("f32x4", [0, 0, 1, 1])));
  const inside = e.v128(f32x4.min(f32x4.max(sides, f32x4.splat(0)), v128.const("f32x4", lastOf(size))));
  // Other modes have brought places inside: what then lies outside counts 0 already.
  if (fillMode === "constant") local.set(shares, v128.and(shares, e.v128(f32x4.eq(sides, inside))));
  const [pixelBytes, rowBytes] = [channels! * 4, width! * channels! * 4];
  const bytes = v128.const("i32x4", [pixelBytes, rowBytes, pixelBytes, rowBytes]);
  const offsets = e.v128(i32x4.mul(bytes, i32x4.trunc_sat_f32x4_s(inside)));
  // Each of both columns in each of both rows.
  const pick = (from: V128, order: readonly number[]) => e.v128(i8x16.shuffle(lanes(...order), from, from));
  const [columns, rows] = [
    [0, 2, 0, 2],
    [1, 1, 3, 3],
  ] as const;
  const ofImage = e.v128(i32x4.add(pick(offsets, columns), pick(offsets, rows)));
  const places = e.v128(i32x4.add(ofImage, i32x4.splat(sample)));
  const counts = e.v128(f32x4.mul(pick(shares, columns), pick(shares, rows)));
  const four = [0, 1, 2, 3] as const;
  return {
    neighbours: four.map((lane) => e.i32(i32x4.extract_lane(lane, places))),
    weights: four.map((lane) => pick(counts, [lane, lane, lane, lane])),
  };
}

/** Width and height, for lanes x, y, x, y. */
type Size = [number, number, number, number];

const lastOf = (size: Size) => size.map((length) => length - 1) as Size;

/** The places in the image that stand for places anywhere. */
function emitFilled(e: Emitter, fillMode: WarpAttributes["fillMode"], size: Size, place: V128): V128 {
  if (fillMode === "constant") return place;
  const filled = e.v128(place);
  if (fillMode === "reflect") {
    const period = e.v128(v128.const("f32x4", size.map((length) => 2 * length) as Size));
    const periods = e.v128(f32x4.floor(f32x4.div(place, period)));
    local.set(filled, f32x4.sub(place, f32x4.mul(periods, period)));
    const mirrored = e.v128(f32x4.sub(f32x4.sub(period, filled), f32x4.splat(1)));
    const isMirrored = e.v128(f32x4.ge(filled, v128.const("f32x4", size)));
    local.set(filled, v128.bitselect(mirrored, filled, isMirrored));
  } else if (fillMode === "wrap") {
    const period = e.v128(v128.const("f32x4", lastOf(size).map((length) => Math.max(length, 1)) as Size));
    const times = e.v128(f32x4.floor(f32x4.div(f32x4.abs(place), period)));
    const isBefore = e.v128(f32x4.lt(place, f32x4.splat(0)));
    const isBehind = e.v128(f32x4.gt(place, v128.const("f32x4", lastOf(size))));
    const up = e.v128(v128.and(isBefore, f32x4.add(times, f32x4.splat(1))));
    const down = e.v128(v128.and(isBehind, times));
    const moved = e.v128(f32x4.mul(v128.const("f32x4", size), f32x4.sub(up, down)));
    local.set(filled, f32x4.add(place, moved));
  }
  return e.v128(f32x4.min(f32x4.max(filled, f32x4.splat(0)), v128.const("f32x4", lastOf(size))));
}

/** The nearest pixel; halves go away from 0. */
function emitRounded(e: Emitter, place: V128): V128 {
  const sign = e.v128(v128.and(place, i32x4.splat(-0x80000000)));
  return e.v128(f32x4.trunc(f32x4.add(place, v128.or(sign, f32x4.splat(0.5)))));
}

/** Runs `body` for each vector of a pixel's channels, with where it is from each of the places. */
function eachChannels(
  e: Emitter,
  channels: number,
  places: readonly I32[],
  body: (places: readonly I32[], lanes: number) => void,
): void {
  const rest = channels % 4;
  const whole = (channels - rest) * 4;
  const at = (offset: I32) => places.map((place) => e.i32(i32.add(place, offset)));
  if (whole > 0) {
    const offset = e.i32();
    e.for(offset, 0, whole, 16, () => body(at(offset), 4));
  }
  if (rest > 0) e.scope(() => body(whole > 0 ? at(e.i32(whole)) : places, rest));
}

/**
 * Plainly: for each pixel of the output the index of its first element, that of each of the four neighbours, or undefined
 * outside of the image, and what the neighbour counts.
 */
function eachNeighbour(
  { fillMode, interpolation }: WarpAttributes,
  [height, width, channels]: Shape,
  maps: Value,
  batch: number,
  visit: (place: number, neighbour: number | undefined, weight: number) => void,
): void {
  const { fround } = Math;
  const round = (place: number) => Math.trunc(fround(place + (place < 0 ? -0.5 : 0.5)));
  const nearby = (place: number, length: number) => {
    const filled = filledPlace(fillMode, place, length);
    const near = interpolation === "nearest" ? round(filled) : filled;
    const before = Math.floor(near);
    return [before, before + 1].map((index) => ({
      index,
      isInside: index >= 0 && index < length,
      share: 1 - Math.abs(near - index),
    }));
  };
  for (let n = 0; n < batch; n++) {
    const map = maps.data.subarray(n * AFFINE, (n + 1) * AFFINE);
    /** Axis 0: x; 1: y. */
    const along = (axis: number, x: number, y: number) =>
      fround(fround(fround(map[axis]! * x) + fround(map[2 + axis]! * y)) + map[4 + axis]!);
    for (let pixel = 0; pixel < height! * width!; pixel++) {
      const [x, y] = [pixel % width!, Math.floor(pixel / width!)];
      for (const row of nearby(along(1, x, y), height!)) {
        for (const column of nearby(along(0, x, y), width!)) {
          const index = ((n * height! + row.index) * width! + column.index) * channels!;
          const neighbour = row.isInside && column.isInside ? index : undefined;
          const weight = row.share * column.share;
          if (weight > 0) visit((n * height! * width! + pixel) * channels!, neighbour, weight);
        }
      }
    }
  }
}

/** The place in 0 … length - 1 that stands for one anywhere; in mode "constant" itself. */
function filledPlace(fillMode: WarpAttributes["fillMode"], place: number, length: number): number {
  const { fround } = Math;
  const last = length - 1;
  let filled = place;
  if (fillMode === "constant") return place;
  if (fillMode === "reflect") {
    filled = fround(place - 2 * length * Math.floor(fround(place / (2 * length))));
    if (filled >= length) filled = fround(fround(2 * length - filled) - 1);
  } else if (fillMode === "wrap") {
    // Periods are a pixel shorter than moves: TensorFlow's own way.
    const times = Math.floor(fround(Math.abs(place) / Math.max(last, 1)));
    if (place < 0) filled = fround(place + length * (times + 1));
    else if (place > last) filled = fround(place - length * times);
  }
  return Math.min(Math.max(filled, 0), last);
}
