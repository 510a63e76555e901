/**
 * Repeats with this library the steps that lenet_losses.py made with Keras: node compare_losses.mjs OUT STARTS
 *
 * Where two numbers are as good as equal, rounding decides which of them ReLU or pooling lets through, and Adam's first
 * steps make much of it: from about one start in six losses are more than 1e-3 apart within 20 steps, in whatever order
 * sums are made (convolutions summed directly: 2e-7 to 3e-3 over the starts of run.sh). So several starts are compared:
 * the best must agree to rounding, half of them to 1e-3, and none may stray far.
 */
import { readFile } from "node:fs/promises";
import { datasets, loadModel, toCategorical } from "../dist/index.js";

const [out, starts] = process.argv.slice(2);
const [[images, labels]] = await datasets.mnist.loadData();
const x = images.reshape([-1, 28, 28, 1]).divide(255);
const y = toCategorical(labels, 10);

async function compare(start) {
  const theirs = JSON.parse(await readFile(`${out}-${start}.json`, "utf8"));
  const model = await loadModel(`${out}-${start}.h5`);
  const differences = [];
  for (const [step, loss] of theirs.entries()) {
    const batch = [step * 128, (step + 1) * 128];
    differences.push(Math.abs((await model.trainOnBatch(x.slice(...batch), y.slice(...batch))).loss - loss));
  }
  return { early: Math.max(...differences.slice(0, 20)), all: Math.max(...differences) };
}

const found = [];
for (let start = 0; start < Number(starts); start++) found.push(await compare(start));
const early = found.map((start) => start.early).sort((a, b) => a - b);
const all = Math.max(...found.map((start) => start.all));
const median = early[(early.length - 1) >> 1];
const holds = early[0] <= 1e-5 && median <= 1e-3 && early.at(-1) <= 1e-2 && all <= 0.04;
const list = early.map((difference) => difference.toExponential(1)).join(", ");
console.log(`${holds ? "ok    " : "FAILED"}  losses within ${list} over 20 steps, ${all.toExponential(1)} over all`);
process.exitCode = holds ? 0 : 1;
