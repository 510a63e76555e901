/**
 * The head of every program: inputs that came as bytes become floats, x = bytes / divisor, 16 at a time. Division in
 * single precision gives the bits of JavaScript's, since bytes and divisor are exact in it. A divisor of 0 says that the
 * batch was given as floats: nothing is done.
 */
import { f32, f32x4, i32, i32x4, v128 } from "wasmati";
import { elementsOf, type Op } from "./op.ts";

/** Elements at a time: one cache line of floats, so that no two threads write to the same. */
const GROUP = 16;

/** bytes (…), uint8, batched; divisor (1); x (…), batched, is written. No outputs. */
export const decodeInput: Op<object> = {
  name: "decodeInput",

  infer: () => [],

  changes: () => [2],

  reference(_, [bytes, divisor, x], __, batch) {
    const by = divisor!.data[0]!;
    if (by === 0) return;
    const count = batch * elementsOf(x!.shape);
    for (let i = 0; i < count; i++) x!.data[i] = bytes!.data[i]! / by;
  },

  emit(e, _, [bytes, divisor, x]) {
    const zero = e.i32(0);
    const by = e.v128(v128.load32_splat({ offset: divisor!.address }, zero));
    e.if(f32.ne(f32x4.extract_lane(0, by), 0), () => {
      const count = e.i32(i32.mul(e.batch, elementsOf(x!.shape)));
      // The last group may reach into what is set aside behind the batch.
      const { from, to } = e.share(e.i32(i32.div_u(i32.add(count, GROUP - 1), GROUP)));
      const end = e.i32(i32.mul(to, GROUP));
      const position = e.i32();
      e.for(position, i32.mul(from, GROUP), end, GROUP, () => {
        const target = e.i32(i32.shl(position, 2));
        for (const part of [0, 8]) {
          const eight = e.v128(v128.load8x8_u({ offset: bytes!.address + part }, position));
          for (const [i, extend] of [i32x4.extend_low_i16x8_u, i32x4.extend_high_i16x8_u].entries()) {
            const four = e.v128(f32x4.convert_i32x4_s(extend(eight)));
            v128.store({ offset: x!.address + (part + 4 * i) * 4 }, target, f32x4.div(four, by));
          }
        }
      });
    });
  },
};
