import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NDArray } from "./array.ts";
import { UserError } from "./errors.ts";

const all = Uint8Array.from({ length: 256 }, (_, i) => i);
const bytes = () => new NDArray<"uint8">(all.slice(), [4, 64]);

describe("divide", () => {
  test("gives quotients rounded to single precision, of bytes and of all else, by any divisor", () => {
    const divisor = fc.oneof(fc.constantFrom(0, -0, 1, 255, 0.1, 1e-45, 1e-310, 3.4e38), fc.double());
    fc.assert(
      fc.property(divisor, (by) => {
        const expected = Float32Array.from(all, (byte) => byte / by);
        expect(bytes().divide(by).data).toEqual(expected);
        expect(new NDArray(Float32Array.from(all), [256]).divide(by).data).toEqual(expected);
        expect(new NDArray(Int32Array.from(all), [256]).divide(by).data).toEqual(expected);
      }),
    );
  });

  test("gives an array of its own, whatever is done with the bytes afterwards", () => {
    for (const source of [bytes(), new NDArray<"uint8">(Buffer.from(all), [4, 64])]) {
      const quotient = source.divide(2);
      source.data.fill(9);
      expect(quotient.data[255]).toBe(127.5);
    }
  });

  test("makes no floats until they are read", () => {
    const quotient = bytes().divide(255);
    expect(quotient.quotient).toMatchObject({ bytes: all, divisor: 255 });
    expect([quotient.dtype, quotient.size, quotient.length, quotient.shape]).toEqual(["float32", 256, 4, [4, 64]]);
    expect(quotient.reshape([-1, 2]).slice(3, 5).quotient).toMatchObject({ bytes: all.slice(6, 10), divisor: 255 });
    expect(quotient.quotient).toBeDefined();
    expect(quotient.data).toBe(quotient.data);
    expect(quotient.quotient).toBeUndefined();
  });

  test("is seen by comparisons as the numbers that it stands for", () => {
    const floats = new NDArray<"float32">(
      Float32Array.from(all, (byte) => byte / 255),
      [4, 64],
    );
    expect(bytes().divide(255)).toEqual(floats);
    expect(bytes().divide(254)).not.toEqual(floats);
  });
});

describe("views of a quotient share its elements, whichever is read first", () => {
  test.each([0, 1, 2])("view %i first", (first) => {
    const whole = bytes().divide(1);
    const views = [whole, whole.reshape([256]), whole.slice(1, 3).reshape([128]).slice(0, 64)];
    views[first]!.data[0] = -1;
    const start = [0, 0, 64][first]!;
    expect(whole.data[start]).toBe(-1);
    expect(whole.reshape([256]).data[start]).toBe(-1);
    expect(views[1]!.data[start]).toBe(-1);
    expect(views[2]!.data[0]).toBe(first === 2 ? -1 : 64);
    expect(whole.slice(1).data[0]).toBe(first === 2 ? -1 : 64);
  });
});

test("a shape that the elements do not fill is refused", () => {
  const message = "NDArray: shape (2, 3) needs 6 elements, got 5.";
  expect(() => new NDArray(new Float32Array(5), [2, 3])).toThrow(new UserError(message));
  expect(() => bytes().divide(255).reshape([3, -1])).toThrow(/^reshape: cannot make/);
});

const rows = new NDArray<"uint8">(Uint8Array.of(0, 1, 2, 3, 4, 5), [3, 2]);

test("slice counts negative numbers from the end, as JavaScript does", () => {
  expect([...rows.slice(-1).data]).toEqual([4, 5]);
  expect([...rows.slice(0, -1).data]).toEqual([0, 1, 2, 3]);
  expect([...rows.slice(-2, -1).data]).toEqual([2, 3]);
  expect(rows.slice(-9, 9).shape).toEqual([3, 2]);
  expect(rows.slice(2, -2).shape).toEqual([0, 2]);
  expect(() => rows.slice(0.5)).toThrow("slice: start must be an integer, got 0.5.");
  expect(() => rows.slice(0, Number.NaN)).toThrow("slice: end must be an integer, got NaN.");
});

test.each<[string, () => unknown, string]>([
  [
    "doubles",
    () => new NDArray(new Float64Array(2) as never, [2]),
    "data must be a Float32Array, Int32Array or Uint8Array",
  ],
  ["a plain array", () => new NDArray([1, 2] as never, [2]), "got [1,2]"],
  [
    "a shape that is a number",
    () => new NDArray(new Float32Array(2), 2 as never),
    "shape must be an array of integers",
  ],
  ["a negative shape", () => new NDArray(new Float32Array(2), [-1, -2]), "got [-1,-2]"],
  [
    "a divisor that is none",
    () => rows.divide(undefined as never),
    "divide: the divisor must be a number, got undefined.",
  ],
])("%s is refused", (_, run, message) => {
  expect(run).toThrow(UserError);
  expect(run).toThrow(message);
});

test("the caller's shape is not kept", () => {
  const shape = [2, 3];
  const array = new NDArray(new Float32Array(6), shape);
  shape[0] = 7;
  expect(array.shape).toEqual([2, 3]);
});
