/** Dropout in a model: what it drops depends on seeds and steps, on nothing else. */
import { describe, expect, test } from "vitest";
import { layers, loadModel, NDArray, Sequential } from "../src/index.ts";
import { images } from "./helpers/models.ts";

const { x, y } = images(20);

function net(seed: number, own?: number): Sequential {
  const model = new Sequential(
    [
      layers.input({ shape: [6, 6, 1] }),
      layers.conv2d({ filters: 4, kernelSize: 3, activation: "relu" }),
      layers.dropout({ rate: 0.25, ...(own !== undefined && { seed: own }) }),
      layers.flatten(),
      layers.dropout({ rate: 0.5, name: "second" }),
      layers.dense({ units: 3, activation: "softmax" }),
    ],
    { seed },
  );
  model.compile({ loss: "categorical_crossentropy", optimizer: "adam" });
  return model;
}

const options = { batchSize: 8, shuffle: false, threads: 1 };
const losses = async (model: Sequential) => (await model.fit(x, y, { ...options, epochs: 2 })).history.loss!;

describe("the same seed drops the same", () => {
  test("with any number of threads", async () => {
    const trained = async (threads: number) => {
      const model = net(1);
      return { history: await model.fit(x, y, { ...options, epochs: 2, threads }), weights: model.getWeights() };
    };
    const single = await trained(1);
    for (const threads of [2, 3, 4]) expect(await trained(threads)).toEqual(single);
  });

  test("and another seed, the model's or the layer's own, drops otherwise", async () => {
    const weights = net(1).getWeights();
    const lossesWith = async (seed: number, own?: number) => {
      const model = net(seed, own);
      model.setWeights(weights);
      return losses(model);
    };
    const expected = await lossesWith(1);
    expect(await lossesWith(1)).toEqual(expected);
    expect(await lossesWith(2)).not.toEqual(expected);
    expect(await lossesWith(1, 5)).not.toEqual(expected);
    expect(await lossesWith(1, 6)).not.toEqual(await lossesWith(1, 5));
  });

  test("in a model that was saved in the midst of training and loaded again", async () => {
    const [whole, half] = [net(1), net(1)];
    await losses(whole);
    await losses(half);
    const resumed = await loadModel(await half.toBytes());
    expect(await losses(resumed)).toEqual(await losses(whole));
    expect(resumed.getWeights()).toEqual(whole.getWeights());
  });
});

test("each step drops otherwise, and layers drop independently", async () => {
  // Ones go through dropout alone; the loss of a sample tells which of its outputs were dropped.
  const model = new Sequential([
    layers.input({ shape: [6, 6, 1] }),
    layers.dropout({ rate: 0.5 }),
    layers.flatten(),
    layers.dense({ units: 3, kernelInitializer: "heNormal" }),
    layers.activation({ activation: "softmax" }),
  ]);
  model.compile({ loss: "categorical_crossentropy", optimizer: "sgd" });
  model.optimizer!.learningRate = 0;
  const ones = new NDArray(new Float32Array(x.size).fill(1), x.shape);
  const seen = new Set<number>();
  for (let step = 0; step < 5; step++) seen.add((await model.trainOnBatch(ones, y, { threads: 1 })).loss!);
  expect(seen.size).toBe(5);
  const seeds = net(1).placed.map(({ layer }) => layer.getConfig().seed);
  expect(new Set(seeds.filter((seed) => seed !== undefined)).size).toBe(2);
});

test("predicting and evaluating drop nothing", async () => {
  const model = net(1);
  const without = new Sequential([
    layers.input({ shape: [6, 6, 1] }),
    layers.conv2d({ filters: 4, kernelSize: 3, activation: "relu" }),
    layers.flatten(),
    layers.dense({ units: 3, activation: "softmax" }),
  ]);
  without.compile({ loss: "categorical_crossentropy" });
  without.setWeights(model.getWeights());
  expect(await model.predict(x, { threads: 1 })).toEqual(await without.predict(x, { threads: 1 }));
  expect(await model.evaluate(x, y, { threads: 1 })).toEqual(await without.evaluate(x, y, { threads: 1 }));
});
