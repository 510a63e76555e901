/** `.keras` archives that are damaged or that mean harm: each is refused in one line, before memory is taken. */
import { type Zippable, zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { layers, loadModel, NDArray, Sequential, UserError } from "../index.ts";
import { readKerasArchive } from "./keras-archive.ts";
import { readZip } from "./zip.ts";

const model = new Sequential([layers.input({ shape: [4] }), layers.dense({ units: 3, name: "head" })], { seed: 1 });
model.compile({ loss: "mse", optimizer: "sgd" });
const whole = await model.toBytes({ format: "keras" });
const text = (value: string) => new TextEncoder().encode(value);

const contents = () => Object.fromEntries(readZip(whole, () => true)) as Zippable;
const config = () => JSON.parse(new TextDecoder().decode(contents()["config.json"] as Uint8Array));
/** The archive with other files in it. */
const archive = (edit: (files: Zippable) => void, level: 0 | 6 = 0) => {
  const files = contents();
  edit(files);
  return zipSync(files, { level });
};
const withConfig = (edit: (config: ReturnType<typeof JSON.parse>) => void) =>
  archive((files) => {
    const edited = config();
    edit(edited);
    files["config.json"] = text(JSON.stringify(edited));
  });

/** The archive with a field of a file's entry in the directory set. */
function withEntry(name: string, set: (view: DataView, entry: number) => void): Uint8Array {
  const bytes = whole.slice();
  // The name stands in the header first, then in the directory.
  const at = Buffer.from(bytes).lastIndexOf(name) - 46;
  set(new DataView(bytes.buffer), at);
  return bytes;
}

describe("what is refused", () => {
  it.each<[string, () => Uint8Array, RegExp]>([
    ["half of an archive", () => whole.slice(0, whole.length >> 1), /no zip archive, or a damaged one/],
    ["an archive of something else", () => zipSync({ "a.txt": text("a") }), /no Keras model: it has no config\.json/],
    [
      "no weights",
      () => archive((files) => delete files["model.weights.h5"]),
      /no Keras model: it has no model\.weights\.h5/,
    ],
    [
      "a config that is no JSON",
      () => archive((files) => (files["config.json"] = text("{"))),
      /config\.json is no JSON/,
    ],
    [
      "a byte of the weights changed",
      () => whole.map((byte, i) => (i === whole.length >> 1 ? byte ^ 1 : byte)),
      /another checksum/,
    ],
    [
      "a bomb",
      () => archive((files) => (files["model.weights.h5"] = new Uint8Array(7e7)), 6),
      /claims to unpack to 7000\d+ bytes; at most 67108864 are believed of its size/,
    ],
    [
      "a size that is a lie",
      () => withEntry("config.json", (view, at) => view.setUint32(at + 24, 2 ** 31, true)),
      /claims to unpack to/,
    ],
    [
      "an encrypted file",
      () => withEntry("config.json", (view, at) => view.setUint16(at + 8, 1, true)),
      /"config\.json" in its archive is encrypted/,
    ],
    [
      "a method that we do not have",
      () => withEntry("config.json", (view, at) => view.setUint16(at + 10, 14, true)),
      /packed by method 14/,
    ],
    [
      "a file beyond the end",
      () => withEntry("config.json", (view, at) => view.setUint32(at + 42, 2 ** 30, true)),
      /"config\.json" is not where it should be/,
    ],
    [
      "a name that is there twice",
      () => {
        const bytes = archive((files) => (files["config.jsoN"] = text("{}")));
        const at = Buffer.from(bytes).lastIndexOf("config.jsoN");
        bytes[at + 10] = 0x6e;
        return bytes;
      },
      /two files named "config\.json"/,
    ],
    [
      "a layer that we do not have",
      () => withConfig((edited) => (edited.config.layers[1].class_name = "Lambda")),
      /layer "head" is a Lambda, which is not supported/,
    ],
    [
      "a model that we do not have",
      () => withConfig((edited) => (edited.class_name = "Functional")),
      /the model is a Functional; only Sequential models are supported/,
    ],
    [
      "a layer of absurd size",
      () => withConfig((edited) => (edited.config.layers[1].config.units = 2 ** 30)),
      /has shape \(4, 3\), the model's config asks for \(4, 1073741824\)/,
    ],
    [
      "layers without weights in the file",
      () => withConfig((edited) => edited.config.layers.push(edited.config.layers[1])),
      /names must be unique/,
    ],
  ])("%s", { timeout: 5000 }, async (_, make, message) => {
    const error = await loadModel(make()).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toContain("\n");
  });
});

it("ignores what else is in the archive and in the config", async () => {
  const bytes = archive((files) => {
    files["../../evil.txt"] = text("x");
    files["assets/a"] = text("x");
    files["config.json"] = text(JSON.stringify({ ...config(), later: { class_name: "Unknown" } }));
  }, 6);
  const loaded = await loadModel(bytes);
  const x = new NDArray(Float32Array.of(1, 2, 3, 4), [1, 4]);
  expect(await loaded.predict(x)).toEqual(await model.predict(x));
});

it("a model that has lost its optimizer's config begins anew with Keras's default", async () => {
  const loaded = await loadModel(withConfig((edited) => delete edited.compile_config.optimizer));
  expect(loaded.optimizer!.className).toBe("RMSprop");
  expect(loaded.optimizer!.iterations).toBe(0);
});

it("says which Keras wrote it", async () => {
  expect((await readKerasArchive(whole)).kerasVersion).toMatch(/^3\./);
});
