/**
 * Builds the page into dist/web, after `npm run build`: its code packed by Vite, MNIST compressed, and the weights that it
 * begins with, made by training the recipe for as many epochs as the command's argument says.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { build as buildNetwork, networks } from "../bench/networks.mjs";
import * as lenet from "../dist/index.js";

const { datasets, toCategorical } = lenet;

const FOLDER = "dist/web";
const epochs = Number(process.argv[2] ?? 2);

await build({ configFile: "web/vite.config.ts", logLevel: "warn" });

const [[trainImages, trainLabels], [testImages, testLabels]] = await datasets.mnist.loadData();

/** The bytes of an IDX file. */
function toIdx({ shape, data }) {
  const header = new DataView(new ArrayBuffer(4 + 4 * shape.length));
  header.setUint32(0, 0x0800 + shape.length);
  for (const [i, length] of shape.entries()) header.setUint32(4 + 4 * i, length);
  return Buffer.concat([new Uint8Array(header.buffer), data]);
}

mkdirSync(join(FOLDER, "data"), { recursive: true });
const files = {
  "train-images-idx3-ubyte": trainImages,
  "train-labels-idx1-ubyte": trainLabels,
  "t10k-images-idx3-ubyte": testImages,
  "t10k-labels-idx1-ubyte": testLabels,
};
for (const [name, array] of Object.entries(files)) {
  writeFileSync(join(FOLDER, "data", `${name}.gz`), gzipSync(toIdx(array)));
}

const scale = (images) => images.reshape([-1, 28, 28, 1]).divide(255);
const model = buildNetwork(lenet, networks.same, { seed: 1 });
await model.fit(scale(trainImages), toCategorical(trainLabels, 10), { batchSize: 128, epochs });
const { accuracy } = await model.evaluate(scale(testImages), toCategorical(testLabels, 10), { batchSize: 128 });
await datasets.saveNpz(join(FOLDER, "weights.npz"), Object.fromEntries(model.getWeights().entries()));
console.log(`dist/web: the page, with a network trained for ${epochs} epochs (test accuracy ${accuracy.toFixed(4)})`);
