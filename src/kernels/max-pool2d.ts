/**
 * Maximum over windows of an image, channel by channel. Padding never wins. Where several elements are equal the first,
 * row by row, is the maximum, and takes the gradient, as in TensorFlow. See `windows.ts` for the method.
 */
import { f32x4, i32, i32x4, local, v128 } from "wasmati";
import type { Emitter, V128 } from "../wasm/emitter.ts";
import { elementsOf, type Op, type Shape, type Value } from "./op.ts";
import { convolutionOutput, type Padding } from "./window.ts";
import { addToPixels, eachWindow, lanesOf, panelVectors, type WindowPanel, type Windows } from "./windows.ts";

export interface MaxPool2dAttributes {
  readonly poolSize: readonly [height: number, width: number];
  readonly strides: readonly [number, number];
  readonly padding: Padding;
}

/** The windows of a pooling. */
export const poolingWindows = ({ poolSize, ...rest }: MaxPool2dAttributes, image: Shape, output: Shape): Windows => ({
  ...rest,
  image,
  output,
  window: poolSize,
  dilation: [1, 1],
});

/** x (height, width, channels) → (height', width', channels). */
export const maxPool2d: Op<MaxPool2dAttributes> = {
  name: "maxPool2d",

  infer({ poolSize, strides, padding }, [x]) {
    const output = convolutionOutput(x!.shape, poolSize, strides, padding);
    return [{ shape: [...output, x!.shape[2]!], batched: true, dtype: "float32" }];
  },

  reference(attributes, [x], [y], batch) {
    eachWinner(attributes, x!, y!.shape, batch, (output, winner) => {
      y!.data[output] = x!.data[winner]!;
    });
  },

  gradient: (graph, { attributes, inputs: [x] }, [dy]) => [graph.apply(maxPool2dGradient, attributes, x!, dy!)],

  emit(e, attributes, [x], [y]) {
    const windows = poolingWindows(attributes, x!.shape, y!.shape);
    eachWindow(e, windows, { image: x!.address, output: y!.address }, (panel) => {
      for (const [v, maximum] of findMaxima(e, panel, { distance: 0, winners: [] }).entries()) {
        e.storeLanes(panel.output, v * 16, maximum, lanesOf(panel.channels, v));
      }
    });
  },
};

/** x (height, width, channels), dy (height', width', channels) → (height, width, channels). */
export const maxPool2dGradient: Op<MaxPool2dAttributes> = {
  name: "maxPool2dGradient",

  infer: (_, [x]) => [{ shape: x!.shape, batched: true, dtype: "float32" }],

  reference(attributes, [x, dy], [dx], batch) {
    dx!.data.fill(0, 0, batch * elementsOf(x!.shape));
    eachWinner(attributes, x!, dy!.shape, batch, (output, winner) => {
      dx!.data[winner]! += dy!.data[output]!;
    });
  },

  emit(e, attributes, [x, dy], [dx]) {
    const windows = poolingWindows(attributes, x!.shape, dy!.shape);
    addToPixels(e, windows, { image: dx!.address, output: dy!.address }, (panel) => {
      const winners = panelVectors(e, panel.channels);
      e.scope(() => findMaxima(e, panel, { distance: x!.address - dx!.address, winners }));
      const gradients = panelVectors(e, panel.channels);
      for (const [v, gradient] of gradients.entries()) {
        local.set(gradient, v128.load({ offset: v * 16, align: 4 }, panel.output));
      }
      const number = e.i32(0);
      return () => {
        const own = e.v128(i32x4.splat(number));
        local.set(number, i32.add(number, 1));
        return gradients.map((gradient, v) => e.v128(v128.and(gradient, i32x4.eq(winners[v]!, own))));
      };
    });
  },
};

/** The windows of a batch, plainly: index of the output and of the winning input. */
function eachWinner(
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
 * For each channel of a panel the maximum of its window and, where asked, the number of the pixel that has it, counted
 * through the pixels that are in the image. These lie `distance` bytes from those that the panel walks.
 */
function findMaxima(
  e: Emitter,
  panel: WindowPanel,
  { distance, winners }: { distance: number; winners: readonly V128[] },
): V128[] {
  const maxima = panelVectors(e, panel.channels);
  const number = e.i32(0);
  panel.eachPixel((walked) => {
    const pixel = e.i32(i32.add(walked, distance));
    const [isFirst, own] = [e.v128(i32x4.splat(i32.sub(0, i32.eqz(number)))), e.v128(i32x4.splat(number))];
    const [candidate, wins] = [e.v128(), e.v128()];
    for (const [v, maximum] of maxima.entries()) {
      local.set(candidate, v128.load({ offset: v * 16, align: 4 }, pixel));
      local.set(wins, v128.or(isFirst, f32x4.gt(candidate, maximum)));
      local.set(maximum, v128.bitselect(candidate, maximum, wins));
      const winner = winners[v];
      if (winner) local.set(winner, v128.bitselect(own, winner, wins));
    }
    local.set(number, i32.add(number, 1));
  });
  return maxima;
}
