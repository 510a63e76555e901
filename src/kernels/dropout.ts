/**
 * Inverted dropout (Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html): each element is 0 with
 * probability `rate`, else divided by 1 - rate, so that the expectation stays. Which ones, is a function of seed, step
 * and element. The mask is kept for the backward pass: drawing it again costs more than reading it.
 */
import { f32x4, i32, i32x4, local, v128 } from "wasmati";
import { eachVector } from "./activations.ts";
import { elementsOf, type Op } from "./op.ts";
import { emitPhilox4x32, keyOf, philox4x32 } from "./philox.ts";

export interface DropoutAttributes {
  /** From 0 to 1. */
  readonly rate: number;
  /** An integer from 0 to below 2^53. */
  readonly seed: number;
}

/** Four counters give the words of so many elements. */
const GROUP = 16;

/** A random word, as a signed integer, must be larger for its element to be kept. */
const thresholdOf = (rate: number) => Math.max(Math.round(rate * 2 ** 32) - 1 - 2 ** 31, -(2 ** 31));

/** What kept elements are multiplied by. */
const scaleOf = (rate: number) => (rate < 1 ? Math.fround(1 / (1 - rate)) : 0);

/** x (…), step (1) int32 → y (…), and the mask (…) int32: all bits set where an element is kept, else 0. */
export const dropout: Op<DropoutAttributes> = {
  name: "dropout",

  infer: (_, [x]) => [
    { shape: x!.shape, batched: true, dtype: "float32" },
    { shape: x!.shape, batched: true, dtype: "int32" },
  ],

  reference({ rate, seed }, [x, step], [y, mask], batch) {
    const count = batch * elementsOf(x!.shape);
    for (let i = 0; i < count; i++) {
      // Word k of the counter in lane l is that of element 4 k + l of the group.
      const counter = Math.floor(i / GROUP) * 4 + (i % 4);
      const words = philox4x32([counter, step!.data[0]! >>> 0, 0, 0], keyOf(seed));
      const isKept = (words[Math.floor(i / 4) % 4]! | 0) > thresholdOf(rate);
      mask!.data[i] = isKept ? -1 : 0;
      y!.data[i] = isKept ? x!.data[i]! * scaleOf(rate) : 0;
    }
  },

  gradient: (graph, { attributes: { rate }, outputs: [, mask] }, [dy]) => [
    graph.apply(dropoutGradient, { rate }, mask!, dy!),
    undefined,
  ],

  emit(e, { rate, seed }, [x, step], [y, mask]) {
    const count = e.i32(i32.mul(e.batch, elementsOf(x!.shape)));
    // The last group may reach into what is set aside behind the batch.
    const { from, to } = e.share(e.i32(i32.div_u(i32.add(count, GROUP - 1), GROUP)));
    const stepNumber = e.v128(v128.load32_splat({ offset: step!.address }, e.i32(0)));
    const threshold = e.v128(i32x4.splat(thresholdOf(rate)));
    const scale = e.v128(f32x4.splat(scaleOf(rate)));
    const group = e.i32();
    e.for(group, from, to, 1, () => {
      const first = e.v128(i32x4.splat(i32.shl(group, 2)));
      const words = [
        e.v128(i32x4.add(first, v128.const("i32x4", [0, 1, 2, 3]))),
        e.v128(stepNumber),
        e.v128(i32x4.splat(0)),
        e.v128(i32x4.splat(0)),
      ] as const;
      emitPhilox4x32(e, words, keyOf(seed));
      const offset = e.i32(i32.mul(group, GROUP * 4));
      for (const [k, word] of words.entries()) {
        local.set(word, i32x4.gt_s(word, threshold));
        const scaled = e.v128(f32x4.mul(v128.load({ offset: x!.address + 16 * k }, offset), scale));
        v128.store({ offset: y!.address + 16 * k }, offset, v128.and(scaled, word));
        v128.store({ offset: mask!.address + 16 * k }, offset, word);
      }
    });
  },
};

/** mask (…) int32, dy (…) → dx (…). */
const dropoutGradient: Op<Pick<DropoutAttributes, "rate">> = {
  name: "dropoutGradient",

  infer: (_, [mask]) => [{ shape: mask!.shape, batched: true, dtype: "float32" }],

  reference({ rate }, [mask, dy], [dx], batch) {
    const count = batch * elementsOf(mask!.shape);
    for (let i = 0; i < count; i++) dx!.data[i] = mask!.data[i] ? dy!.data[i]! * scaleOf(rate) : 0;
  },

  emit(e, { rate }, [mask, dy], [dx]) {
    const scale = e.v128(f32x4.splat(scaleOf(rate)));
    eachVector(e, elementsOf(mask!.shape), (offset) => {
      const scaled = e.v128(f32x4.mul(v128.load({ offset: dy!.address }, offset), scale));
      v128.store({ offset: dx!.address }, offset, v128.and(scaled, v128.load({ offset: mask!.address }, offset)));
    });
  },
};
