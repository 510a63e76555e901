import { describe, expect, it } from "vitest";
import { NDArray } from "../array.ts";
import { UserError } from "../errors.ts";
import { toCategorical } from "./one-hot.ts";

const labels = (...values: number[]) => new NDArray<"uint8">(Uint8Array.from(values), [values.length]);

describe("toCategorical", () => {
  it("gives a row with a one for each label", () => {
    const { shape, data, dtype } = toCategorical(labels(1, 0, 2), 4);
    expect([shape, dtype]).toEqual([[3, 4], "float32"]);
    expect([...data]).toEqual([0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0]);
  });

  it("counts the classes where it is not told: the largest label plus one", () => {
    expect(toCategorical(labels(1, 0, 4)).shape).toEqual([3, 5]);
  });

  it("takes a column, and more dimensions, as Keras does", () => {
    expect(toCategorical(labels(1, 0, 2).reshape([3, 1]), 3).shape).toEqual([3, 3]);
    expect(toCategorical(labels(1, 0, 2, 1).reshape([2, 2]), 3).shape).toEqual([2, 2, 3]);
  });

  it.each([
    ["too large", labels(0, 3), "label 1 is 3, expected an integer from 0 to 2"],
    ["negative", new NDArray<"int32">(Int32Array.of(-1), [1]), "label 0 is -1"],
    ["not an integer", new NDArray<"float32">(Float32Array.of(0.5), [1]), "label 0 is 0.5"],
    ["not a number", new NDArray<"float32">(Float32Array.of(Number.NaN), [1]), "label 0 is NaN"],
  ])("refuses a label that is %s", (_, array, expected) => {
    expect(() => toCategorical(array, 3)).toThrow(UserError);
    expect(() => toCategorical(array, 3)).toThrow(expected);
  });

  it.each([0, -1, 2.5])("refuses %d classes", (classes) => {
    expect(() => toCategorical(labels(0), classes)).toThrow(UserError);
  });

  it.each([
    ["not an integer", Float32Array.of(0.5)],
    ["not a number", Float32Array.of(Number.NaN)],
    ["infinite", Float32Array.of(Number.POSITIVE_INFINITY)],
    ["negative", Float32Array.of(-3)],
    ["absurdly large", Float32Array.of(1e30)],
  ])("refuses a label that is %s also where it counts the classes", (_, data) => {
    expect(() => toCategorical(new NDArray<"float32">(data, [1]))).toThrow(UserError);
  });
});
