/** Multiplies what belongs to a sample by the sample's weight. Threads share the samples. */
import { f32x4, i32, v128 } from "wasmati";
import { elementsOf, type Op } from "./op.ts";

/** x (…), weights (), both batched → x · weights, (…). */
export const scaleSamples: Op<object> = {
  name: "scaleSamples",

  infer: (_, [x]) => [{ shape: x!.shape, batched: true, dtype: "float32" }],

  reference(_, [x, weights], [y], batch) {
    const size = elementsOf(x!.shape);
    for (let i = 0; i < batch * size; i++) y!.data[i] = x!.data[i]! * weights!.data[Math.floor(i / size)]!;
  },

  emit(e, _, [x, weights], [y]) {
    const size = elementsOf(x!.shape);
    const rest = size % 4;
    const { from, to } = e.samples();
    const sample = e.i32();
    e.for(sample, from, to, 1, () => {
      const weight = e.v128(v128.load32_splat({ offset: weights!.address }, e.i32(i32.shl(sample, 2))));
      const place = e.i32(i32.mul(sample, size * 4));
      const end = e.i32(i32.add(place, (size - rest) * 4));
      const scale = (lanes: number) => {
        const scaled = e.v128(f32x4.mul(v128.load({ offset: x!.address, align: 4 }, place), weight));
        e.storeLanes(place, y!.address, scaled, lanes);
      };
      e.for(place, place, end, 16, () => scale(4));
      if (rest) scale(rest);
    });
  },
};
