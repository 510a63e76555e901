import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { NDArray } from "../array.ts";
import { UserError } from "../errors.ts";
import { loadData } from "./mnist.ts";
import { saveNpz } from "./npz.ts";

const images = (count: number, height: number, width: number) =>
  Uint8Array.of(0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, height, 0, 0, 0, width, ...Array(count * height * width).fill(9));
const labels = (...values: number[]) => Uint8Array.of(0, 0, 8, 1, 0, 0, 0, values.length, ...values);

/** Small files under the standard names. */
const small = () => ({
  "train-images-idx3-ubyte": images(3, 4, 5),
  "train-labels-idx1-ubyte": labels(1, 0, 2),
  "t10k-images-idx3-ubyte": images(2, 4, 5),
  "t10k-labels-idx1-ubyte": labels(2, 1),
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lenet-mnist-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

function write(files: Record<string, Uint8Array | undefined>): void {
  for (const [name, bytes] of Object.entries(files)) if (bytes) writeFileSync(join(folder, name), bytes);
}

async function failure(): Promise<string> {
  const error = await loadData({ directory: folder }).then(
    () => expect.fail("the data were loaded"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  return (error as Error).message;
}

describe("loadData", () => {
  it("gives MNIST from the installed package", async () => {
    const [[xTrain, yTrain], [xTest, yTest]] = await loadData();
    expect([xTrain.shape, yTrain.shape]).toEqual([[60_000, 28, 28], [60_000]]);
    expect([xTest.shape, yTest.shape]).toEqual([[10_000, 28, 28], [10_000]]);
    expect([...yTrain.data.subarray(0, 10)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    expect([...yTest.data.subarray(0, 5)]).toEqual([7, 2, 1, 0, 4]);
    // The mean over all pixels that is quoted everywhere, 0.1307 of 255.
    const sum = xTrain.data.reduce((total, value) => total + value, 0);
    expect(sum / xTrain.size / 255).toBeCloseTo(0.1307, 4);
  });

  it("gives any number of images of any size from a folder", async () => {
    write(small());
    const [[xTrain, yTrain], [xTest, yTest]] = await loadData({ directory: folder });
    expect([xTrain.shape, xTest.shape]).toEqual([
      [3, 4, 5],
      [2, 4, 5],
    ]);
    expect([[...yTrain.data], [...yTest.data]]).toEqual([
      [1, 0, 2],
      [2, 1],
    ]);
  });

  it("gives the same from gzipped files", async () => {
    write(small());
    const plain = await loadData({ directory: folder });
    rmSync(folder, { recursive: true });
    folder = mkdtempSync(join(tmpdir(), "lenet-mnist-"));
    write(Object.fromEntries(Object.entries(small()).map(([name, bytes]) => [`${name}.gz`, gzipSync(bytes)])));
    expect(await loadData({ directory: folder })).toEqual(plain);
  });

  it("gives what Keras's file has", async () => {
    vi.stubEnv("KERAS_HOME", folder);
    mkdirSync(join(folder, "datasets"));
    const path = join(folder, "datasets", "mnist.npz");
    const bytes = (...shape: number[]) => new NDArray(new Uint8Array(shape.reduce((a, b) => a * b)).fill(7), shape);
    const arrays = { x_train: bytes(3, 4, 5), y_train: bytes(3), x_test: bytes(2, 4, 5), y_test: bytes(2) };
    await saveNpz(path, { ...arrays, other: bytes(9) });
    const [[xTrain, yTrain], [xTest, yTest]] = await loadData({ path: "mnist.npz" });
    expect([xTrain, yTrain, xTest, yTest]).toEqual(Object.values(arrays));
    await saveNpz(path, { ...arrays, y_test: bytes(3) });
    await expect(loadData({ path: "mnist.npz" })).rejects.toThrow(`${path}: test set: 2 images, but 3 labels`);
    await saveNpz(path, { ...arrays, x_test: bytes(2, 20) });
    const expected = `${path}: expected an array x_test of uint8 with 3 dimension(s), got uint8 of shape (2, 20)`;
    await expect(loadData({ path: "mnist.npz" })).rejects.toThrow(expected);
  });
});

describe("loadData refuses", () => {
  it("a folder that is not there", async () => {
    await expect(loadData({ directory: join(folder, "absent") })).rejects.toThrow("there is no such file or folder");
  });

  it.each(Object.keys(small()))("a folder without %s", async (name) => {
    write({ ...small(), [name]: undefined });
    expect(await failure()).toContain(`cannot read ${folder}/${name}: there is no such file or folder; a data folder`);
  });

  it("a file of something else, by name", async () => {
    write({ ...small(), "t10k-images-idx3-ubyte": labels(1, 2) });
    expect(await failure()).toContain("t10k-images-idx3-ubyte: no IDX file of 3 dimension(s)");
  });

  it("a damaged gzip file, by name", async () => {
    write({
      ...small(),
      "train-labels-idx1-ubyte": undefined,
      "train-labels-idx1-ubyte.gz": Uint8Array.of(31, 139, 0),
    });
    expect(await failure()).toContain("train-labels-idx1-ubyte.gz is no gzip file");
  });

  it("images and labels that are not equally many", async () => {
    write({ ...small(), "t10k-labels-idx1-ubyte": labels(1, 2, 0) });
    expect(await failure()).toContain("test set: 2 images, but 3 labels");
  });

  it("a path that leads out of Keras's folder, and options that nobody reads", async () => {
    await expect(loadData({ path: "../mnist.npz" })).rejects.toThrow("path must be the name of a file");
    await expect(loadData({ dir: folder } as object)).rejects.toThrow('option "dir" is unknown');
  });

  it("images for testing of another size", async () => {
    write({ ...small(), "t10k-images-idx3-ubyte": images(2, 5, 4) });
    expect(await failure()).toContain("images for training are 4x5, for testing 5x4");
  });
});
