/** What is saved and loaded again goes on as if nothing had been. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type FitOptions, layers, loadModel, NDArray, optimizers, Sequential } from "../src/index.ts";
import { compiledNet, images } from "./helpers/models.ts";

const { x, y } = images(22);
const options = { batchSize: 8, threads: 1 } satisfies FitOptions;

test.each([
  ["adam", () => optimizers.adam({ learningRate: 0.003, beta1: 0.8 })],
  ["sgd", () => optimizers.sgd({ learningRate: 0.07, momentum: 0.9, nesterov: true })],
  ["adamW, amsgrad", () => optimizers.adamW({ amsgrad: true, globalClipnorm: 0.5 })],
  ["rmsprop", () => optimizers.rmsprop({ momentum: 0.5, centered: true })],
  ["adadelta", () => optimizers.adadelta({ learningRate: 1 })],
  [
    "a schedule",
    () => {
      const { cosineDecay } = optimizers.schedules;
      return optimizers.sgd({
        learningRate: cosineDecay({ initialLearningRate: 0, decaySteps: 9, warmupTarget: 0.1, warmupSteps: 4 }),
      });
    },
  ],
])("training resumed from a saved model is training never interrupted, bit for bit: %s", async (_, optimizer) => {
  const [whole, first] = [compiledNet(5, optimizer()), compiledNet(5, optimizer())];
  const seeded = { ...options, seed: 3 };
  const all = await whole.fit(x, y, { ...seeded, epochs: 4 });
  await first.fit(x, y, { ...seeded, epochs: 2 });
  const loaded = await loadModel(await first.toBytes());
  expect(loaded.optimizer!.iterations).toBe(6);
  const rest = await loaded.fit(x, y, { ...seeded, initialEpoch: 2, epochs: 4 });
  expect(rest.history.loss).toEqual(all.history.loss!.slice(2));
  expect(loaded.getWeights()).toEqual(whole.getWeights());
});

test("a file gives back names, config, weights, loss and metrics, and leaves nothing else behind", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lenet-model-"));
  try {
    const model = compiledNet();
    await model.fit(x, y, options);
    const path = join(folder, "small.h5");
    await model.save(path);
    await model.save(path);
    expect(readdirSync(folder)).toEqual(["small.h5"]);
    const loaded = await loadModel(path);
    expect(loaded.getWeights()).toEqual(model.getWeights());
    expect(await loaded.evaluate(x, y, options)).toEqual(await model.evaluate(x, y, options));
    const table = (of: Sequential) => {
      const printed: string[] = [];
      of.summary({ print: (text) => void printed.push(text) });
      return printed;
    };
    expect(table(loaded)).toEqual(table(model));
    const bare = await loadModel(path, { compile: false });
    expect(bare.optimizer).toBeUndefined();
    expect(await bare.predict(x, options)).toEqual(await model.predict(x, options));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.each([
  ["a/b", "x"],
  ["über", "第一"],
  ["sequential", "kernel:0"],
  ["m".repeat(300), "x".repeat(300)],
])("a model named %s with a layer named %s comes back", async (name, layer) => {
  const model = new Sequential([layers.input({ shape: [4] }), layers.dense({ units: 3, name: layer })], { name });
  model.compile({ loss: "categorical_crossentropy" });
  await model.trainOnBatch(new NDArray(Float32Array.of(1, 2, 3, 4), [1, 4]), y.slice(0, 1), { threads: 1 });
  const loaded = await loadModel(await model.toBytes());
  expect(loaded.name).toBe(name);
  expect(loaded.getWeights()).toEqual(model.getWeights());
  expect(loaded.optimizer!.iterations).toBe(1);
});

test("layers with every option come back", async () => {
  const model = new Sequential(
    [
      layers.input({ shape: [7, 6, 2], name: "picture" }),
      layers.conv2d({ filters: 3, kernelSize: [2, 3], strides: [1, 2], padding: "same", useBias: false, name: "a" }),
      layers.activation({ activation: "tanh" }),
      layers.maxPooling2d({ poolSize: [3, 2], strides: [2, 1], padding: "same" }),
      layers.flatten(),
      layers.dense({ units: 4, activation: "sigmoid", kernelInitializer: "heNormal", biasInitializer: "ones" }),
      layers.dense({ units: 3 }),
    ],
    { name: "odd", seed: 1 },
  );
  const loaded = await loadModel(await model.toBytes());
  const inputs = new NDArray(
    Float32Array.from({ length: 5 * 84 }, (_, i) => Math.sin(i)),
    [5, 7, 6, 2],
  );
  expect(loaded.name).toBe("odd");
  expect(await loaded.predict(inputs, options)).toEqual(await model.predict(inputs, options));
});
