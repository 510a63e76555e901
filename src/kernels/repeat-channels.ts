/** Repeats each channel, and the way back: sums of neighbours. Each is the other's gradient. */
import { f32, i32, local } from "wasmati";
import { elementsOf, type Op } from "./op.ts";

export interface RepeatChannelsAttributes {
  readonly times: number;
}

/** x (…, channels) → (…, channels · times): each value so many times in a row. */
export const repeatChannels: Op<RepeatChannelsAttributes> = {
  name: "repeatChannels",

  infer: ({ times }, [x]) => [
    { shape: [...x!.shape.slice(0, -1), x!.shape.at(-1)! * times], batched: true, dtype: "float32" },
  ],

  reference({ times }, [x], [y], batch) {
    const count = batch * elementsOf(y!.shape);
    for (let i = 0; i < count; i++) y!.data[i] = x!.data[Math.floor(i / times)]!;
  },

  gradient: (graph, { attributes }, [dy]) => [graph.apply(sumChannels, attributes, dy!)],

  emit(e, { times }, [x], [y]) {
    const { from, to } = e.share(e.i32(i32.mul(e.batch, elementsOf(x!.shape))));
    const index = e.i32();
    e.for(index, from, to, 1, () => {
      const value = e.f32(f32.load({ offset: x!.address }, e.i32(i32.shl(index, 2))));
      const target = e.i32(i32.mul(index, times * 4));
      e.for(e.i32(), 0, times, 1, () => {
        f32.store({ offset: y!.address }, target, value);
        local.set(target, i32.add(target, 4));
      });
    });
  },
};

/** x (…, channels · times) → (…, channels): the sums of so many in a row. */
export const sumChannels: Op<RepeatChannelsAttributes> = {
  name: "sumChannels",

  infer: ({ times }, [x]) => [
    { shape: [...x!.shape.slice(0, -1), x!.shape.at(-1)! / times], batched: true, dtype: "float32" },
  ],

  reference({ times }, [x], [y], batch) {
    const count = batch * elementsOf(y!.shape);
    for (let i = 0; i < count; i++) {
      let sum = 0;
      for (let k = i * times; k < (i + 1) * times; k++) sum += x!.data[k]!;
      y!.data[i] = sum;
    }
  },

  gradient: (graph, { attributes }, [dy]) => [graph.apply(repeatChannels, attributes, dy!)],

  emit(e, { times }, [x], [y]) {
    const { from, to } = e.share(e.i32(i32.mul(e.batch, elementsOf(y!.shape))));
    const index = e.i32();
    const sum = e.f32();
    e.for(index, from, to, 1, () => {
      const source = e.i32(i32.mul(index, times * 4));
      local.set(sum, f32.const(0));
      e.for(e.i32(), 0, times, 1, () => {
        local.set(sum, f32.add(sum, f32.load({ offset: x!.address }, source)));
        local.set(source, i32.add(source, 4));
      });
      f32.store({ offset: y!.address }, e.i32(i32.shl(index, 2)), sum);
    });
  },
};
