/** Fashion-MNIST and Kuzushiji-MNIST, from Keras's folder; the real Fashion-MNIST where Debian's package is installed. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as fashionMnist from "./fashion-mnist.ts";
import { gunzip } from "./gunzip.ts";
import * as kuzushijiMnist from "./kuzushiji-mnist.ts";

/** Where Debian's package `dataset-fashion-mnist` puts the files. */
const DEBIAN = "/usr/share/datasets/fashion-mnist";

const FILES = {
  "train-images-idx3-ubyte": Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4),
  "train-labels-idx1-ubyte": Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 9, 0),
  "t10k-images-idx3-ubyte": Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 5, 6),
  "t10k-labels-idx1-ubyte": Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 1, 4),
};

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "lenet-keras-"));
  vi.stubEnv("KERAS_HOME", home);
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("fetch failed")));
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
  rmSync(home, { recursive: true });
});

const sets = [
  ["Fashion-MNIST", "fashion-mnist", fashionMnist],
  ["Kuzushiji-MNIST", "kmnist", kuzushijiMnist],
] as const;

describe.each(sets)("%s", (title, folderName, { loadData, classNames }) => {
  it("is read from Keras's folder", async () => {
    const folder = join(home, "datasets", folderName);
    mkdirSync(folder, { recursive: true });
    for (const [name, bytes] of Object.entries(FILES)) writeFileSync(join(folder, `${name}.gz`), gzipSync(bytes));
    const [[xTrain, yTrain], [xTest, yTest]] = await loadData();
    expect([xTrain.shape, xTest.shape]).toEqual([
      [2, 1, 2],
      [1, 1, 2],
    ]);
    const data = [xTrain, yTrain, xTest, yTest].map((array) => [...array.data]);
    expect(data).toEqual([[1, 2, 3, 4], [9, 0], [5, 6], [4]]);
    expect(classNames).toHaveLength(10);
  });

  it("without a network: says which files to put where", async () => {
    const files = Object.keys(FILES).map((name) => `${name}.gz`);
    const where = `into the folder ${home}/datasets/${folderName}.`;
    await expect(loadData()).rejects.toThrow(`${title}: cannot download https://`);
    await expect(loadData()).rejects.toThrow(`without a network, put ${files.join(", ")} of https://`);
    await expect(loadData()).rejects.toThrow(where);
  });
});

it.runIf(existsSync(DEBIAN))("the real Fashion-MNIST", async () => {
  const [[xTrain, yTrain], [xTest, yTest]] = await fashionMnist.loadData({ directory: DEBIAN });
  expect([xTrain.shape, yTrain.shape]).toEqual([[60_000, 28, 28], [60_000]]);
  expect([xTest.shape, yTest.shape]).toEqual([[10_000, 28, 28], [10_000]]);
  // The mean over all pixels that is quoted everywhere, 0.2860 of 255; as many images of each class.
  expect(xTrain.data.reduce((total, value) => total + value, 0) / xTrain.size / 255).toBeCloseTo(0.286, 4);
  const counts = new Array<number>(10).fill(0);
  for (const label of yTrain.data) counts[label]! += 1;
  expect(counts).toEqual(new Array(10).fill(6000));
});

it("a gzip file that would fill the memory is refused", async () => {
  const bomb = gzipSync(new Uint8Array(5_000_000));
  expect(bomb.length).toBeLessThan(10_000);
  await expect(gunzip(bomb, "bomb.gz", 1_000_000)).rejects.toThrow("bomb.gz: unpacks to more than 1000000 bytes");
  expect(await gunzip(bomb, "bomb.gz")).toHaveLength(5_000_000);
});
