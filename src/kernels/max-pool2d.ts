/**
 * Maximum over windows of an image, channel by channel. Padding never wins. Where several elements are equal the first,
 * row by row, is the maximum, and takes the gradient, as in TensorFlow. Threads share the samples.
 */
import { f32, i32, local } from "wasmati";
import type { Emitter, F32, I32 } from "../wasm/emitter.ts";
import { clearMemory } from "./convolution.ts";
import { elementsOf, type Op, type Operand, type Shape, type Value } from "./op.ts";
import { convolutionOutput, type Padding } from "./window.ts";

export interface MaxPool2dAttributes {
  readonly poolSize: readonly [height: number, width: number];
  readonly strides: readonly [number, number];
  readonly padding: Padding;
}

/** x (height, width, channels) → (height', width', channels). */
export const maxPool2d: Op<MaxPool2dAttributes> = {
  name: "maxPool2d",

  infer({ poolSize, strides, padding }, [x]) {
    const output = convolutionOutput(x!.shape, poolSize, strides, padding);
    return [{ shape: [...output, x!.shape[2]!], batched: true, dtype: "float32" }];
  },

  reference(attributes, [x], [y], batch) {
    eachWindow(attributes, x!, y!.shape, batch, (output, winner) => {
      y!.data[output] = x!.data[winner]!;
    });
  },

  gradient: (graph, { attributes, inputs: [x] }, [dy]) => [graph.apply(maxPool2dGradient, attributes, x!, dy!)],

  emit(e, attributes, [x], [y]) {
    emitWindows(e, attributes, x!, y!.shape, y!, (offset, maximum) => {
      f32.store({ offset: 0 }, offset, maximum);
    });
  },
};

/** x (height, width, channels), dy (height', width', channels) → (height, width, channels). */
export const maxPool2dGradient: Op<MaxPool2dAttributes> = {
  name: "maxPool2dGradient",

  infer: (_, [x]) => [{ shape: x!.shape, batched: true, dtype: "float32" }],

  reference(attributes, [x, dy], [dx], batch) {
    dx!.data.fill(0, 0, batch * elementsOf(x!.shape));
    eachWindow(attributes, x!, dy!.shape, batch, (output, winner) => {
      dx!.data[winner]! += dy!.data[output]!;
    });
  },

  emit(e, attributes, [x, dy], [dx]) {
    const bytes = elementsOf(x!.shape) * 4;
    const { from, to } = e.samples();
    const n = e.i32();
    e.for(n, from, to, 1, () => clearMemory(e.i32(e.address(dx!.address, [n, bytes])), bytes));
    emitWindows(e, attributes, x!, dy!.shape, dy!, (offset, _, winner) => {
      const target = e.i32(i32.add(winner, dx!.address - x!.address));
      f32.store({}, target, f32.add(f32.load({}, target), f32.load({}, offset)));
    });
  },
};

/** The windows of a batch, plainly: index of the output and of the winning input. */
function eachWindow(
  { poolSize, strides, padding }: MaxPool2dAttributes,
  x: Value,
  output: Shape,
  batch: number,
  body: (output: number, winner: number) => void,
): void {
  const [height, width, channels] = x.shape as [number, number, number];
  const size = elementsOf(output);
  for (let i = 0; i < batch * size; i++) {
    const channel = i % channels;
    const column = Math.floor(i / channels) % output[1]!;
    const row = Math.floor(i / channels / output[1]!) % output[0]!;
    const n = Math.floor(i / size);
    let winner = -1;
    for (let k = 0; k < poolSize[0] * poolSize[1]; k++) {
      const iy = row * strides[0] + Math.floor(k / poolSize[1]) - padding[0];
      const ix = column * strides[1] + (k % poolSize[1]) - padding[2];
      if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
      const index = ((n * height + iy) * width + ix) * channels + channel;
      if (winner < 0 || x.data[index]! > x.data[winner]!) winner = index;
    }
    body(i, winner);
  }
}

/**
 * Emits a walk over the windows of this thread's samples. `body` is given the address of the window's element in
 * `target`, which has the shape of the output, the maximum, and the address of the winning element of x.
 */
function emitWindows(
  e: Emitter,
  { poolSize, strides, padding }: MaxPool2dAttributes,
  x: Operand,
  output: Shape,
  target: Operand,
  body: (target: I32, maximum: F32, winner: I32) => void,
): void {
  const [height, width, channels] = x.shape as [number, number, number];
  const [rows, columns] = output as [number, number];
  const { from, to } = e.samples();
  const [n, row, column, channel, iy, ix] = [e.i32(), e.i32(), e.i32(), e.i32(), e.i32(), e.i32()];
  const [top, left, bottom, right, winner, source] = [e.i32(), e.i32(), e.i32(), e.i32(), e.i32(), e.i32()];
  const maximum = e.f32();
  const candidate = e.f32();
  const address = e.i32(e.address(target.address, [from, elementsOf(output) * 4]));
  const clamp = (value: I32, low: I32, size: number, limit: number) => {
    local.set(value, i32.add(low, size));
    e.atMost(value, limit);
  };
  const search = () => {
    local.set(winner, i32.const(-1));
    e.for(iy, top, bottom, 1, () => {
      e.for(ix, left, right, 1, () => {
        const sample = e.address(x.address, [n, height * width * channels * 4], [iy, width * channels * 4]);
        local.set(source, i32.add(sample, e.address(0, [ix, channels * 4], [channel, 4])));
        local.set(candidate, f32.load({}, source));
        e.if(i32.or(i32.eq(winner, -1), f32.gt(candidate, maximum)), () => {
          local.set(maximum, candidate);
          local.set(winner, source);
        });
      });
    });
  };
  e.for(n, from, to, 1, () => {
    e.for(row, 0, rows, 1, () => {
      e.for(column, 0, columns, 1, () => {
        local.set(top, e.address(-padding[0], [row, strides[0]]));
        local.set(left, e.address(-padding[2], [column, strides[1]]));
        clamp(bottom, top, poolSize[0], height);
        clamp(right, left, poolSize[1], width);
        e.atLeast(top, 0);
        e.atLeast(left, 0);
        e.for(channel, 0, channels, 1, () => {
          search();
          e.scope(() => body(address, maximum, winner));
          local.set(address, i32.add(address, 4));
        });
      });
    });
  });
}
