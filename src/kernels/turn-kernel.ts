/**
 * The kernel of a convolution turned by 180 degrees, its input and output channels exchanged: convolved with it, the
 * gradient of the convolution's output becomes that of its input. Threads share the rows.
 */
import { f32, i32, local } from "wasmati";
import { elementsOf, type Op } from "./op.ts";

/** kernel (height, width, in, out) → (height, width, out, in). */
export const turnKernel: Op<object> = {
  name: "turnKernel",

  infer(_, [kernel]) {
    const [height, width, channels, outs] = kernel!.shape as [number, number, number, number];
    return [{ shape: [height, width, outs, channels], batched: false, dtype: "float32" }];
  },

  reference(_, [kernel], [turned]) {
    const [height, width, channels, outs] = kernel!.shape as [number, number, number, number];
    for (let i = 0; i < elementsOf(kernel!.shape); i++) {
      const [out, channel, position] = [i % outs, Math.floor(i / outs) % channels, Math.floor(i / outs / channels)];
      turned!.data[((height * width - 1 - position) * outs + out) * channels + channel] = kernel!.data[i]!;
    }
  },

  emit(e, _, [kernel], [turned]) {
    const [height, width, channels, outs] = kernel!.shape as [number, number, number, number];
    const last = kernel!.address + (height * width - 1) * channels * outs * 4;
    const { from: first, to: end } = e.share(height * width * outs);
    const row = e.i32();
    const to = e.i32(e.address(turned!.address, [first, channels * 4]));
    e.for(row, first, end, 1, () => {
      const position = e.i32(i32.div_u(row, outs));
      const out = e.i32(i32.rem_u(row, outs));
      const from = e.i32(e.address(last, [position, -channels * outs * 4], [out, 4]));
      e.for(e.i32(), 0, channels, 1, () => {
        f32.store({}, to, f32.load({}, from));
        local.set(from, i32.add(from, outs * 4));
        local.set(to, i32.add(to, 4));
      });
    });
  },
};
