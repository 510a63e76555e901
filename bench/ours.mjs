/** Our library as a contender. For each line `NUMBER [STAGE]` on standard input it prints the milliseconds of each run. */
import { createInterface } from "node:readline";
import * as lenet from "../dist/index.js";
import { build, networks } from "./networks.mjs";

const { task, network, threads, stages = [] } = JSON.parse(process.argv[2]);
const { NDArray, datasets, loadModel, toCategorical } = lenet;
const definition = networks[network];

async function load(part) {
  if (definition.data === "mnist") {
    const [images, labels] = (await datasets.mnist.loadData())[part];
    return [images.reshape([-1, 28, 28, 1]).divide(255), toCategorical(labels)];
  }
  const count = 1280;
  const pixels = new Float32Array(count * 32 * 32 * 3).map(() => Math.random());
  const labels = Uint8Array.from({ length: count }, () => Math.floor(Math.random() * 10));
  return [new NDArray(pixels, [count, 32, 32, 3]), toCategorical(new NDArray(labels, [count]), 10)];
}

const [x, y] = await load(task === "step" ? 0 : 1);
const models = stages.length
  ? await Promise.all(stages.map((path) => loadModel(path)))
  : [build(lenet, definition, { seed: 1 })];

// Each round is timed in the same state.
if (task === "step") for (const model of models) model.optimizer.learningRate = 0;

const tasks = {
  async step(count, stage) {
    const times = [];
    let began = 0;
    const callback = {
      onBatchBegin: () => {
        began = performance.now();
      },
      onBatchEnd: () => {
        times.push(performance.now() - began);
      },
    };
    const options = { batchSize: 128, epochs: 1, stepsPerEpoch: count, shuffle: false, threads, callbacks: [callback] };
    await models[stage].fit(x, y, options);
    return times;
  },
  async one(count) {
    const images = Array.from({ length: count }, (_, i) => x.slice(i, i + 1));
    const times = [];
    for (const image of images) {
      const began = performance.now();
      await models[0].predict(image, { threads });
      times.push(performance.now() - began);
    }
    return times;
  },
  async many(count) {
    const times = [];
    for (let i = 0; i < count; i++) {
      const began = performance.now();
      await models[0].predict(x, { batchSize: 128, threads });
      times.push(performance.now() - began);
    }
    return times;
  },
};

console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const [count, stage = 0] = line.split(" ").map(Number);
  console.log(JSON.stringify(await tasks[task](count, stage)));
}
