import { readFileSync } from "node:fs";
import { type Dataset, File, type Group, ready } from "h5wasm";
import { describe, expect, it, vi } from "vitest";
import { UserError } from "../errors.ts";
import { readKerasH5, writeKerasH5 } from "./keras-h5.ts";
import type { SavedModel } from "./saved-model.ts";

const tensor = (name: string, shape: number[], start = 0) => ({
  name,
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.fround(start + i / 7)),
});

const model: SavedModel = {
  modelConfig: { class_name: "Sequential", config: { name: "größe", layers: [] } },
  trainingConfig: { loss: "categorical_crossentropy" },
  layers: [
    {
      name: "conv2d",
      weights: [tensor("sequential/conv2d/kernel", [3, 3, 1, 2]), tensor("sequential/conv2d/bias", [2])],
    },
    { name: "flatten", weights: [] },
    { name: "größe/innen", weights: [tensor("sequential/größe/kernel", [4, 2], -1)] },
  ],
  optimizer: {
    iterations: 2 ** 40,
    weights: [tensor("adam/learning_rate", [], 0.001), tensor("adam/sequential_conv2d_kernel_momentum", [3, 3, 1, 2])],
  },
  kerasVersion: "3.15.1",
};

/** The library's own view of a file: its memory, and a way to build what our writer refuses to. */
async function build(change: (file: File) => void, bytes?: Uint8Array): Promise<Uint8Array> {
  const { FS } = await ready;
  if (bytes) FS.writeFile("/built.h5", bytes);
  const file = new File("/built.h5", bytes ? "a" : "w");
  try {
    change(file);
  } finally {
    file.close();
  }
  const built = FS.readFile("/built.h5") as Uint8Array;
  FS.unlink("/built.h5");
  return built;
}

const whole = await writeKerasH5(model);
const groupOf = (file: File, path: string) => file.get(path) as Group;

/** A model of one layer with one weight, which `change` puts into its group. */
const withWeight = (change: (group: Group) => void) =>
  build((file) => {
    file.create_attribute("model_config", "{}");
    const weights = file.create_group("model_weights");
    weights.create_attribute("layer_names", ["dense"]);
    const dense = weights.create_group("dense");
    dense.create_attribute("weight_names", ["kernel"]);
    change(dense);
  });

async function failure(bytes: Uint8Array | Promise<Uint8Array>): Promise<string> {
  const error = await readKerasH5(await bytes).then(
    () => expect.fail("the file was read"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  expect((error as Error).message).not.toMatch(/\p{Cc}/u);
  return (error as Error).message;
}

describe("writeKerasH5 and readKerasH5", () => {
  it("give back what was written", async () => {
    expect(await readKerasH5(whole)).toEqual(model);
  });

  it("give the same bytes for the same model, whenever it is saved", async () => {
    const now = vi.spyOn(Date, "now").mockReturnValue(Date.UTC(2040, 1, 1));
    try {
      expect(Buffer.compare(await writeKerasH5(model), whole)).toBe(0);
    } finally {
      now.mockRestore();
    }
  });

  it("write the version of HDF5 that Keras writes", () => {
    const SUPERBLOCK_VERSION = 8;
    expect(whole[SUPERBLOCK_VERSION]).toBe(0);
  });

  it("leave out what is not there", async () => {
    const { modelConfig, layers } = model;
    const read = await readKerasH5(await writeKerasH5({ modelConfig, layers }));
    expect(Object.keys(read).sort()).toEqual(["kerasVersion", "layers", "modelConfig"]);
  });

  it("keep an optimizer that has no weights", async () => {
    const read = await readKerasH5(await writeKerasH5({ ...model, optimizer: { iterations: 7, weights: [] } }));
    expect(read.optimizer).toEqual({ iterations: 7, weights: [] });
  });

  it("split lists of names that are too long for one attribute", async () => {
    const layers = Array.from({ length: 1700 }, (_, i) => ({
      name: `a_layer_with_a_name_of_some_length_ü_${i}`,
      weights: [],
    }));
    const bytes = await writeKerasH5({ modelConfig: {}, layers });
    await build((file) => {
      const { attrs } = groupOf(file, "model_weights");
      expect(attrs.layer_names).toBeUndefined();
      expect(attrs.layer_names0?.metadata.vlen).toBe(false);
      expect(attrs.layer_names1?.shape).toEqual([850]);
      expect(attrs.layer_names2).toBeUndefined();
    }, bytes);
    expect((await readKerasH5(bytes)).layers).toEqual(layers);
  });

  it("refuse to write a tensor that does not fill its shape", async () => {
    const layers = [{ name: "dense", weights: [{ ...tensor("kernel", [2, 3]), shape: [2, 4] }] }];
    await expect(writeKerasH5({ modelConfig: {}, layers })).rejects.toThrow(
      "kernel: its shape has 8 elements, its data 6",
    );
  });

  it("refuse two weights of one name", async () => {
    const weights = [tensor("kernel", [2]), tensor("kernel", [2])];
    await expect(writeKerasH5({ modelConfig: {}, layers: [{ name: "dense", weights }] })).rejects.toThrow(
      new UserError('cannot save two weights "kernel" in one group.'),
    );
  });

  it("refuse names that are too long for any attribute", async () => {
    const named = (bytes: number) =>
      writeKerasH5({ modelConfig: {}, layers: [{ name: "x".repeat(bytes), weights: [] }] });
    expect((await readKerasH5(await named(64_512))).layers[0]!.name).toHaveLength(64_512);
    await expect(named(64_513)).rejects.toThrow("cannot save a name of 64513 bytes; at most 64512 fit.");
  });

  it("write over the bytes from before, to the same bytes", async () => {
    const before = await writeKerasH5({ ...model, layers: [...model.layers, { name: "more", weights: [] }] });
    const bytes = await writeKerasH5(model, { into: before.fill(0xff).buffer });
    expect(bytes.buffer).toBe(before.buffer);
    expect(Buffer.compare(bytes, whole)).toBe(0);
    const larger = await writeKerasH5(model, { into: new ArrayBuffer(whole.length - 1) });
    expect(Buffer.compare(larger, whole)).toBe(0);
  });
});

describe("readKerasH5 reads what others wrote", () => {
  it("Keras 2 and older h5py: lists in pieces, strings of fixed length, other types and byte orders", async () => {
    const read = await readKerasH5(readFileSync(new URL("../../test/golden/formats.h5", import.meta.url)));
    const values = [1, -2.5, 0.1, 3e-5, 65504, -0];
    const float32 = values.map(Math.fround);
    const float16 = [1, -2.5, 0.0999755859375, 2.9981136322021484e-5, 65504, -0];
    expect(read.kerasVersion).toBe("2.13.1");
    expect(read.layers).toEqual([
      {
        name: "dense",
        weights: [
          { name: "dense/kernel:0", shape: [3, 2], data: Float32Array.from(float16) },
          { name: "dense/bias:0", shape: [3, 2], data: Float32Array.from(float32) },
        ],
      },
      { name: "größe", weights: [{ name: "größe/kernel:0", shape: [3, 2], data: Float32Array.from(float32) }] },
      { name: "empty", weights: [] },
    ]);
    expect(read.optimizer).toEqual({
      iterations: 1234,
      weights: [{ name: "learning_rate:0", shape: [], data: Float32Array.of(0.25) }],
    });
  });

  it("HDF5's newer format: large groups and many attributes in heaps, listed by trees", async () => {
    const read = await readKerasH5(readFileSync(new URL("../../test/golden/formats_latest.h5", import.meta.url)));
    expect(read.modelConfig).toEqual({ class_name: "Sequential", config: { name: "größe" } });
    expect(read.layers).toEqual(
      Array.from({ length: 60 }, (_, i) => ({
        name: `layer_${i}`,
        weights: [{ name: "kernel", shape: [], data: Float32Array.of(i) }],
      })),
    );
  });

  it("a file that begins behind a block of the user's", async () => {
    const bytes = new Uint8Array(1024 + whole.length);
    bytes.set(whole, 1024);
    expect(await readKerasH5(bytes)).toEqual(model);
  });

  it("chunks, of which those at the edges reach beyond the data", async () => {
    const data = Float32Array.from({ length: 5 * 7 * 3 }, (_, i) => i);
    const bytes = await withWeight((group) =>
      group.create_dataset({ name: "kernel", data, shape: [5, 7, 3], chunks: [2, 3, 2], dtype: "<f" }),
    );
    expect((await readKerasH5(bytes)).layers[0]!.weights[0]).toEqual({ name: "kernel", shape: [5, 7, 3], data });
  });

  it("Keras 3: a writer of ours gives the file's content back", async () => {
    const bytes = readFileSync(new URL("../../test/golden/lenet_small_adam.h5", import.meta.url));
    const read = await readKerasH5(bytes);
    expect(read.layers.map(({ name }) => name)).toEqual(
      "conv2d max_pooling2d conv2d_1 max_pooling2d_1 flatten dense dense_1".split(" "),
    );
    expect(read.layers[0]!.weights.map(({ name, shape }) => [name, shape])).toEqual([
      ["sequential/conv2d/kernel", [5, 5, 1, 4]],
      ["sequential/conv2d/bias", [4]],
    ]);
    expect(read.optimizer?.iterations).toBe(3);
    expect(read.optimizer?.weights[0]).toEqual({
      name: "adam/learning_rate",
      shape: [],
      data: Float32Array.of(0.001),
    });
    expect(read.optimizer?.weights).toHaveLength(1 + 2 * 8);
    expect(await readKerasH5(await writeKerasH5(read))).toEqual(read);
  });

  it.each([
    ["<d", [1, -2.5, 1e-3], [1, -2.5, Math.fround(1e-3)]],
    ["<f", [1, -2.5, 3], [1, -2.5, 3]],
  ] as const)("weights of type %s", async (dtype, stored, expected) => {
    const bytes = await withWeight((group) =>
      group.create_dataset({ name: "kernel", data: [...stored], shape: [3], dtype }),
    );
    expect([...(await readKerasH5(bytes)).layers[0]!.weights[0]!.data]).toEqual(expected);
  });

  it.each(["iteration:0", "Adam/iter:0", "adam/iterations"])("the step counter %s", async (name) => {
    const bytes = await build(
      (file) => {
        const group = file.create_group("optimizer_weights");
        group.create_attribute("weight_names", [name]);
        if (name.includes("/")) group.create_group(name.split("/")[0]!);
        file.create_dataset({ name: `optimizer_weights/${name}`, data: BigInt64Array.of(12n), shape: [], dtype: "<q" });
      },
      await writeKerasH5({ modelConfig: {}, layers: [] }),
    );
    expect((await readKerasH5(bytes)).optimizer).toEqual({ iterations: 12, weights: [] });
  });
});

describe("readKerasH5 refuses", () => {
  it.each([
    ["no bytes", new Uint8Array(0), "the file is empty."],
    ["other bytes", new Uint8Array(5000).map((_, i) => i * 31), "it is no HDF5 file."],
    [
      "a truncated file",
      whole.subarray(0, whole.length - 1),
      `cut off: it has ${whole.length - 1} bytes of ${whole.length}`,
    ],
  ])("%s", async (_, bytes, expected) => {
    expect(await failure(bytes)).toContain(expected);
  });

  it("HDF5 that is no model", async () => {
    expect(await failure(build(() => {}))).toContain("no Keras model: it has no model_config");
    expect(await failure(build((file) => file.create_attribute("model_config", "{}")))).toContain(
      "/model_weights is missing",
    );
    expect(await failure(build((file) => file.create_attribute("model_config", "{\n]")))).toContain("is no JSON");
    expect(await failure(build((file) => file.create_attribute("model_config", 7)))).toContain(
      "must be made of strings",
    );
  });

  it("missing attributes, layers and weights, by name", async () => {
    const without = (path: string, attribute: string) =>
      build((file) => groupOf(file, path).delete_attribute(attribute), whole);
    expect(await failure(without("model_weights", "layer_names"))).toContain("no attribute layer_names");
    expect(await failure(without("model_weights/conv2d", "weight_names"))).toContain(
      "conv2d has no attribute weight_names",
    );
    expect(await failure(withWeight(() => {}))).toContain('weight "kernel" of layer "dense" is missing');
    const other = build((file) => {
      groupOf(file, "model_weights").delete_attribute("layer_names");
      groupOf(file, "model_weights").create_attribute("layer_names", ["absent"]);
    }, whole);
    expect(await failure(other)).toContain('the group of layer "absent" is missing');
  });

  it("weights of another type", async () => {
    const integers = withWeight((group) => group.create_dataset({ name: "kernel", data: [1, 2], dtype: "<i" }));
    expect(await failure(integers)).toContain('"kernel" is int32, expected float16, float32 or float64');
    const group = withWeight((dense) => dense.create_group("kernel"));
    expect(await failure(group)).toContain('weight "kernel" of layer "dense" is missing');
  });

  it("links", async () => {
    const soft = withWeight((group) => group.create_soft_link("/model_weights", "kernel"));
    expect(await failure(soft)).toContain("/model_weights/dense/kernel is a soft link");
    const external = withWeight((group) => group.create_external_link("other.h5", "/kernel", "kernel"));
    expect(await failure(external)).toContain("/model_weights/dense/kernel is a link to another file");
  });

  it("data in other files, or in the same one by another way", async () => {
    const golden = (name: string) => readFileSync(new URL(`../../test/golden/data/${name}.h5`, import.meta.url));
    expect(await failure(golden("external"))).toContain('"kernel" takes its data from other files');
    expect(await failure(golden("virtual"))).toContain('"kernel" takes its data from other files');
    expect(await readKerasH5(whole)).toEqual(model);
  });

  it("filters, by name", async () => {
    const data = new Float32Array(64);
    const compressed = withWeight((group) =>
      group.create_dataset({ name: "kernel", data, shape: [64], chunks: [64], compression: "gzip" }),
    );
    expect(await failure(compressed)).toContain('"kernel" passed through the filter(s) deflate');
  });

  it("sizes that the file cannot hold, before it takes memory for them", async () => {
    const huge = withWeight((group) => {
      const set = group.create_dataset({
        name: "kernel",
        data: [1, 2],
        shape: [2],
        maxshape: [null],
        chunks: [2],
        dtype: "<f",
      });
      (set as Dataset).resize([10 ** 12]);
    });
    expect(await failure(huge)).toContain("claims 4000000000000 bytes, more than the file holds");
  });

  it("a heap of strings whose objects have no size, on which HDF5 itself would not end", async () => {
    const bytes = whole.slice();
    const heap = Buffer.from(bytes.buffer).indexOf("GCOL");
    // Its first object: number 0, which is free space, and 0 bytes long.
    bytes.fill(0, heap + 16, heap + 32);
    expect(await failure(bytes)).toContain(`the global heap at byte ${heap} has an object of impossible size`);
  });

  it("strings of more bytes than there are in their place", async () => {
    // A string stands in its attribute as length (4 bytes), the heap's address (8), index (4).
    const view = new DataView(whole.buffer, whole.byteOffset, whole.byteLength);
    const heap = Buffer.from(whole).indexOf("GCOL");
    const bytes = whole.slice();
    let references = 0;
    for (let at = 0; at + 16 <= bytes.length; at += 8) {
      if (view.getBigUint64(at + 4, true) !== BigInt(heap) || view.getUint32(at + 12, true) > 100) continue;
      bytes[at + 3] = 0x46;
      references++;
    }
    expect(references).toBeGreaterThan(3);
    expect(await failure(bytes)).toContain("the file is damaged (a string is not where it should be)");
  });

  it("an object's header that continues in itself", async () => {
    const CONTINUATION = 0x10;
    // There is no room for one more attribute in the header, so that HDF5's library continues it.
    const bytes = await build((file) => groupOf(file, "model_weights").create_attribute("one_more", "text"), whole);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let changed = 0;
    for (let at = 0; at + 24 <= bytes.length; at += 8) {
      // A message: its type and size (2 bytes each), flags (4), then the address and the size of what continues it.
      const isOne = view.getUint32(at, true) === (16 << 16) + CONTINUATION && view.getUint32(at + 4, true) === 0;
      if (!isOne) continue;
      view.setBigUint64(at + 8, BigInt(at), true);
      view.setBigUint64(at + 16, 24n, true);
      changed++;
    }
    expect(changed).toBeGreaterThan(0);
    expect(await failure(bytes)).toContain("the file is damaged (its tables lead in circles)");
  });

  it("newer tables that have another checksum than they should", async () => {
    const sound = readFileSync(new URL("../../test/golden/formats_latest.h5", import.meta.url));
    for (const signature of ["OHDR", "OCHK", "BTHD", "BTLF", "BTIN", "FRHP"]) {
      const bytes = new Uint8Array(sound);
      // Not all are read: trees that list links in the order of their making are left aside.
      for (let at = sound.indexOf(signature); at >= 0; at = sound.indexOf(signature, at + 1)) {
        // A flag, a kind, or a part of a length.
        bytes[at + 5]! ^= 0x80;
      }
      expect(await failure(bytes), signature).toContain("has another checksum than it should");
    }
  });

  it("a tree that is its own branch", async () => {
    const bytes = whole.slice();
    const tree = Buffer.from(bytes.buffer, bytes.byteOffset).indexOf("TREE");
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const [LEVEL, FIRST_CHILD] = [5, 32];
    bytes[tree + LEVEL] = 1;
    view.setBigUint64(tree + FIRST_CHILD, BigInt(tree), true);
    expect(await failure(bytes)).toContain("a tree's levels are in disorder");
  });

  it("data in other files, or never written", async () => {
    const missing = withWeight((group) => {
      const set = group.create_dataset({
        name: "kernel",
        data: [1, 2, 3],
        shape: [3],
        maxshape: [9],
        chunks: [2],
        dtype: "<f",
      });
      (set as Dataset).resize([9]);
    });
    expect(await failure(missing)).toContain('"kernel" was not written in full');
    const virtual = whole.slice();
    // Of the message on where the data lie: its type and size (2 bytes each), flags (4), version, kind of place.
    const layout = Buffer.from(virtual).indexOf(Uint8Array.of(8, 0, 24, 0, 0, 0, 0, 0, 3, 1));
    expect(layout).toBeGreaterThan(0);
    virtual[layout + 9] = 3;
    expect(await failure(virtual)).toContain("takes its data from other files");
  });

  it("one data set read over and over", async () => {
    const bytes = await build((file) => {
      file.create_attribute("model_config", "{}");
      const weights = file.create_group("model_weights");
      weights.create_attribute("layer_names", ["dense"]);
      const dense = weights.create_group("dense");
      dense.create_attribute(
        "weight_names",
        Array.from({ length: 1000 }, (_, i) => `${"/".repeat(i)}kernel`),
      );
      dense.create_dataset({ name: "kernel", data: new Float32Array(5000), shape: [5000], dtype: "<f" });
    });
    expect(await failure(bytes)).toContain("more than the file holds");
  });
});
