/** What is made of weights beforehand, such as transformed kernels, follows them. */
import { expect, test } from "vitest";
import { layers, NDArray, Sequential } from "../src/index.ts";
import { filteringOf } from "../src/kernels/conv2d.ts";
import { randomData } from "./helpers/kernels.ts";

/** A convolution that is filtered, and one behind it. */
function build(): Sequential {
  const model = new Sequential([
    layers.input({ shape: [14, 14, 2] }),
    layers.conv2d({ filters: 8, kernelSize: 5, padding: "same", activation: "relu" }),
    layers.conv2d({ filters: 8, kernelSize: 3, padding: "same", activation: "relu" }),
    layers.flatten(),
    layers.dense({ units: 3, activation: "softmax" }),
  ]);
  model.compile({ optimizer: "sgd", loss: "sparseCategoricalCrossentropy", metrics: ["accuracy"] });
  return model;
}

const x = new NDArray(randomData(6 * 14 * 14 * 2, 1), [6, 14, 14, 2]);
const y = new NDArray(Int32Array.from([0, 1, 2, 0, 1, 2]), [6]);

/** What the model gives now, and what a new one with its weights gives. */
async function expectPresent(model: Sequential): Promise<void> {
  const twin = build();
  twin.setWeights(model.getWeights());
  const { loss } = await model.evaluate(x, y);
  const predicted = await model.predict(x);
  expect(predicted).toEqual(await twin.predict(x));
  expect(loss).toBe((await twin.evaluate(x, y)).loss);
}

const otherWeights = (model: Sequential, seed: number) =>
  model.getWeights().map(
    ({ data, shape }, i) =>
      new NDArray(
        randomData(data.length, seed + i).map((v) => v / 10),
        shape,
      ),
  );

test("predictions and evaluations are those of the present weights", async () => {
  const types = [
    { shape: [14, 14, 2], batched: true, dtype: "float32" },
    { shape: [5, 5, 2, 8], batched: false, dtype: "float32" },
  ] as const;
  expect(filteringOf({ strides: [1, 1], padding: [2, 2, 2, 2] }, ...types)).toBeDefined();
  const model = build();
  await model.predict(x);
  model.setWeights(otherWeights(model, 10));
  await expectPresent(model);
  await model.fit(x, y, { epochs: 2, batchSize: 4 });
  await expectPresent(model);
  await model.trainOnBatch(x, y);
  await expectPresent(model);
  model.layers[0]!.setWeights(otherWeights(model, 20).slice(0, 2));
  await expectPresent(model);
  for (const layer of model.layers) layer.trainable = layer === model.layers.at(-1);
  model.compile({ optimizer: "sgd", loss: "sparseCategoricalCrossentropy", metrics: ["accuracy"] });
  await model.fit(x, y, { epochs: 1 });
  await expectPresent(model);
  model.setWeights(otherWeights(model, 30));
  await expectPresent(model);
});
