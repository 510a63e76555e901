/** Layers that are frozen: what fine-tuning a loaded network needs. */
import { expect, test } from "vitest";
import { layers, loadModel, NDArray, Sequential } from "../src/index.ts";

function frozenNetwork(optimizer: string, all = false): Sequential {
  const model = new Sequential(
    [
      layers.input({ shape: [6, 6, 1] }),
      layers.conv2d({ filters: 2, kernelSize: 3, activation: "relu", trainable: !all }),
      layers.conv2d({ filters: 3, kernelSize: 3, activation: "relu", trainable: false }),
      layers.flatten(),
      layers.dense({ units: 3, activation: "softmax", trainable: !all }),
    ],
    { seed: 3 },
  );
  model.compile({ loss: "categorical_crossentropy", optimizer });
  return model;
}

const x = new NDArray(
  Float32Array.from({ length: 8 * 36 }, (_, i) => ((i * 37) % 101) / 50 - 1),
  [8, 6, 6, 1],
);
const y = new NDArray(
  Float32Array.from({ length: 24 }, (_, i) => Number(i % 3 === Math.floor(i / 3) % 3)),
  [8, 3],
);

test("training leaves frozen layers as they are, and gradients go through them", async () => {
  const model = frozenNetwork("adam");
  const before = model.getWeights();
  await model.fit(x, y, { epochs: 2, batchSize: 4, threads: 1 });
  const changed = model.getWeights().map(({ data }, i) => data.some((value, j) => value !== before[i]!.data[j]));
  expect(changed).toEqual([true, true, false, false, true, true]);
});

test("a model that is frozen as a whole has a loss and keeps its weights", async () => {
  const model = frozenNetwork("sgd", true);
  const before = model.getWeights();
  const { loss } = await model.evaluate(x, y, { threads: 1 });
  expect((await model.trainOnBatch(x, y, { threads: 1 })).loss).toBeCloseTo(loss!, 5);
  expect(model.getWeights()).toEqual(before);
});

test("frozen layers stay so in a file, with the optimizer's state of the others", async () => {
  const model = frozenNetwork("adam");
  await model.trainOnBatch(x, y, { threads: 1 });
  const loaded = await loadModel(await model.toBytes());
  await model.trainOnBatch(x, y, { threads: 1 });
  await loaded.trainOnBatch(x, y, { threads: 1 });
  expect(loaded.getWeights()).toEqual(model.getWeights());
});

test("the summary counts frozen weights as not trainable", () => {
  let table = "";
  frozenNetwork("adam").summary({
    print: (text) => {
      table = text;
    },
  });
  expect(table).toContain("Total params: 116 (464.00 B)");
  expect(table).toContain("Trainable params: 59 (236.00 B)");
  expect(table).toContain("Non-trainable params: 57 (228.00 B)");
});
