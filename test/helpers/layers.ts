/**
 * The one harness that every layer goes through, case by case: the output shape, config, outputs and gradients of the
 * real Keras (`interop/make_layer_golden.py` writes them), the loss's slopes for gradients, saving and loading, the same
 * bits with one thread and several.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { NDArray, sizeOf } from "../../src/array.ts";
import { batchTensor, Graph, stateTensor } from "../../src/compiler/graph.ts";
import { type Layer, layers, loadModel, optimizers, Sequential } from "../../src/index.ts";
import { weightsOf } from "../../src/model/state.ts";

const CLASSES = 3;

/** Samples; as in the golden files. Two threads get unequal shares. */
const BATCH = 3;

/** Steps of 2^-9: weights of size 1 take them exactly, and a loss near 1 (error 1e-7) still gives slopes to 6e-5. */
const STEP = 2 ** -9;

/** The 6e-5 above, five times over for what rounds on the way through the network. */
const SLOPE_TOLERANCE = 3e-4;

/** What Keras says of a layer. Shapes are those of one sample. */
interface Golden {
  readonly input: readonly number[];
  readonly output: readonly number[];
  readonly config: unknown;
  /** The layer's output in inference. */
  readonly values: readonly number[];
  /** What a step takes from each weight before the last layer; none where the layer draws random numbers. */
  readonly changes?: readonly (readonly number[])[];
}

interface LayerCase {
  readonly layer: Layer;
  readonly golden: Golden;
}

/**
 * Declares the tests of a layer, for each of its cases: name → the layer made with the options of the case of that name in
 * `interop/make_layer_golden.py`.
 */
export function describeLayer(factory: string, cases: Readonly<Record<string, Layer>>): void {
  const file = new URL(`../golden/layers/${factory}.json`, import.meta.url);
  const golden = JSON.parse(readFileSync(file, "utf8")) as Record<string, Golden>;
  test(`${factory} has the cases that Keras computed`, () => expect(Object.keys(cases)).toEqual(Object.keys(golden)));
  describe.each(Object.entries(cases))(`${factory}: %s`, (name, layer) => {
    const layerCase = { layer, golden: golden[name]! };
    test("has the output shape of Keras", () => expectOutputShape(layerCase));
    test("has the config of Keras", () => expect(plainConfig(layer.getConfig())).toEqual(layerCase.golden.config));
    // One inference and one training with one thread for all that ask: to compile takes longer than to compute.
    let inferred: ReturnType<typeof inference> | undefined;
    const onceInferred = () => {
      inferred ??= inference(layerCase);
      return inferred;
    };
    test("computes what Keras computes", async () => expectValues(await onceInferred(), layerCase));
    test("is saved and loaded", async () => expectSavedAndLoaded(await onceInferred(), layerCase));
    let single: ReturnType<typeof trainedStep> | undefined;
    const onOneThread = () => {
      single ??= trainedStep(layerCase, 1);
      return single;
    };
    if (layerCase.golden.changes) {
      test("has Keras's gradients", async () => expectChanges(await onOneThread(), layerCase));
    }
    test("has the loss's slopes for gradients", async () => expectNumericGradients(await onOneThread(), layerCase));
    test("gives the same bits with 1 and 2 threads", async () => expectSameStep(await onOneThread(), layerCase));
  });
}

/** `numbers` of make_layer_golden.py: multiples of 1/128 from -1 to 1. */
function numbers(shape: readonly number[], seed: number): NDArray<"float32"> {
  const data = new Float32Array(sizeOf(shape));
  const start = Math.imul(seed, 374_761_393);
  for (let i = 0; i < data.length; i++) {
    const mixed = Math.imul(i + 1, 2_654_435_761) + start;
    data[i] = (Math.imul(mixed ^ (mixed >>> 15), 2_246_822_519) >>> 24) / 128 - 1;
  }
  return new NDArray(data, shape);
}

function samplesOf(shape: readonly number[]) {
  const count = BATCH;
  const y = new NDArray(new Float32Array(count * CLASSES), [count, CLASSES]);
  for (let n = 0; n < count; n++) y.data[n * CLASSES + ((n * 7 + 1) % CLASSES)] = 1;
  return { x: numbers([count, ...shape], 0), y };
}

/** The layer with a layer of weights before it, and where `whole` layers that make classes behind it; weights as in Keras. */
function networkAround({ layer, golden: { input } }: LayerCase, whole = true): Sequential {
  const before =
    input.length === 3
      ? layers.conv2d({ filters: input[2]!, kernelSize: 2, padding: "same" })
      : layers.dense({ units: sizeOf(input) });
  const after = [layers.flatten(), layers.dense({ units: CLASSES, activation: "softmax" })];
  const model = new Sequential([layers.input({ shape: input }), before, layer, ...(whole ? after : [])], { seed: 11 });
  const names = model.placed.flatMap(({ weights }) => weights.map(({ name }) => name));
  const values = model.getWeights().map(({ shape }, index) => {
    const value = numbers(shape, index + 1);
    const isVariance = names[index]!.includes("variance");
    value.data.forEach((number, i) => {
      value.data[i] = isVariance ? Math.abs(number / 2) + 0.5 : number / 2;
    });
    return value;
  });
  model.setWeights(values);
  return model;
}

/** The shape rule gives Keras's shape, and is what the layer's ops really give. */
function expectOutputShape({ layer, golden: { input, output } }: LayerCase): void {
  expect(layer.outputShape(input, "layer")).toEqual(output);
  const weights = layer.weights(input).map(({ name, shape }) => stateTensor(name, shape));
  const lowered = layer.lower(new Graph(), batchTensor("x", input), weights, stateTensor("step", [1], "int32"));
  expect(lowered).toMatchObject({ shape: output, batched: true, dtype: "float32" });
}

/** A config less what is null, which is Keras's default, and where Keras keeps a class. */
function plainConfig(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const kept = Object.entries(value).filter(
    ([key, item]) => item !== null && key !== "module" && key !== "registered_name",
  );
  return Object.fromEntries(kept.map(([key, item]) => [key, plainConfig(item)]));
}

/** Within 1e-4 of what is expected, and within 1e-5 of the largest where it is small. */
function expectNear(found: ArrayLike<number>, expected: readonly number[], what: string): void {
  expect(found.length, what).toBe(expected.length);
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  for (const [i, value] of expected.entries()) {
    // Gradients are differences of weights below 1, which are rounded to 6e-8.
    const tolerance = 1e-4 * Math.abs(value) + 1e-5 * largest + 2e-7;
    if (!(Math.abs(found[i]! - value) <= tolerance)) {
      expect.fail(`${what}, element ${i} of ${expected.length}: got ${found[i]}, Keras has ${value}`);
    }
  }
}

/** The outputs of the layer, without what makes classes of them. */
async function inference(layerCase: LayerCase) {
  const model = networkAround(layerCase, false);
  return { model, outputs: await model.predict(samplesOf(layerCase.golden.input).x, { threads: 1 }) };
}

type Inference = Awaited<ReturnType<typeof inference>>;

function expectValues({ outputs }: Inference, { golden }: LayerCase): void {
  expect(outputs.shape).toEqual([BATCH, ...golden.output]);
  expectNear(outputs.data, golden.values, "output");
}

/** One step of plain gradient descent with rate 1, which tells the gradient: weights before less weights after. */
async function trainedStep(layerCase: LayerCase, threads: number) {
  const model = networkAround(layerCase);
  const optimizer = optimizers.sgd({ learningRate: 1 });
  model.compile({ loss: "categorical_crossentropy", optimizer });
  const { x, y } = samplesOf(layerCase.golden.input);
  const before = model.getWeights();
  const { loss } = await model.trainOnBatch(x, y, { threads });
  const after = model.getWeights();
  const outputs = await model.predict(x, { threads });
  return { model, optimizer, before, loss, after, outputs };
}

type Step = Awaited<ReturnType<typeof trainedStep>>;

function expectChanges({ before, after }: Step, { golden }: LayerCase): void {
  for (const [index, change] of golden.changes!.entries()) {
    const found = before[index]!.data.map((value, i) => value - after[index]!.data[i]!);
    expectNear(found, change, `gradient of weight ${index}`);
  }
}

/**
 * The gradients of the layer's weights and of those before it against central differences of the loss in training, at the
 * first step. A step with rate 0 tells the loss.
 *
 * Where a ReLU or a maximum changes sides between two losses, the central difference is off by exactly half the second
 * difference over the step: so much is added to the tolerance.
 */
async function expectNumericGradients(step: Step, { golden }: LayerCase): Promise<void> {
  const { model, optimizer, after } = step;
  const { x, y } = samplesOf(golden.input);
  const before = step.before.map(({ data, shape }) => new NDArray(data.slice(), shape));
  optimizer.learningRate = 0;
  const lossAt = async () => {
    model.setWeights(before);
    optimizer.iterations = 0;
    return (await model.trainOnBatch(x, y, { threads: 1 })).loss!;
  };
  const middle = await lossAt();
  let largest = 0;
  const parameters = weightsOf(model.placed, { trainable: true }).slice(0, -2);
  for (const [index, { data }] of before.entries()) {
    if (!parameters.includes(model.weights[index]!)) continue;
    for (let i = 0; i < data.length; i++) {
      const held = data[i]!;
      const gradient = held - after[index]!.data[i]!;
      data[i] = held + STEP;
      const above = await lossAt();
      data[i] = held - STEP;
      const below = await lossAt();
      data[i] = held;
      const expected = (above - below) / (2 * STEP);
      const kink = Math.abs(above + below - 2 * middle) / (2 * STEP);
      if (!(Math.abs(gradient - expected) <= SLOPE_TOLERANCE + kink)) {
        expect.fail(`weight ${index}, element ${i}: gradient ${gradient}, the loss's slope is ${expected} ± ${kink}`);
      }
      largest = Math.max(largest, Math.abs(gradient));
    }
  }
  // Else all would pass with gradients of zero.
  expect(largest).toBeGreaterThan(10 * SLOPE_TOLERANCE);
}

/** The file gives back a layer with the same config, and a model with the same outputs. */
async function expectSavedAndLoaded({ model, outputs }: Inference, { golden }: LayerCase): Promise<void> {
  const loaded = await loadModel(await model.toBytes());
  const configs = ({ placed }: Sequential) => placed.map(({ name, layer }) => ({ name, config: layer.getConfig() }));
  expect(configs(loaded)).toEqual(configs(model));
  expect(await loaded.predict(samplesOf(golden.input).x, { threads: 1 })).toEqual(outputs);
}

/** A step, and inference after it, leave the same bits whatever the number of threads. */
async function expectSameStep({ loss, after, outputs }: Step, layerCase: LayerCase): Promise<void> {
  const other = await trainedStep(layerCase, 2);
  expect({ loss: other.loss, after: other.after, outputs: other.outputs }).toEqual({ loss, after, outputs });
}
