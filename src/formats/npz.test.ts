/** Arrays that NumPy wrote (interop/make_data.py), and our own back again. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { NDArray } from "../array.ts";
import { UserError } from "../errors.ts";
import { encodeNpy, parseNpy } from "./npy.ts";
import { encodeNpz, readNpz } from "./npz.ts";

const golden = (name: string) => readFileSync(new URL(`../../test/golden/data/${name}`, import.meta.url));
const expected: Record<string, { shape: number[]; data: number[] }> = JSON.parse(golden("arrays.json").toString());

const DTYPES: Record<string, string> = {
  bytes: "uint8",
  flags: "uint8",
  labels: "int32",
  shorts: "int32",
  floats: "float32",
  doubles: "float32",
  swapped: "float32",
  columns: "int32",
  scalar: "int32",
  none: "float32",
};

const failure = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as Error).message;
  }
  return expect.fail("it was read");
};

describe("readNpz", () => {
  it.each(Object.keys(DTYPES))("gives NumPy's array %s", (name) => {
    const { shape, data, dtype } = readNpz(golden("arrays.npz"), "arrays.npz")[name]!;
    expect({ shape, dtype }).toEqual({ shape: expected[name]!.shape, dtype: DTYPES[name] });
    const values = expected[name]!.data;
    expect([...data]).toEqual(dtype === "float32" ? values.map(Math.fround) : values);
  });

  it("reads only what is wanted", () => {
    expect(Object.keys(readNpz(golden("arrays.npz"), "arrays.npz", ["flags", "absent"]))).toEqual(["flags"]);
  });

  it.each([
    ["x_train", 'refused.npz, array x_train: elements of NumPy\'s type "|O" (Python objects, which only unpickling'],
    ["y_train", 'refused.npz, array y_train: elements of NumPy\'s type "<U1" (strings) are not read'],
    ["big", "refused.npz, array big: element 0 is 2147483648, which does not fit"],
  ])("refuses the array %s by its type", (name, message) => {
    expect(failure(() => readNpz(golden("refused.npz"), "refused.npz", [name]))).toContain(message);
  });

  it("refuses what is no archive, or half of one", () => {
    expect(failure(() => readNpz(new Uint8Array(3), "a.npz"))).toContain(
      "a.npz: it is no zip archive, or a damaged one",
    );
    const half = golden("arrays.npz").subarray(0, 1000);
    expect(failure(() => readNpz(half, "a.npz"))).toContain("a.npz: it is no zip archive, or a damaged one");
  });

  it("refuses an archive that claims to unpack to far more than it can", () => {
    const bytes = zipSync({ "x.npy": new Uint8Array(100) });
    const directory = bytes.length - 22 - (46 + 5);
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(directory + 24, 0x7fffffff, true);
    expect(failure(() => readNpz(bytes, "a.npz"))).toContain("a.npz: its archive claims to unpack to 2147483647 bytes");
  });
});

describe("parseNpy", () => {
  const npy = () => encodeNpy(new NDArray(Float32Array.of(1, 2, 3), [3]));
  const withHeader = (change: (text: string) => string) => {
    const bytes = npy();
    const text = change(new TextDecoder("latin1").decode(bytes.subarray(10, 128)));
    return Uint8Array.of(
      ...bytes.subarray(0, 10),
      ...new TextEncoder().encode(text.slice(0, 118)),
      ...bytes.subarray(128),
    );
  };

  it.each([
    ["something else", () => new Uint8Array(50), "expected NumPy's .npy format"],
    ["a header that is cut off", () => npy().subarray(0, 40), "its header is cut off"],
    [
      "a header without a shape",
      () => withHeader((text) => text.replace("shape", "shade")),
      "its header cannot be read",
    ],
    [
      "too few elements",
      () => npy().subarray(0, -1),
      "its header says (3,) of <f4, which makes 12 bytes, but 11 follow",
    ],
    [
      "a shape that is a lie",
      () => withHeader((text) => text.replace("(3,)", "(99999999999999, 9999999999)")),
      "bytes, but",
    ],
    ["complex numbers", () => withHeader((text) => text.replace("<f4", "<c8")), 'type "<c8" (complex numbers)'],
    ["half floats", () => withHeader((text) => text.replace("<f4", "<f2")), 'type "<f2" (floats of 16'],
    ["records", () => withHeader((text) => text.replace("'<f4'", "[('a', '<f4')]")), "(records) are not read"],
  ])("refuses %s", (_, make, message) => {
    expect(failure(() => parseNpy(make(), "x.npy"))).toMatch(/^x\.npy: /);
    expect(failure(() => parseNpy(make(), "x.npy"))).toContain(message);
  });
});

describe("encodeNpz", () => {
  const array = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }).chain((shape) =>
    fc.constantFrom(Float32Array, Int32Array, Uint8Array).map(
      (Type) =>
        new NDArray(
          new Type(shape.reduce((a, b) => a * b, 1)).map((_, i) => i * 3 - 5),
          shape,
        ),
    ),
  );

  it("writes what is read back", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ minLength: 1, maxLength: 9 }), array), (arrays) => {
        const read = readNpz(encodeNpz(arrays), "again.npz");
        expect(Object.keys(read).sort()).toEqual(Object.keys(arrays).sort());
        for (const [name, { dtype, shape, data }] of Object.entries(arrays)) {
          expect(read[name]).toMatchObject({ dtype, shape, data });
        }
      }),
    );
  });
});
