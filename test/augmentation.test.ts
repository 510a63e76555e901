/** Random layers in a model: what they do depends on seeds and steps, on nothing else, and only training meets them. */
import { describe, expect, test } from "vitest";
import { type Layer, layers, loadModel, NDArray, Sequential } from "../src/index.ts";
import { images } from "./helpers/models.ts";

const { x, y } = images(20);

const random = (): Layer[] => [
  layers.randomTranslation({ heightFactor: 0.2, widthFactor: 0.2, fillMode: "constant" }),
  layers.randomRotation({ factor: 0.1 }),
];

/** Random layers first, where nobody asks for their gradient, and behind weights. */
function net(seed: number, augmented = true): Sequential {
  const model = new Sequential(
    [
      layers.input({ shape: [6, 6, 1] }),
      ...(augmented ? random() : []),
      layers.conv2d({ filters: 5, kernelSize: 3, activation: "relu" }),
      ...(augmented ? [layers.randomZoom({ heightFactor: 0.3, widthFactor: 0.3, fillMode: "nearest" })] : []),
      layers.flatten(),
      layers.dense({ units: 3, activation: "softmax" }),
    ],
    { seed },
  );
  model.compile({ loss: "categorical_crossentropy", optimizer: "adam", metrics: ["accuracy"] });
  return model;
}

const options = { batchSize: 8, shuffle: false, threads: 1 };
const losses = async (model: Sequential) => (await model.fit(x, y, { ...options, epochs: 2 })).history.loss!;

describe("the same seed moves images the same way", () => {
  test("with any number of threads", async () => {
    const trained = async (threads: number) => {
      const model = net(1);
      return { history: await model.fit(x, y, { ...options, epochs: 2, threads }), weights: model.getWeights() };
    };
    const single = await trained(1);
    for (const threads of [2, 3]) expect(await trained(threads)).toEqual(single);
  });

  test("and another seed otherwise", async () => {
    const weights = net(1).getWeights();
    const lossesWith = async (seed: number) => {
      const model = net(seed);
      model.setWeights(weights);
      return losses(model);
    };
    const expected = await lossesWith(1);
    expect(await lossesWith(1)).toEqual(expected);
    expect(await lossesWith(2)).not.toEqual(expected);
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

test("each step and each image of a batch is moved otherwise", async () => {
  const model = new Sequential([
    layers.input({ shape: [6, 6, 1] }),
    ...random(),
    layers.flatten(),
    layers.dense({ units: 3, activation: "softmax" }),
  ]);
  model.compile({ loss: "categorical_crossentropy", optimizer: "sgd" });
  model.optimizer!.learningRate = 0;
  const [first, target] = [x.slice(0, 1), y.slice(0, 1)];
  const seen = new Set<number>();
  for (let step = 0; step < 5; step++) seen.add((await model.trainOnBatch(first, target, { threads: 1 })).loss!);
  expect(seen.size).toBe(5);
  // The same image twice: the mean of two losses is that of one only where both were moved alike.
  const twice = new NDArray(new Float32Array([...first.data, ...first.data]), [2, 6, 6, 1]);
  const targets = new NDArray(new Float32Array([...target.data, ...target.data]), [2, 3]);
  model.optimizer!.iterations = 0;
  const { loss } = await model.trainOnBatch(twice, targets, { threads: 1 });
  for (const single of seen) expect(loss).not.toBeCloseTo(single, 6);
});

test("predicting and evaluating move nothing", async () => {
  const model = net(1);
  const without = net(1, false);
  without.setWeights(model.getWeights());
  expect(await model.predict(x, { threads: 1 })).toEqual(await without.predict(x, { threads: 1 }));
  expect(await model.evaluate(x, y, { threads: 1 })).toEqual(await without.evaluate(x, y, { threads: 1 }));
});
