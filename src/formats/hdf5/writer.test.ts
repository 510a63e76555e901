import { type Dataset, File, type Group, ready } from "h5wasm";
import { describe, expect, it } from "vitest";
import { InternalError, UserError } from "../../errors.ts";
import { openHdf5 } from "./reader.ts";
import { type GroupWriter, writeHdf5 } from "./writer.ts";

const { FS, activate_throwing_error_handler } = await ready;
activate_throwing_error_handler();

/** What HDF5's own library, which shares no code with ours, makes of a file; it may change it. */
function withLibrary<Result>(bytes: Uint8Array, use: (file: File) => Result): { result: Result; bytes: Uint8Array } {
  FS.writeFile("/written.h5", bytes);
  const file = new File("/written.h5", "a");
  try {
    const result = use(file);
    file.flush();
    return { result, bytes: FS.readFile("/written.h5") as Uint8Array };
  } finally {
    file.close();
    FS.unlink("/written.h5");
  }
}

const written = <Result>(build: (root: GroupWriter) => void, use: (file: File) => Result) =>
  withLibrary(writeHdf5(build), use).result;

const groupOf = (file: File, path: string) => file.get(path) as Group;
const datasetOf = (file: File, path: string) => file.get(path) as Dataset;

/** So many names, in no order. */
const manyNames = (count: number) => Array.from({ length: count }, (_, i) => `m${(i * 7919) % count}`);

const sorted = (names: readonly string[]) => [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

describe("groups", () => {
  it.each([0, 1, 8, 9, 256, 257, 300, 5000])("of %i members", (count) => {
    const bytes = writeHdf5((root) => {
      const group = root.group("group");
      for (const [i, name] of manyNames(count).entries()) group.setInteger(name, i);
    });
    const group = openHdf5(bytes).group("group")!;
    for (const [i, name] of manyNames(count).entries()) expect(group.dataset(name)!.count()).toBe(i);
    const { result } = withLibrary(bytes, (file) => groupOf(file, "group").keys());
    expect(result).toEqual(sorted(manyNames(count)));
  });

  it("in the order of their names' bytes", () => {
    // In UTF-16 the last but one would come last, and a name that begins another one comes before it.
    const names = ["a", "ab", "a b", "Z", "ä", "日本", "\ue000", "\u{1f600}"];
    const bytes = writeHdf5((root) => {
      for (const [i, name] of names.entries()) root.group(name).setInteger("n", i);
    });
    for (const [i, name] of names.entries()) expect(openHdf5(bytes).dataset(`${name}/n`)!.count()).toBe(i);
    const { result } = withLibrary(bytes, (file) => names.map((name) => datasetOf(file, `${name}/n`).value));
    expect(result).toEqual(names.map((_, i) => BigInt(i)));
  });

  it("below groups, as deep as they are read", () => {
    const deep = (depth: number) => Array.from({ length: depth }, (_, i) => `d${i}`).join("/");
    const bytes = writeHdf5((root) => root.group("top").setInteger(deep(50), 7));
    expect(openHdf5(bytes).group("top")!.dataset(deep(50))!.count()).toBe(7);
    expect(withLibrary(bytes, (file) => datasetOf(file, `top/${deep(50)}`).value).result).toBe(7n);
    expect(() => writeHdf5((root) => root.group(deep(51)))).toThrow(UserError);
  });

  it("are made once, whatever path leads to them", () => {
    const bytes = writeHdf5((root) => {
      root.group("a/b").setText("first", "1");
      root.group("a").group("//b/").setText("second", "2");
    });
    const group = openHdf5(bytes).group("a/b")!;
    expect([group.text("first"), group.text("second")]).toEqual(["1", "2"]);
  });
});

describe("strings", () => {
  const LENGTHS = [0, 1, 10, 4032, 65_456, 65_504, 65_505, 70_000, 3_000_000];

  it("of any length", () => {
    const bytes = writeHdf5((root) => {
      for (const length of LENGTHS) root.setBytes(`length_${length}`, "x".repeat(length));
    });
    const root = openHdf5(bytes);
    for (const length of LENGTHS) expect(root.text(`length_${length}`) === "x".repeat(length), `${length}`).toBe(true);
    const { result } = withLibrary(bytes, (file) =>
      LENGTHS.map((length) => (file.attrs[`length_${length}`]!.value as string).length),
    );
    expect(result).toEqual(LENGTHS);
  });

  it("of any number", () => {
    const strings = Array.from({ length: 4000 }, (_, i) => `name ${"y".repeat(i % 70)} ${i}`);
    const empty = Array.from({ length: 4000 }, () => "");
    const bytes = writeHdf5((root) => {
      root.setBytes("strings", strings);
      root.setBytes("empty", empty);
    });
    expect(openHdf5(bytes).texts("strings")).toEqual(strings);
    expect(openHdf5(bytes).texts("empty")).toEqual(empty);
    expect(withLibrary(bytes, (file) => file.attrs.strings!.value).result).toEqual(strings);
  });

  it("are of the types that h5py gives them", () => {
    const types = written(
      (root) => {
        root.setText("text", "größe");
        root.setBytes("bytes", "größe");
        root.setBytes("list", ["a", "b"]);
        root.setFixedBytes("fixed", ["a", "größe", "bcdefgh"], 7);
      },
      ({ attrs }) =>
        ["text", "bytes", "list", "fixed"].map((name) => {
          const { shape, metadata } = attrs[name]!;
          const { vlen, cset, strpad, size } = metadata;
          return { shape, vlen, cset, strpad, size };
        }),
    );
    const [ASCII, UTF8, NULLTERM, NULLPAD] = [0, 1, 0, 1];
    // Of a pointer of the library's.
    const size = 4;
    expect(types).toEqual([
      { shape: [], vlen: true, cset: UTF8, strpad: NULLTERM, size },
      { shape: [], vlen: true, cset: ASCII, strpad: NULLTERM, size },
      { shape: [2], vlen: true, cset: ASCII, strpad: NULLTERM, size },
      { shape: [3], vlen: false, cset: ASCII, strpad: NULLPAD, size: 7 },
    ]);
  });

  it("of one length, as long as that is", () => {
    const values = ["", "größe", "bcdefgh"];
    const bytes = writeHdf5((root) => root.setFixedBytes("fixed", values, 7));
    expect(openHdf5(bytes).texts("fixed")).toEqual(values);
    expect(() => writeHdf5((root) => root.setFixedBytes("fixed", values, 6))).toThrow(InternalError);
  });

  it("none: a list of float64", () => {
    const { shape, dtype } = written(
      (root) => root.setEmptyList("nothing"),
      ({ attrs }) => attrs.nothing!,
    );
    expect([shape, dtype]).toEqual([[0], "<d"]);
  });
});

describe("data sets", () => {
  const SHAPES = [[], [1], [7], [2, 3], [0], [0, 3], [2, 1, 3, 1, 2]];
  const dataOf = (shape: readonly number[]) =>
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.fround(i / 7 - 1));

  it("of float32 and any shape", () => {
    const bytes = writeHdf5((root) => {
      for (const [i, shape] of SHAPES.entries()) root.setFloats(`a/${i}`, shape, dataOf(shape));
    });
    for (const [i, shape] of SHAPES.entries()) {
      const dataset = openHdf5(bytes).dataset(`a/${i}`)!;
      expect([dataset.shape, dataset.floats()]).toEqual([shape, dataOf(shape)]);
    }
    const found = withLibrary(bytes, (file) => SHAPES.map((_, i) => datasetOf(file, `a/${i}`)).map(describeDataset));
    expect(found.result).toEqual(
      SHAPES.map((shape) => ({ dtype: "<f", shape, values: shape.length > 0 ? dataOf(shape) : -1 })),
    );
  });

  const describeDataset = ({ dtype, shape, value }: Dataset) => ({ dtype, shape, values: value });

  it("begin at words, so that they can be looked at where they lie", () => {
    const data = [Float32Array.of(1.5), Float32Array.of(2.5, 3.5, 4.5), Float32Array.of(5.5)];
    const bytes = writeHdf5((root) => {
      for (const [i, values] of data.entries()) root.setFloats(`${i}`, [values.length], values);
    });
    const words = new Float64Array(bytes.buffer, 0, bytes.length / 8);
    const firsts = Array.from(words, (_, i) => new Float32Array(words.buffer, 8 * i, 1)[0]);
    for (const [first] of data) expect(firsts).toContain(first);
  });

  it.each([0, 1, -1, 2 ** 40, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER])("of the integer %i", (value) => {
    const found = written(
      (root) => root.setInteger("n", value),
      (file) => describeDataset(datasetOf(file, "n")),
    );
    expect(found).toEqual({ dtype: "<q", shape: [], values: BigInt(value) });
  });

  it("are copies of shared memory", () => {
    const data = new Float32Array(new SharedArrayBuffer(16), 4, 2);
    data.set([1, 2]);
    const bytes = writeHdf5((root) => root.setFloats("x", [2], data));
    data.fill(0);
    expect(openHdf5(bytes).dataset("x")!.floats()).toEqual(Float32Array.of(1, 2));
  });
});

describe("a file", () => {
  const build = (root: GroupWriter) => {
    root.setText("text", "größe");
    root.setFloats("a/b/x", [3], Float32Array.of(1, 2, 3));
    for (const name of manyNames(40)) root.setFloats(`many/${name}`, [1], Float32Array.of(4));
    root.group("empty").setEmptyList("nothing");
  };

  it("of nothing", () => {
    expect(
      written(
        () => {},
        (file) => [file.keys(), Object.keys(file.attrs)],
      ),
    ).toEqual([[], []]);
  });

  it("is the same each time, also over other bytes", () => {
    const once = writeHdf5(build);
    const into = new ArrayBuffer(once.length + 100);
    new Uint8Array(into).fill(0xff);
    const again = writeHdf5(build, { into });
    expect(again.buffer).toBe(into);
    expect(Buffer.compare(once, again)).toBe(0);
    expect(Buffer.compare(once, writeHdf5(build, { into: new ArrayBuffer(once.length - 1) }))).toBe(0);
  });

  it("takes no more bytes for a text that is a little longer", () => {
    const write = (length: number, into?: ArrayBuffer) =>
      writeHdf5(
        (root) => {
          build(root);
          root.setBytes("long", "x".repeat(length));
        },
        { into },
      );
    const shorter = write(10_000);
    const longer = write(10_500, shorter.buffer);
    expect([longer.buffer, longer.length]).toEqual([shorter.buffer, shorter.length]);
    expect(openHdf5(longer).text("long")).toBe("x".repeat(10_500));
  });

  it("can be changed by HDF5 itself: its trees, heaps and headers grow", () => {
    const { bytes } = withLibrary(writeHdf5(build), (file) => {
      for (const path of ["a", "a/b", "many", "empty"]) {
        const group = groupOf(file, path);
        for (let i = 0; i < 50; i++) group.create_dataset({ name: `new_${i}`, data: Float32Array.of(i), dtype: "<f" });
        group.create_attribute("list", ["some", "strings"]);
        group.create_attribute("long", "z".repeat(10_000));
      }
      datasetOf(file, "a/b/x").create_attribute("unit", "metre");
      file.create_attribute("more", "text");
    });
    const root = openHdf5(bytes);
    expect([root.text("text"), root.text("more")]).toEqual(["größe", "text"]);
    expect(root.dataset("a/b/x")!.floats()).toEqual(Float32Array.of(1, 2, 3));
    for (const name of manyNames(40)) expect(root.dataset(`many/${name}`)!.floats()).toEqual(Float32Array.of(4));
    for (const path of ["a", "a/b", "many", "empty"]) {
      const group = root.group(path)!;
      for (let i = 0; i < 50; i++) expect(group.dataset(`new_${i}`)!.floats()).toEqual(Float32Array.of(i));
      expect([group.texts("list"), group.text("long")]).toEqual([["some", "strings"], "z".repeat(10_000)]);
    }
  });
});

describe("what HDF5 cannot hold is refused", () => {
  const one = Float32Array.of(1);

  it.each<[string, (root: GroupWriter) => void, string]>([
    ["no name", (root) => root.group(""), 'cannot save "": HDF5 has no such name'],
    ["a path of slashes", (root) => root.setInteger("//", 1), 'cannot save "//"'],
    ["the group itself", (root) => root.group("a/./b"), 'cannot save "a/./b"'],
    ["a name with a zero", (root) => root.group("a\0b"), "HDF5 has no zeros"],
    ["a name with half a character", (root) => root.setFloats("a\ud800", [1], one), "no halves of characters"],
    ["a text with a zero", (root) => root.setText("text", "a\0"), "HDF5 has no zeros"],
    [
      "two data sets of one name",
      (root) => {
        root.setFloats("a/x", [1], one);
        root.group("a").setFloats("x", [1], one);
      },
      'cannot save two weights "x" in one group.',
    ],
    [
      "a data set in the place of a group",
      (root) => {
        root.group("a/x");
        root.setFloats("a/x", [1], one);
      },
      'cannot save two weights "a/x" in one group.',
    ],
    [
      "a group in the place of a data set",
      (root) => {
        root.setFloats("a/x", [1], one);
        root.group("a/x/y");
      },
      'cannot save "a/x/y": "x" is a weight.',
    ],
    [
      "two attributes of one name",
      (root) => {
        root.setText("text", "a");
        root.setEmptyList("text");
      },
      "cannot save two attributes text in one group.",
    ],
    [
      "a list that is too long for an attribute",
      (root) => root.setBytes("list", Array(4096).fill("")),
      "HDF5 cannot hold the attribute list: it has 65600 bytes, at most 65528 fit.",
    ],
    [
      "more dimensions than there are",
      (root) => root.setFloats("x", Array(33).fill(1), one),
      "HDF5 has no tensors of 33 dimensions; at most 32 are possible.",
    ],
    [
      "more attributes than there are numbers for",
      (root) => {
        for (let i = 0; i < 65_535; i++) root.setEmptyList(`a${i}`);
      },
      "HDF5 cannot hold an object of 65536 attributes",
    ],
  ])("%s", (_, build, message) => {
    expect(() => writeHdf5(build)).toThrow(UserError);
    expect(() => writeHdf5(build)).toThrow(message);
  });

  it("more than memory can hold", () => {
    // 2^40 bytes, of which none is touched.
    const data = new Float32Array(2 ** 26);
    const build = (root: GroupWriter) => {
      for (const name of manyNames(4096)) root.setFloats(name, [data.length], data);
    };
    expect(() => writeHdf5(build)).toThrow(UserError);
    expect(() => writeHdf5(build)).toThrow(/there is no memory for a file of 109951\d+ bytes/);
  });

  it("a tensor that does not fill its shape", () => {
    expect(() => writeHdf5((root) => root.setFloats("x", [2], one))).toThrow(InternalError);
  });
});
