/**
 * The gradients of a convolution's kernel and bias from their sums over segments of the batch, which the sparse and the
 * filtered weight gradient make: added up in order, and turned to the order of the kernel.
 */
import { f32x4, i32, local, v128 } from "wasmati";
import type { Emitter, I32 } from "../wasm/emitter.ts";
import type { Op } from "./op.ts";
import { transpose } from "./packing.ts";

/** Bytes that the sums of all segments may take: a part of the second-level cache. */
const SUMS_BYTES = 2 * 1024 * 1024;

/**
 * The segments of the batch, of shapes alone, so that sums are the same for any number of threads; and how their sums lie,
 * in elements: (segment, out, kernelHeight, row of the kernel in whole vectors), behind each segment's those for the bias.
 */
export function sumsOf([height, width, inputs, outs]: readonly number[]) {
  const run = width! * inputs!;
  const runFloats = Math.ceil(run / 4) * 4;
  const channelFloats = height! * runFloats;
  const totals = outs! * channelFloats;
  const segmentFloats = totals + Math.ceil(outs! / 4) * 4;
  return {
    segments: [8, 4, 2].find((count) => count * segmentFloats * 4 <= SUMS_BYTES) ?? 1,
    /** Values in a row of the kernel, all input channels. */
    run,
    runFloats,
    channelFloats,
    totals,
    segmentFloats,
    /** Where in a segment the sum of an element of the kernel is. */
    placeOf(element: number) {
      const [tap, out] = [Math.floor(element / outs!), element % outs!];
      return out * channelFloats + Math.floor(tap / run) * runFloats + (tap % run);
    },
  };
}

/** How the sums lie, in bytes: of a row of the kernel, of a channel, before those for the bias, and of all of a segment. */
export function segmentBytesOf(kernel: readonly number[]) {
  const { segments, runFloats, channelFloats, totals, segmentFloats } = sumsOf(kernel);
  const [runBytes, channelBytes] = [runFloats * 4, channelFloats * 4];
  return { segments, runBytes, channelBytes, totals: totals * 4, segmentBytes: segmentFloats * 4 };
}

/** Threads share the output channels of a segment by so many: the lanes of a vector. */
export const GROUP_CHANNELS = 4;

/** A part of the work: samples [first, end) of a segment, and output channels [from, to). */
export interface Segment {
  readonly index: I32;
  readonly first: I32;
  readonly end: I32;
  readonly from: I32;
  readonly to: I32;
}

/**
 * Runs `body` for each part of this thread. Where there are few segments for the threads, or there are to be more parts,
 * the output channels of one are shared out; the last part may end past the last channel. With two units a thread the last
 * keeps no other thread waiting for long.
 */
export function eachSegment(
  e: Emitter,
  {
    segments,
    groups,
    leastParts = 1,
    unitsPerThread = 2,
  }: { segments: number; groups: number; leastParts?: number; unitsPerThread?: number },
  body: (segment: Segment) => void,
): void {
  const filled = e.i32(i32.const(segments));
  e.atMost(filled, e.batch);
  const parts = e.i32(i32.div_u(i32.sub(i32.add(i32.mul(e.threads, unitsPerThread), filled), 1), filled));
  e.atLeast(parts, leastParts);
  e.atMost(parts, groups);
  const bound = (segment: I32) => e.i32(i32.div_u(i32.mul(segment, e.batch), segments));
  const channel = (part: I32) => e.i32(i32.mul(i32.div_u(i32.mul(part, groups), parts), GROUP_CHANNELS));
  e.eachUnit(e.i32(i32.mul(parts, segments)), (unit) => {
    const index = e.i32(i32.div_u(unit, parts));
    const part = e.i32(i32.rem_u(unit, parts));
    body({
      index,
      first: bound(index),
      end: bound(e.i32(i32.add(index, 1))),
      from: channel(part),
      to: channel(e.i32(i32.add(part, 1))),
    });
  });
}

export interface AddSegmentsAttributes {
  /** Of the convolution's kernel: (height, width, in, out). */
  readonly kernel: readonly [height: number, width: number, inputs: number, outs: number];
}

/** Sums of segments → (kernelHeight, kernelWidth, in, out) and (out), the gradients of kernel and bias. */
export const addSegments: Op<AddSegmentsAttributes> = {
  name: "addSegments",

  infer: ({ kernel }) => [
    { shape: kernel, batched: false, dtype: "float32" },
    { shape: [kernel[3]], batched: false, dtype: "float32" },
  ],

  reference({ kernel }, [sums], [dw, db]) {
    const { segments, totals, segmentFloats, placeOf } = sumsOf(kernel);
    const added = (place: number) => {
      let sum = 0;
      for (let segment = 0; segment < segments; segment++) sum += sums!.data[segment * segmentFloats + place]!;
      return sum;
    };
    for (let i = 0; i < dw!.data.length; i++) dw!.data[i] = added(placeOf(i));
    for (let out = 0; out < kernel[3]; out++) db!.data[out] = added(totals + out);
  },

  /** Threads share vectors of a row of the kernel; four channels of one at a time are turned to the gradient's order. */
  emit(e, { kernel }, [sums], [dw, db]) {
    const outs = kernel[3];
    const { segments, run, runFloats, channelFloats, totals, segmentFloats } = sumsOf(kernel);
    const added = (place: I32) => {
      const sum = e.v128(v128.load({ offset: sums!.address }, place));
      for (let segment = 1; segment < segments; segment++) {
        const offset = sums!.address + segment * segmentFloats * 4;
        local.set(sum, f32x4.add(sum, v128.load({ offset }, place)));
      }
      return sum;
    };
    const { from, to } = e.share(channelFloats / 4);
    const vector = e.i32();
    e.for(vector, from, to, 1, () => {
      const row = e.i32(i32.div_u(vector, runFloats / 4));
      const first = e.i32(i32.shl(i32.rem_u(vector, runFloats / 4), 2));
      const taps = e.i32(i32.sub(run, first));
      const place = e.i32(i32.shl(vector, 4));
      const target = e.i32(e.address(dw!.address, [row, run * outs * 4], [first, outs * 4]));
      const turn = (count: number) => {
        const channels = [0, 1, 2, 3].map((lane) => {
          const own = e.i32(i32.add(place, Math.min(lane, count - 1) * channelFloats * 4));
          return added(own);
        });
        for (const [tap, values] of transpose(e, channels).entries()) {
          e.if(i32.lt_s(e.i32(tap), taps), () => e.storeLanes(target, tap * outs * 4, values, count));
        }
      };
      e.for(e.i32(), 0, Math.floor(outs / 4), 1, () => {
        turn(4);
        local.set(place, i32.add(place, 4 * channelFloats * 4));
        local.set(target, i32.add(target, 16));
      });
      if (outs % 4) turn(outs % 4);
    });
    e.onFirstThread(() => {
      const out = e.i32();
      e.for(out, 0, outs * 4, 16, () => {
        const sum = added(e.i32(i32.add(out, totals * 4)));
        v128.store({ offset: db!.address }, out, sum);
      });
    });
  },
};
