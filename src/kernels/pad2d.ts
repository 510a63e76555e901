/** Zeros around an image, and the way back: the inside of an image. Each is the other's gradient. Threads share the samples. */
import { i32, local } from "wasmati";
import { clearMemory, copyInside, copyMemory } from "./convolution.ts";
import { elementsOf, type Op, type Value } from "./op.ts";
import type { Padding } from "./window.ts";

export interface Pad2dAttributes {
  /** Rows and columns of zeros, or those that are left out. */
  readonly padding: Padding;
}

/** x (height, width, channels) → (top + height + bottom, left + width + right, channels). */
export const pad2d: Op<Pad2dAttributes> = {
  name: "pad2d",

  infer({ padding: [top, bottom, left, right] }, [x]) {
    const [height, width, channels] = x!.shape as [number, number, number];
    return [{ shape: [height + top + bottom, width + left + right, channels], batched: true, dtype: "float32" }];
  },

  reference({ padding }, [x], [y], batch) {
    y!.data.fill(0, 0, batch * elementsOf(y!.shape));
    eachInside(padding, x!, y!, batch, (inside, padded) => {
      y!.data[padded] = x!.data[inside]!;
    });
  },

  gradient: (graph, { attributes }, [dy]) => [graph.apply(crop2d, attributes, dy!)],

  emit(e, { padding: [top, , left] }, [x], [y]) {
    const [height, width, channels] = y!.shape as [number, number, number];
    const sampleBytes = elementsOf(x!.shape) * 4;
    const rows = x!.shape[0]!;
    const { from, to } = e.samples();
    const n = e.i32();
    e.for(n, from, to, 1, () => {
      const source = e.i32(e.address(x!.address, [n, sampleBytes]));
      const target = e.i32(e.address(y!.address, [n, elementsOf(y!.shape) * 4]));
      clearMemory(target, elementsOf(y!.shape) * 4);
      copyInside(e, { height, width, channels }, { top, left, rows, rowBytes: sampleBytes / rows }, source, target);
    });
  },
};

/** x (top + height + bottom, left + width + right, channels) → (height, width, channels). */
export const crop2d: Op<Pad2dAttributes> = {
  name: "crop2d",

  infer({ padding: [top, bottom, left, right] }, [x]) {
    const [height, width, channels] = x!.shape as [number, number, number];
    return [{ shape: [height - top - bottom, width - left - right, channels], batched: true, dtype: "float32" }];
  },

  reference({ padding }, [x], [y], batch) {
    eachInside(padding, y!, x!, batch, (inside, padded) => {
      y!.data[inside] = x!.data[padded]!;
    });
  },

  gradient: (graph, { attributes }, [dy]) => [graph.apply(pad2d, attributes, dy!)],

  emit(e, { padding: [top, , left] }, [x], [y]) {
    const [rows, columns, channels] = y!.shape as [number, number, number];
    const rowBytes = columns * channels * 4;
    const pitch = x!.shape[1]! * channels * 4;
    const { from, to } = e.samples();
    const n = e.i32();
    const target = e.i32(e.address(y!.address, [from, rows * rowBytes]));
    e.for(n, from, to, 1, () => {
      const source = e.i32(e.address(x!.address + top * pitch + left * channels * 4, [n, elementsOf(x!.shape) * 4]));
      e.for(e.i32(), 0, rows, 1, () => {
        copyMemory(source, target, rowBytes);
        local.set(source, i32.add(source, pitch));
        local.set(target, i32.add(target, rowBytes));
      });
    });
  },
};

/** Indices of each value of an image, and of its place in the padded image. */
function eachInside(
  [top, , left]: Padding,
  inside: Value,
  padded: Value,
  batch: number,
  body: (inside: number, padded: number) => void,
): void {
  const [height, width, channels] = inside.shape as [number, number, number];
  for (let i = 0; i < batch * elementsOf(inside.shape); i++) {
    const column = left + (Math.floor(i / channels) % width);
    const row = top + (Math.floor(i / channels / width) % height);
    const n = Math.floor(i / elementsOf(inside.shape));
    body(i, ((n * padded.shape[0]! + row) * padded.shape[1]! + column) * channels + (i % channels));
  }
}
