/** The examples run as they stand, only shorter. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadModel } from "../src/index.ts";
import { writeSmallMnist } from "./helpers/command.ts";
import { runExample } from "./helpers/examples.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lenet-examples-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** An example with other constants or options: each must be there. */
function shortened(name: string, changes: Readonly<Record<string, string>>): string {
  let code = readFileSync(new URL(`../examples/${name}.ts`, import.meta.url), "utf8");
  for (const [from, to] of Object.entries(changes)) {
    expect(code).toContain(from);
    code = code.replace(from, to);
  }
  return code;
}

test("lenet.ts: the recipe", async () => {
  mkdirSync(join(folder, "small"));
  writeSmallMnist(join(folder, "small"), 3000, 200);
  const loading = {
    "mnist.loadData()": 'mnist.loadData({ directory: "small" })',
    "const epochs = 10": "const epochs = 1",
  };
  const output = await runExample(shortened("lenet", loading), folder);
  expect(output).toContain("x_train shape: [ 3000, 28, 28, 1 ]\n3000 train samples\n200 test samples\n");
  expect(output).toContain("1,256,080");
  expect(Number(/Test accuracy: (\S+)/.exec(output)?.[1])).toBeGreaterThan(0.7);
  expect((await loadModel(join(folder, "mnist_LeNet.h5"))).outputShape).toEqual([10]);
});

/** Digits in place of clothes, under the names of Fashion-MNIST's files in Keras's folder. */
function writeFashionMnist(): string {
  const place = join(folder, "keras", "datasets", "fashion-mnist");
  mkdirSync(place, { recursive: true });
  writeSmallMnist(place, 6000, 200);
  for (const name of ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"]) {
    writeFileSync(join(place, `${name}-ubyte.gz`), gzipSync(readFileSync(join(place, `${name}-ubyte`)), { level: 1 }));
    rmSync(join(place, `${name}-ubyte`));
  }
  return join(folder, "keras");
}

test("fashion-mnist.ts", async () => {
  const code = shortened("fashion-mnist", { "const epochs = 5": "const epochs = 1" });
  const output = await runExample(code, folder, { KERAS_HOME: writeFashionMnist() });
  expect(output).toMatch(/^Epoch 1\/1 \{\s+loss: \d\.\d+,\s+accuracy: 0\.\d+,\s+val_loss: \d+\.\d+/);
  expect(output).toMatch(/test \{ loss: \d\.\d+, accuracy: 0\.\d+ \}/);
  expect(output).toMatch(/image 4: [\w/ -]+ \(\d+\.\d %\), in truth Coat/);
});
