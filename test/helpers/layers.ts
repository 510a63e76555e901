/** Holds a layer to its promises: output shape, Keras config, gradients, the same bits with any number of threads. */
import { expect } from "vitest";
import { NDArray, sizeOf } from "../../src/array.ts";
import { batchTensor, Graph, stateTensor } from "../../src/compiler/graph.ts";
import { layers, optimizers, Sequential } from "../../src/index.ts";
import type { Layer, LayerType } from "../../src/layers/layer.ts";
import { randomData } from "./kernels.ts";

const BATCH = 5;
const CLASSES = 3;

/** Steps of 2^-8: weights of size 1 take them exactly, and a loss near 1 (error 1e-7) still gives slopes to 3e-5. */
const STEP = 2 ** -8;

/** The 3e-5 above, ten times over for what rounds on the way through the network. */
const TOLERANCE = 3e-4;

export interface LayerCase {
  readonly layer: Layer;
  /** Shape of one sample. */
  readonly input: readonly number[];
  /** Shape that Keras gives for that input. */
  readonly output: readonly number[];
}

/** Samples and one-hot targets for a network of `CLASSES` outputs. */
export function samplesOf(shape: readonly number[], count = BATCH, classes = CLASSES) {
  const x = new NDArray(randomData(count * sizeOf(shape), 7), [count, ...shape]);
  const y = new NDArray(new Float32Array(count * classes), [count, classes]);
  for (let i = 0; i < count; i++) y.data[i * classes + ((i * 7 + 1) % classes)] = 1;
  return { x, y };
}

/** The layer with a layer of weights before it and behind it, so that its gradients go in and come out. */
export function networkAround({ layer, input }: LayerCase): Sequential {
  const bias = "glorotUniform";
  const before =
    input.length === 3
      ? layers.conv2d({ filters: input[2]!, kernelSize: 3, padding: "same", biasInitializer: bias })
      : layers.dense({ units: sizeOf(input), biasInitializer: bias });
  const after = [layers.flatten(), layers.dense({ units: CLASSES, activation: "softmax" })];
  return new Sequential([layers.input({ shape: input }), before, layer, ...after], { seed: 11 });
}

/** The shape rule gives Keras's shape, and is what the layer's ops really give. */
export function expectOutputShape({ layer, input, output }: LayerCase): void {
  expect(layer.outputShape(input, "layer")).toEqual(output);
  const weights = layer.weights(input).map(({ name, shape }) => stateTensor(name, shape));
  const lowered = layer.lower(new Graph(), batchTensor("x", input), weights, stateTensor("step", [1], "int32"));
  expect(lowered).toMatchObject({ shape: output, batched: true, dtype: "float32" });
}

/** layer → Keras config → JSON → options → layer: the same config, shapes and weights. */
export function expectConfigRoundTrip({ layer, input, output }: LayerCase): void {
  const type = Object.values(layers).find(({ className }) => className === layer.className) as unknown as LayerType<{
    name?: string;
  }>;
  const config = JSON.parse(JSON.stringify({ name: "again", trainable: true, ...layer.getConfig() }));
  const options = Object.entries(type.optionsOf(config)).filter(([, value]) => value !== undefined);
  const again = type(Object.fromEntries(options));
  expect(again.getConfig()).toEqual(layer.getConfig());
  expect(again.outputShape(input, "layer")).toEqual(output);
  const specs = (of: Layer) => of.weights(input).map(({ name, shape }) => ({ name, shape }));
  expect(specs(again)).toEqual(specs(layer));
}

/**
 * The gradient of every weight of the network against central differences of its loss in training, at the first step. A
 * step of plain gradient descent with rate 1 tells the gradient: weights before less weights after. One with rate 0 tells
 * the loss.
 *
 * Where a ReLU or a maximum changes sides between two losses, the central difference is off by exactly half the second
 * difference over the step: so much is added to the tolerance.
 */
export async function expectNumericGradients(model: Sequential, x: NDArray, y: NDArray): Promise<void> {
  const optimizer = optimizers.sgd({ learningRate: 1 });
  model.compile({ loss: "categorical_crossentropy", optimizer });
  const before = model.getWeights();
  await model.trainOnBatch(x, y, { threads: 1 });
  const after = model.getWeights();
  optimizer.learningRate = 0;
  const lossAt = async () => {
    model.setWeights(before);
    optimizer.iterations = 0;
    return (await model.trainOnBatch(x, y, { threads: 1 })).loss!;
  };
  const middle = await lossAt();
  let largest = 0;
  for (const [index, { data }] of before.entries()) {
    for (let i = 0; i < data.length; i++) {
      const held = data[i]!;
      const gradient = held - after[index]!.data[i]!;
      data[i] = held + STEP;
      const above = await lossAt();
      const up = data[i]! - held;
      data[i] = held - STEP;
      const below = await lossAt();
      const down = held - data[i]!;
      data[i] = held;
      const expected = (above - below) / (up + down);
      const kink = Math.abs(above + below - 2 * middle) / (up + down);
      if (!(Math.abs(gradient - expected) <= TOLERANCE + kink)) {
        expect.fail(`weight ${index}, element ${i}: gradient ${gradient}, the loss's slope is ${expected} ± ${kink}`);
      }
      largest = Math.max(largest, Math.abs(gradient));
    }
  }
  // Else all would pass with gradients of zero.
  expect(largest).toBeGreaterThan(30 * TOLERANCE);
}

/** Two steps of training leave the same bits whatever the number of threads. */
export async function expectSameBitsOnThreads(test: LayerCase): Promise<void> {
  const { x, y } = samplesOf(test.input);
  const trained = async (threads: number) => {
    const model = networkAround(test);
    model.compile({ loss: "categorical_crossentropy", optimizer: "adam" });
    const losses = [await model.trainOnBatch(x, y, { threads }), await model.trainOnBatch(x, y, { threads })];
    const outputs = await model.predict(x, { threads });
    return { losses, outputs, weights: model.getWeights() };
  };
  const single = await trained(1);
  for (const threads of [2, 3]) expect(await trained(threads)).toEqual(single);
}
