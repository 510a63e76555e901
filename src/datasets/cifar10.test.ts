/** A small CIFAR-10, pickled as Python 2 pickled the real one and read by Keras (interop/make_data.py). */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { UserError } from "../errors.ts";
import { loadData } from "./cifar10.ts";
import { parsePickledBatch } from "./pickle.ts";
import { parseTar } from "./tar.ts";

const golden = (name: string) => fileURLToPath(new URL(`../../test/golden/data/${name}`, import.meta.url));
const ARCHIVE = golden("cifar-10-python.tar.gz");
const files = () => parseTar(gunzipSync(readFileSync(ARCHIVE)), "archive");

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "lenet-keras-"));
  vi.stubEnv("KERAS_HOME", home);
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("fetch failed")));
  mkdirSync(join(home, "datasets"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
  rmSync(home, { recursive: true });
});

const place = (...names: string[]) => join(home, "datasets", ...names);

function unpack(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const [path, bytes] of files()) writeFileSync(join(folder, path.split("/").at(-1)!), bytes);
}

async function expectSet(loading = loadData()): Promise<void> {
  const [[xTrain, yTrain], [xTest, yTest]] = await loading;
  const shapes = [xTrain, yTrain, xTest, yTest].map(({ shape, dtype }) => [dtype, ...shape]);
  expect(shapes).toEqual([
    ["uint8", 15, 32, 32, 3],
    ["uint8", 15, 1],
    ["uint8", 3, 32, 32, 3],
    ["uint8", 3, 1],
  ]);
  expect([...yTrain.data, ...yTest.data]).toEqual(Array.from({ length: 18 }, (_, i) => i % 10));
  const pixels = (from: number, count: number) =>
    Array.from({ length: count * 3072 }, (_, i) => {
      const [image, y, x, channel] = [
        from + Math.floor(i / 3072),
        Math.floor(i / 96) % 32,
        Math.floor(i / 3) % 32,
        i % 3,
      ];
      return (image * 31 + channel * 64 + y * 2 + Math.floor(x / 4)) % 256;
    });
  expect([...xTrain.data]).toEqual(pixels(0, 15));
  expect([...xTest.data]).toEqual(pixels(15, 3));
}

const message = (work: Promise<unknown>) =>
  work.then(
    () => expect.fail("it was loaded"),
    (error: Error) => {
      expect(error).toBeInstanceOf(UserError);
      return error.message;
    },
  );

describe("loadData", () => {
  it.each(["cifar-10-batches-py-target_archive", "cifar-10-batches-py.tar.gz", "cifar-10-python.tar.gz"])(
    "reads the archive %s in Keras's folder",
    async (name) => {
      copyFileSync(ARCHIVE, place(name));
      await expectSet();
    },
  );

  it.each([["cifar-10-batches-py-target", "cifar-10-batches-py"], ["cifar-10-batches-py"]])(
    "reads the batches that Keras unpacked into %s",
    async (...names) => {
      unpack(place(...names));
      await expectSet();
    },
  );

  it("reads a folder of batches", async () => {
    unpack(join(home, "mine"));
    await expectSet(loadData({ directory: join(home, "mine") }));
  });

  it("without a network: says which file to put where", async () => {
    expect(await message(loadData())).toBe(
      "CIFAR-10: cannot download https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz (fetch failed); without a " +
        `network, put cifar-10-python.tar.gz of https://www.cs.toronto.edu/~kriz/ into the folder ${home}/datasets.`,
    );
  });

  it("refuses an archive without a batch, and one that is damaged, by name", async () => {
    const tar = gunzipSync(readFileSync(ARCHIVE));
    writeFileSync(place("cifar-10-python.tar.gz"), gzipSync(tar.subarray(0, 22 * 512)));
    expect(await message(loadData())).toMatch(/cifar-10-python\.tar\.gz: expected a file \S+data_batch_2 in it/);
    writeFileSync(place("cifar-10-python.tar.gz"), gzipSync(tar.subarray(0, 10 * 512)));
    expect(await message(loadData())).toContain("cifar-10-python.tar.gz: no tar archive, or a damaged one");
    writeFileSync(place("cifar-10-python.tar.gz"), readFileSync(ARCHIVE).subarray(0, 999));
    expect(await message(loadData())).toContain("cifar-10-python.tar.gz is no gzip file, or a damaged one");
  });
});

describe("parsePickledBatch", () => {
  const batch = () => Uint8Array.from(files().get("cifar-10-batches-py/data_batch_1")!);
  const refusal = (bytes: Uint8Array) => {
    try {
      parsePickledBatch(bytes, "batch");
    } catch (error) {
      expect(error).toBeInstanceOf(UserError);
      return (error as Error).message;
    }
    return expect.fail("it was read");
  };
  /** The batch with a text in place of the first one like it, of the same length. */
  const replaced = (from: string, to: string) => {
    const bytes = Buffer.from(batch());
    bytes.write(to, bytes.indexOf(from, 0, "latin1"), "latin1");
    return bytes;
  };

  it("refuses whatever could run code, before it reads on", () => {
    expect(refusal(readFileSync(golden("code.pickle")))).toContain('it names "posix.system", which could run code');
    expect(refusal(replaced("numpy.core.multiarray\n_reconstruct", "numpy.core.multiarray\n_constructed"))).toContain(
      'it names "numpy.core.multiarray._constructed", which could run code',
    );
  });

  it.each([
    ["an opcode that is not one of the few", replaced("\x80\x02}", "\x80\x02i"), "opcode 0x69 does not belong there"],
    ["elements that are no bytes", replaced("u1", "f8"), "an array of something else than bytes"],
    ["a label beyond 9", replaced("K\x00K\x01K\x02e", "K\x00K\x0aK\x02e"), "a label is 10"],
    ["a shape that its bytes do not fill", replaced("K\x03M\x00\x0c", "K\x04M\x00\x0c"), "an array of shape (4, 3072)"],
    ["no labels", replaced("labels", "lebals"), "expected n labels and data"],
    ["an empty file", new Uint8Array(0), "it is cut off"],
  ])("refuses %s", (_, bytes, expected) => {
    expect(refusal(bytes)).toMatch(/^batch: no batch of CIFAR-10/);
    expect(refusal(bytes)).toContain(expected);
  });

  it("refuses a file that is cut off anywhere", () => {
    const whole = batch();
    for (let length = 0; length < 230; length++) refusal(whole.subarray(0, length));
  });
});
