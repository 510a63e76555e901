/** Adds a bias to each channel. Usually fused behind a product of matrices or a convolution; this is for where it is not. */
import { f32x4, i32, local, v128 } from "wasmati";
import { channelSum } from "./channel-sum.ts";
import { elementsOf, type Op } from "./op.ts";

/** x (..., channels), bias (channels) → (..., channels). */
export const biasAdd: Op<object> = {
  name: "biasAdd",

  infer: (_, [x]) => [{ shape: x!.shape, batched: true, dtype: "float32" }],

  reference(_, [x, bias], [y], batch) {
    const channels = bias!.data.length;
    const count = batch * elementsOf(x!.shape);
    for (let i = 0; i < count; i++) y!.data[i] = x!.data[i]! + bias!.data[i % channels]!;
  },

  gradient: (graph, _, [dy]) => [dy!, graph.apply(channelSum, {}, dy!)],

  emit(e, _, [x, bias], [y]) {
    const channels = bias!.shape[0]!;
    const rest = channels % 4;
    const { from, to } = e.share(e.i32(i32.mul(e.batch, elementsOf(x!.shape) / channels)));
    const position = e.i32(i32.mul(from, channels * 4));
    const offset = e.i32();
    const add = (lanes: number) => {
      const source = e.v128(v128.load({ offset: x!.address, align: 4 }, position));
      const sum = e.v128(f32x4.add(source, v128.load({ offset: bias!.address, align: 4 }, offset)));
      e.storeLanes(position, y!.address, sum, lanes);
      local.set(position, i32.add(position, lanes * 4));
    };
    e.for(e.i32(), from, to, 1, () => {
      e.for(offset, 0, (channels - rest) * 4, 16, () => add(4));
      if (rest) add(rest);
    });
  },
};
