import { expect, test } from "vitest";
import { func, i32, importFunc, local, Module } from "wasmati";
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

test("gives modules that are too large for wasmati", async () => {
  const module = adders(40, 2000);
  expect(() => module.toBytes()).toThrow(RangeError);
  const bytes = encodeModule(module);
  expect(bytes.length).toBeGreaterThan(500_000);
  const { instance } = await WebAssembly.instantiate(bytes as Uint8Array<ArrayBuffer>, module.importMap);
  const add39 = instance.exports.add39 as (x: number) => number;
  expect(add39(5)).toBe(5 + 39 * 2000);
});
