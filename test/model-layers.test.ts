/** The layers of a model, one by one: what fine-tuning a loaded network needs. */
import { describe, expect, test } from "vitest";
import { layers, loadModel, NDArray, Sequential, UserError } from "../src/index.ts";
import { compiledNet, images, smallNet } from "./helpers/models.ts";

const { x, y } = images(20);

test("layers are there by place and by name, without the input", () => {
  const model = smallNet();
  const names = ["conv2d", "max_pooling2d", "conv2d_1", "flatten", "dense", "dense_1"];
  expect(model.layers.map(({ name }) => name)).toEqual(names);
  expect(model.layers.at(-1)).toMatchObject({ className: "Dense", outputShape: [3], trainable: true });
  expect(model.getLayer("conv2d_1").getWeights()).toEqual(model.getWeights().slice(2, 4));
  expect(() => model.getLayer("dense_2")).toThrow(
    new UserError(
      'the model has no layer "dense_2"; it has input_layer, conv2d, max_pooling2d, conv2d_1, flatten, dense, dense_1.',
    ),
  );
});

test("a layer's weights are set", () => {
  const model = smallNet();
  const before = model.getWeights();
  const layer = model.getLayer("dense_1");
  const [kernel, bias] = layer.getWeights();
  const ones = new NDArray(new Float32Array(kernel!.size).fill(1), kernel!.shape);
  layer.setWeights([ones, bias!]);
  expect(model.getWeights()).toEqual([...before.slice(0, -2), ones, bias]);
  expect(() => layer.setWeights([ones])).toThrow(new UserError('setWeights: layer "dense_1" has 2 weights, got 1.'));
});

describe("a trained model with another head", () => {
  const batch = { threads: 1, batchSize: 10, epochs: 2, shuffle: false };

  async function withNewHead(): Promise<Sequential> {
    const base = compiledNet(3);
    await base.fit(x, y, batch);
    const model = await loadModel(await base.toBytes());
    model.pop();
    for (const layer of model.layers) layer.trainable = false;
    model.add(layers.dense({ units: 4, activation: "softmax", name: "head" }));
    return model;
  }

  const targets = new NDArray(
    Float32Array.from({ length: 80 }, (_, i) => Number(i % 4 === Math.floor(i / 4) % 4)),
    [20, 4],
  );

  test("trains the head alone, and the rest once it is thawed", async () => {
    const model = await withNewHead();
    await expect(model.fit(x, targets, batch)).rejects.toThrow("the model is not compiled; call model.compile");
    model.compile({ loss: "categorical_crossentropy", optimizer: "adam" });
    const changesIn = async () => {
      const before = model.getWeights();
      await model.fit(x, targets, batch);
      return model.getWeights().map(({ data }, i) => data.some((value, j) => value !== before[i]!.data[j]));
    };
    expect(await changesIn()).toEqual([false, false, false, false, false, false, true, true]);
    model.getLayer("conv2d_1").trainable = true;
    model.compile({ loss: "categorical_crossentropy", optimizer: "adam" });
    expect(await changesIn()).toEqual([false, false, true, true, false, false, true, true]);
    const loaded = await loadModel(await model.toBytes());
    const frozen = loaded.layers.filter(({ trainable }) => !trainable).map(({ name }) => name);
    expect(frozen).toEqual(["conv2d", "max_pooling2d", "flatten", "dense"]);
    await model.fit(x, targets, batch);
    await loaded.fit(x, targets, batch);
    expect(loaded.getWeights()).toEqual(model.getWeights());
  });

  test("computes what the parts compute", async () => {
    const base = compiledNet(3);
    await base.fit(x, y, batch);
    const features = base.getWeights().slice(0, -2);
    const model = await withNewHead();
    expect(model.getWeights().slice(0, -2)).toEqual(features);
    const fresh = new Sequential([
      layers.input({ shape: [6, 6, 1] }),
      layers.conv2d({ filters: 4, kernelSize: 3, padding: "same", activation: "relu" }),
      layers.maxPooling2d(),
      layers.conv2d({ filters: 5, kernelSize: 2, activation: "relu" }),
      layers.flatten(),
      layers.dense({ units: 9, activation: "relu" }),
      layers.dense({ units: 4, activation: "softmax" }),
    ]);
    fresh.setWeights(model.getWeights());
    expect(await model.predict(x, { threads: 1 })).toEqual(await fresh.predict(x, { threads: 1 }));
  });
});

test("a frozen batch normalization uses its moving averages, a thawed one the batch", async () => {
  const build = (trainable: boolean) => {
    const normalization = layers.batchNormalization({ trainable, momentum: 0.5 });
    const model = new Sequential(
      [layers.input({ shape: [6, 6, 1] }), normalization, layers.flatten(), layers.dense({ units: 3 })],
      { seed: 1 },
    );
    model.getLayer("batch_normalization").trainable = !trainable;
    model.compile({ loss: "mse", optimizer: "sgd" });
    return model;
  };
  const movingMean = async (model: Sequential) => {
    await model.trainOnBatch(x, y, { threads: 1 });
    return model.getLayer("batch_normalization").getWeights()[2]!.data[0];
  };
  expect(await movingMean(build(true))).toBe(0);
  expect(await movingMean(build(false))).not.toBe(0);
});

test("what cannot be changed is refused", async () => {
  const model = compiledNet();
  const layer = model.getLayer("conv2d");
  expect(() => {
    layer.trainable = 1 as never;
  }).toThrow(new UserError('layer "conv2d": trainable must be true or false, got 1.'));
  const running = model.fit(x, y, { threads: 1 });
  expect(() => {
    layer.trainable = false;
  }).toThrow(/^trainable: the model is being trained/);
  expect(() => model.pop()).toThrow(/^pop: the model is being trained/);
  await running;
  // Nothing has changed, so that nothing has to be compiled.
  layer.trainable = true;
  await model.trainOnBatch(x, y, { threads: 1 });
  const last = model.layers.at(-1)!;
  model.pop();
  expect(() => last.trainable).toThrow(UserError);
  for (let rest = model.layers.length; rest > 0; rest--) model.pop();
  expect(() => model.pop()).toThrow(/^pop: the model has no layers/);
});
