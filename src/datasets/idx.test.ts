import { describe, expect, it } from "vitest";
import { UserError } from "../errors.ts";
import { parseIdx } from "./idx.ts";

const idx = (magic: readonly number[], dimensions: readonly number[], elements: number) => {
  const bytes = new Uint8Array(4 + 4 * dimensions.length + elements);
  bytes.set(magic);
  const view = new DataView(bytes.buffer);
  for (const [i, dimension] of dimensions.entries()) view.setUint32(4 + 4 * i, dimension);
  for (let i = 0; i < elements; i++) bytes[bytes.length - elements + i] = i;
  return bytes;
};

describe("parseIdx", () => {
  it("gives the elements in the file's shape, also from the middle of a buffer", () => {
    const file = idx([0, 0, 8, 3], [2, 3, 4], 24);
    const around = new Uint8Array(file.length + 7);
    around.set(file, 5);
    const { shape, data, dtype } = parseIdx(around.subarray(5, 5 + file.length), "images", 3);
    expect([shape, dtype]).toEqual([[2, 3, 4], "uint8"]);
    expect([...data]).toEqual(Array.from({ length: 24 }, (_, i) => i));
  });

  it.each([
    ["nothing", new Uint8Array(0), "expected it to begin with 00 00 08 03, got an empty file"],
    ["a wrong magic number", idx([0, 0, 8, 1], [2], 2), "expected it to begin with 00 00 08 03, got 00 00 08 01"],
    ["another type of element", idx([0, 0, 13, 3], [1, 1, 1], 4), "got 00 00 0d 03"],
    ["half a header", idx([0, 0, 8, 3], [1, 1, 1], 1).subarray(0, 9), "cut off: its header has 16 bytes, the file 9"],
    ["too few elements", idx([0, 0, 8, 3], [2, 3, 4], 23), "says (2, 3, 4), which makes 40 bytes, but the file has 39"],
    ["too many elements", idx([0, 0, 8, 3], [2, 3, 4], 25), "which makes 40 bytes, but the file has 41"],
    ["absurd dimensions", idx([0, 0, 8, 3], [2 ** 32 - 1, 2 ** 32 - 1, 9], 9), "but the file has 25"],
  ])("refuses %s and names the file", (_, bytes, expected) => {
    const parse = () => parseIdx(bytes, "folder/images", 3);
    expect(parse).toThrow(UserError);
    expect(parse).toThrow(/^folder\/images: /);
    expect(parse).toThrow(expected);
  });
});
