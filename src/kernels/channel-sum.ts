/** Bias gradient: the sum of each channel over all positions of all samples, sample by sample in ascending order. */
import { f32x4, i32, local, v128 } from "wasmati";
import { clearSums, eachPanel, storeSums, takeSums } from "./block.ts";
import { elementsOf, type Op } from "./op.ts";

/** dy (..., channels), batched → (channels). */
export const channelSum: Op<object> = {
  name: "channelSum",

  infer: (_, [dy]) => [{ shape: dy!.shape.slice(-1), batched: false, dtype: "float32" }],

  reference(_, [dy], [sum], batch) {
    const channels = sum!.shape[0]!;
    const count = (batch * elementsOf(dy!.shape)) / channels;
    for (let channel = 0; channel < channels; channel++) {
      let total = 0;
      for (let i = 0; i < count; i++) total += dy!.data[i * channels + channel]!;
      sum!.data[channel] = total;
    }
  },

  emit(e, _, [dy], [sum]) {
    const channels = sum!.shape[0]!;
    const positions = elementsOf(dy!.shape) / channels;
    eachPanel(e, channels, (offset, columns) => {
      // A sum a sample, then their sum: rounding errors grow with the root of the longer run only.
      const [totals] = takeSums(e, 1, columns) as [ReturnType<typeof e.v128>[]];
      const [sums] = takeSums(e, 1, columns) as [ReturnType<typeof e.v128>[]];
      clearSums([totals]);
      const address = e.i32(i32.add(offset, dy!.address));
      e.for(e.i32(), 0, e.batch, 1, () => {
        clearSums([sums]);
        e.for(e.i32(), 0, positions, 1, () => {
          sums.forEach((lane, v) => {
            local.set(lane, f32x4.add(lane, v128.load({ offset: v * 16, align: 4 }, address)));
          });
          local.set(address, i32.add(address, channels * 4));
        });
        for (const [v, total] of totals.entries()) local.set(total, f32x4.add(total, sums[v]!));
      });
      storeSums(e, [totals], e.i32(i32.add(offset, sum!.address)), [0], columns);
    });
  },
};
