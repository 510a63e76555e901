/** The examples run as they stand, only shorter. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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

/** Digits in place of clothes, under the names of Fashion-MNIST's files in Keras's folder; returns that. */
function writeFashionMnist(trainCount: number): string {
  const home = mkdtempSync(join(folder, "keras-"));
  const place = join(home, "datasets", "fashion-mnist");
  mkdirSync(place, { recursive: true });
  writeSmallMnist(place, trainCount, 200);
  for (const name of ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"]) {
    writeFileSync(join(place, `${name}-ubyte.gz`), gzipSync(readFileSync(join(place, `${name}-ubyte`)), { level: 1 }));
    rmSync(join(place, `${name}-ubyte`));
  }
  return home;
}

test("fashion-mnist.ts, with augmentation", async () => {
  // The last 5,000 images validate.
  const KERAS_HOME = writeFashionMnist(8000);
  const code = shortened("fashion-mnist", {
    "const epochs = 40": "const epochs = 2",
    "batchSize: 128": "batchSize: 32",
  });
  const output = await runExample(code, folder, { KERAS_HOME });
  expect(output).toMatch(/^Epoch 1\/2 \{\s+loss: \d\.\d+,\s+accuracy: 0\.\d+,\s+val_loss: \d+\.\d+/);
  expect(Number(/test \{ loss: \d\.\d+, accuracy: (\S+) \}/.exec(output)?.[1])).toBeGreaterThan(0.85);
  expect(output).toMatch(/image 4: [\w/ -]+ \(\d+\.\d %\), in truth Coat/);
});

test("fine-tuning.ts: a file of Keras's with a new head", async () => {
  const file = new URL("golden/networks/digits.h5", import.meta.url);
  copyFileSync(file, join(folder, "mnist_LeNet.h5"));
  const KERAS_HOME = writeFashionMnist(3000);
  const faster = {
    "batchSize = 128": "batchSize = 32",
    "epochs = 5": "epochs = 3",
    'loadModel("mnist_LeNet.h5")': 'loadModel("mnist_LeNet.h5", { seed: 1 })',
    "learningRate: 1e-4": "learningRate: 5e-3",
  };
  const output = await runExample(shortened("fine-tuning", faster), folder, { KERAS_HOME });
  // The convolutions have 4 · 26 and 8 · 101 parameters, the dense layers 16 · 129 and 10 · 17.
  expect(output).toContain("clothes (Dense)");
  expect(output).toContain("Trainable params: 2,234 (");
  expect(output).toContain("Non-trainable params: 912 (");
  expect(Number(/Test accuracy: (\S+)/.exec(output)?.[1])).toBeGreaterThan(0.7);
  const [before, after] = [await loadModel(file), await loadModel(join(folder, "fashion_LeNet.h5"))];
  expect(after.outputShape).toEqual([10]);
  const frozen = after.layers.filter(({ trainable }) => !trainable).map(({ name }) => name);
  expect(frozen).toEqual(["conv2d", "conv2d_1"]);
  const random = ["random_translation", "random_rotation", "random_zoom"];
  expect(after.layers.slice(0, 3).map(({ name }) => name)).toEqual(random);
  expect(after.getWeights().slice(0, 4)).toEqual(before.getWeights().slice(0, 4));
  expect(after.getLayer("dense").getWeights()).not.toEqual(before.getLayer("dense").getWeights());
});
