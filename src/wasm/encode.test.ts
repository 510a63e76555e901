import { expect, test } from "vitest";
import { block, br, br_if, f32, func, i32, if_, importFunc, local, loop, Module, v128 } from "wasmati";
import { encodeModule } from "./encode.ts";

/** A module of functions that add numbers to their argument, `additions` each. */
function adders(count: number, additions: number) {
  const told = importFunc({ in: [i32], out: [] }, () => {});
  const exports = Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      `add${index}`,
      func({ in: [i32], locals: [i32], out: [i32] }, ([x], [sum]) => {
        local.set(sum, x);
        for (let i = 0; i < additions; i++) local.set(sum, i32.add(sum, index));
        local.get(sum);
      }),
    ]),
  );
  return Module({ exports: { ...exports, told } });
}

test("gives wasmati's own bytes", () => {
  for (const [count, additions] of [
    [1, 0],
    [3, 40],
    [200, 3],
  ] as const) {
    const module = adders(count, additions);
    expect(encodeModule(module)).toEqual(module.toBytes());
  }
});

test("gives wasmati's own bytes for instructions that hold others, and for numbers that look alike", () => {
  const nested = func({ in: [i32], locals: [f32, v128], out: [f32] }, ([x], [sum, lanes]) => {
    for (const value of [0, -0, Number.NaN, Number.POSITIVE_INFINITY, 1]) local.set(sum, f32.const(value));
    for (const value of [0, 1]) local.set(lanes, v128.const("f32x4", [value, -0, 0, 1]));
    block(null, (exit) => {
      local.get(x);
      br_if(exit);
      loop(null, (again) => {
        local.get(x);
        if_(
          null,
          () => br(again),
          () => {
            local.get(x);
            if_(null, () => local.set(sum, f32.convert_i32_s(x)));
          },
        );
      });
    });
    block({ in: [], out: [i32] }, () => i32.const(7));
    local.set(x);
    local.get(sum);
  });
  const module = Module({ exports: { nested } });
  expect(encodeModule(module)).toEqual(module.toBytes());
});

test("gives modules that are too large for wasmati", async () => {
  const module = adders(40, 2000);
  expect(() => module.toBytes()).toThrow(RangeError);
  const bytes = encodeModule(module);
  expect(bytes.length).toBeGreaterThan(500_000);
  const { instance } = await WebAssembly.instantiate(bytes as Uint8Array<ArrayBuffer>, module.importMap);
  const add39 = instance.exports.add39 as (x: number) => number;
  expect(add39(5)).toBe(5 + 39 * 2000);
});
