/** What is saved and loaded again goes on as if nothing had been. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type FitOptions, layers, loadModel, NDArray, optimizers, Sequential, UserError } from "../src/index.ts";
import { compiledNet, images } from "./helpers/models.ts";

const { x, y } = images(22);
const formats = ["h5", "keras"] as const;
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
  for (const format of formats) {
    const loaded = await loadModel(await first.toBytes({ format }));
    expect(loaded.optimizer!.iterations).toBe(6);
    const rest = await loaded.fit(x, y, { ...seeded, initialEpoch: 2, epochs: 4 });
    expect(rest.history.loss).toEqual(all.history.loss!.slice(2));
    expect(loaded.getWeights()).toEqual(whole.getWeights());
  }
});

test.each(formats)(
  "a .%s file gives back names, config, weights, loss and metrics, and leaves nothing else behind",
  async (format) => {
    const folder = mkdtempSync(join(tmpdir(), "lenet-model-"));
    try {
      const model = compiledNet();
      await model.fit(x, y, options);
      const path = join(folder, `small.${format}`);
      await model.save(path);
      await model.save(path);
      expect(readdirSync(folder)).toEqual([`small.${format}`]);
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
  },
);

test.each([
  ["a/b", "x"],
  ["über", "第一"],
  ["sequential", "kernel:0"],
  ["m".repeat(300), "x".repeat(300)],
])("a model named %s with a layer named %s comes back", async (name, layer) => {
  const model = new Sequential([layers.input({ shape: [4] }), layers.dense({ units: 3, name: layer })], { name });
  model.compile({ loss: "categorical_crossentropy" });
  await model.trainOnBatch(new NDArray(Float32Array.of(1, 2, 3, 4), [1, 4]), y.slice(0, 1), { threads: 1 });
  for (const format of formats) {
    const loaded = await loadModel(await model.toBytes({ format }));
    expect(loaded.name).toBe(name);
    expect(loaded.getWeights()).toEqual(model.getWeights());
    expect(loaded.optimizer!.iterations).toBe(1);
  }
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
  const inputs = new NDArray(
    Float32Array.from({ length: 5 * 84 }, (_, i) => Math.sin(i)),
    [5, 7, 6, 2],
  );
  for (const format of formats) {
    const loaded = await loadModel(await model.toBytes({ format }));
    expect(loaded.name).toBe("odd");
    expect(await loaded.predict(inputs, options)).toEqual(await model.predict(inputs, options));
  }
});

test("weights alone go from model to model, by layer's class, whatever the file", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lenet-weights-"));
  try {
    const [model, other] = [compiledNet(1), compiledNet(2)];
    await model.fit(x, y, options);
    const first = other.getWeights();
    expect(first).not.toEqual(model.getWeights());
    const path = join(folder, "small.weights.h5");
    await model.saveWeights(path);
    for (const source of [path, await model.toBytes(), await model.toBytes({ format: "keras" })]) {
      other.setWeights(first);
      await other.loadWeights(source);
      expect(other.getWeights()).toEqual(model.getWeights());
      expect(other.optimizer!.iterations).toBe(0);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("the same model makes the same bytes", async () => {
  for (const format of formats) {
    const [one, other] = [await compiledNet(3).toBytes({ format }), await compiledNet(3).toBytes({ format })];
    expect(Buffer.compare(one, other)).toBe(0);
  }
});

const net = (units: number) => new Sequential([layers.input({ shape: [4] }), layers.dense({ units })]);

test.each<[string, () => Promise<unknown>, string]>([
  ["an ending", () => net(2).save("a.pkl"), 'save: expected a file name that ends in .keras or .h5, got "a.pkl".'],
  [
    "weights' ending for a model",
    () => net(2).save("a.weights.h5"),
    'save: "a.weights.h5" is a name for weights alone; use saveWeights, or another ending.',
  ],
  [
    "a model's ending for weights",
    () => net(2).saveWeights("a.h5"),
    'saveWeights: expected a file name that ends in .weights.h5, got "a.h5".',
  ],
  [
    "a format",
    () => net(2).toBytes({ format: "onnx" as "h5" }),
    'toBytes: format must be one of "keras", "h5", got "onnx".',
  ],
  [
    "weights of other shapes",
    async () => net(2).loadWeights(await net(3).toBytes({ format: "keras" })),
    "loadWeights: layers/dense/vars/0 has shape (4, 3), the model's config asks for (4, 2).",
  ],
  [
    "weights of another number of layers",
    async () => new Sequential([layers.input({ shape: [4] }), layers.reLU()]).loadWeights(await net(3).toBytes()),
    "loadWeights: it has weights for 1 layers, the model has 0 layers with weights.",
  ],
])("%s that does not fit is refused", async (_, run, message) => {
  await expect(run()).rejects.toThrow(new UserError(message));
});
