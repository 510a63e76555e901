/**
 * Mean over windows of an image, channel by channel. Padding does not count, as in TensorFlow. See `windows.ts` for the
 * method.
 */
import { f32, f32x4, i32, local, v128 } from "wasmati";
import type { Emitter, V128 } from "../wasm/emitter.ts";
import { type MaxPool2dAttributes, poolingWindows } from "./max-pool2d.ts";
import { elementsOf, type Op, type Shape } from "./op.ts";
import { convolutionOutput } from "./window.ts";
import { addToPixels, eachWindow, lanesOf, panelVectors, type WindowPanel } from "./windows.ts";

/** x (height, width, channels) → (height', width', channels). */
export const averagePool2d: Op<MaxPool2dAttributes> = {
  name: "averagePool2d",

  infer({ poolSize, strides, padding }, [x]) {
    const output = convolutionOutput(x!.shape, poolSize, strides, padding);
    return [{ shape: [...output, x!.shape[2]!], batched: true, dtype: "float32" }];
  },

  reference(attributes, [x], [y], batch) {
    y!.data.fill(0, 0, batch * elementsOf(y!.shape));
    eachShare(attributes, x!.shape, y!.shape, batch, (input, output, count) => {
      y!.data[output]! += x!.data[input]! / count;
    });
  },

  gradient: (graph, { attributes, inputs: [x] }, [dy]) => [
    graph.apply(averagePool2dGradient, { ...attributes, image: x!.shape }, dy!),
  ],

  emit(e, attributes, [x], [y]) {
    eachWindow(
      e,
      poolingWindows(attributes, x!.shape, y!.shape),
      { image: x!.address, output: y!.address },
      (panel) => {
        const sums = panelVectors(e, panel.channels);
        for (const sum of sums) local.set(sum, f32x4.splat(0));
        panel.eachPixel((source) => {
          for (const [v, sum] of sums.entries()) {
            local.set(sum, f32x4.add(sum, v128.load({ offset: v * 16, align: 4 }, source)));
          }
        });
        const count = countOf(e, panel);
        for (const [v, sum] of sums.entries()) {
          local.set(sum, f32x4.div(sum, count));
          e.storeLanes(panel.output, v * 16, sum, lanesOf(panel.channels, v));
        }
      },
    );
  },
};

interface GradientAttributes extends MaxPool2dAttributes {
  /** Shape of the pooling's input. */
  readonly image: Shape;
}

/** dy (height', width', channels) → (height, width, channels). */
export const averagePool2dGradient: Op<GradientAttributes> = {
  name: "averagePool2dGradient",

  infer: ({ image }) => [{ shape: image, batched: true, dtype: "float32" }],

  reference(attributes, [dy], [dx], batch) {
    const sums = new Float64Array(batch * elementsOf(dx!.shape));
    eachShare(attributes, attributes.image, dy!.shape, batch, (input, output, count) => {
      sums[input]! += dy!.data[output]! / count;
    });
    dx!.data.set(sums);
  },

  emit(e, attributes, [dy], [dx]) {
    const windows = poolingWindows(attributes, attributes.image, dy!.shape);
    addToPixels(e, windows, { image: dx!.address, output: dy!.address }, (panel) => {
      const count = countOf(e, panel);
      const shares = panelVectors(e, panel.channels);
      for (const [v, share] of shares.entries()) {
        local.set(share, f32x4.div(v128.load({ offset: v * 16, align: 4 }, panel.output), count));
      }
      return () => shares.map((share) => e.v128(share));
    });
  },
};

/** Number of pixels of the window that are in the image, in all lanes. */
function countOf(e: Emitter, { rows, columns }: WindowPanel): V128 {
  const height = e.i32(i32.sub(rows.to, rows.from));
  const width = e.i32(i32.sub(columns.to, columns.from));
  return e.v128(f32x4.splat(f32.convert_i32_s(i32.mul(height, width))));
}

/** For each output each input that it is the mean of, by index, and their count; plainly. */
function eachShare(
  { poolSize, strides, padding }: MaxPool2dAttributes,
  image: Shape,
  output: Shape,
  batch: number,
  body: (input: number, output: number, count: number) => void,
): void {
  const [height, width, channels] = image as [number, number, number];
  const size = elementsOf(output);
  for (let i = 0; i < batch * size; i++) {
    const column = Math.floor(i / channels) % output[1]!;
    const row = Math.floor(i / channels / output[1]!) % output[0]!;
    const inputs: number[] = [];
    for (let k = 0; k < poolSize[0] * poolSize[1]; k++) {
      const iy = row * strides[0] + Math.floor(k / poolSize[1]) - padding[0];
      const ix = column * strides[1] + (k % poolSize[1]) - padding[2];
      if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
      inputs.push(((Math.floor(i / size) * height + iy) * width + ix) * channels + (i % channels));
    }
    for (const input of inputs) body(input, i, inputs.length);
  }
}
