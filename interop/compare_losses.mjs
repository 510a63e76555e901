/** Repeats with this library the steps that lenet_losses.py made with Keras: node compare_losses.mjs OUT */
import { readFile } from "node:fs/promises";
import { datasets, loadModel, toCategorical } from "../dist/index.js";

const [out] = process.argv.slice(2);
const theirs = JSON.parse(await readFile(`${out}.json`, "utf8"));
const [[images, labels]] = await datasets.mnist.loadData();
const x = images
  .slice(0, theirs.length * 128)
  .reshape([-1, 28, 28, 1])
  .divide(255);
const y = toCategorical(labels.slice(0, theirs.length * 128), 10);
const model = await loadModel(`${out}.h5`);
const differences = [];
for (const [step, loss] of theirs.entries()) {
  const batch = [step * 128, (step + 1) * 128];
  differences.push(Math.abs((await model.trainOnBatch(x.slice(...batch), y.slice(...batch))).loss - loss));
}
const early = Math.max(...differences.slice(0, 20));
const all = Math.max(...differences);
const holds = early <= 1e-3 && all <= 0.04;
const verdict = `losses within ${early.toExponential(1)} over 20 steps, ${all.toExponential(1)} over ${theirs.length}`;
console.log(`${holds ? "ok    " : "FAILED"}  ${verdict}`);
process.exitCode = holds ? 0 : 1;
