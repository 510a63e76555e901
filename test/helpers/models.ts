/** Small models and data for tests of the whole library. */
import { layers, NDArray, optimizers, Sequential } from "../../src/index.ts";
import { randomData } from "./kernels.ts";

const SHAPE = [6, 6, 1];
const CLASSES = 3;

/** Images of 6x6 in three classes that can be learnt: each class is bright in columns of its own. */
export function images(count: number, seed = 1) {
  const x = new NDArray<"float32">(randomData(count * 36, seed, 0), [count, ...SHAPE]);
  const y = new NDArray<"float32">(new Float32Array(count * CLASSES), [count, CLASSES]);
  const labels = new NDArray<"int32">(new Int32Array(count), [count]);
  for (let n = 0; n < count; n++) {
    const label = (n * 5 + seed) % CLASSES;
    labels.data[n] = label;
    y.data[n * CLASSES + label] = 1;
    for (let row = 0; row < 6; row++) for (const column of [0, 1]) x.data[n * 36 + row * 6 + 2 * label + column]! += 1;
  }
  return { x, y, labels, dataset: [x, y] as const };
}

/** A LeNet in small: convolution, pooling, two dense layers. */
export function smallNet(seed = 5): Sequential {
  return new Sequential(
    [
      layers.input({ shape: SHAPE }),
      layers.conv2d({ filters: 4, kernelSize: 3, padding: "same", activation: "relu" }),
      layers.maxPooling2d(),
      layers.conv2d({ filters: 5, kernelSize: 2, activation: "relu" }),
      layers.flatten(),
      layers.dense({ units: 9, activation: "relu" }),
      layers.dense({ units: CLASSES, activation: "softmax" }),
    ],
    { seed },
  );
}

/** The same, ready to be trained. */
export function compiledNet(seed?: number, optimizer = optimizers.adam({ learningRate: 0.01 })): Sequential {
  const model = smallNet(seed);
  model.compile({ loss: "categorical_crossentropy", optimizer, metrics: ["accuracy"] });
  return model;
}

/** Rows of an array in another order. */
export function rowsOf(array: NDArray<"float32">, order: ArrayLike<number>): NDArray<"float32"> {
  const row = array.size / array.length;
  const data = new Float32Array(order.length * row);
  for (let i = 0; i < order.length; i++) data.set(array.slice(order[i]!, order[i]! + 1).data, i * row);
  return new NDArray(data, [order.length, ...array.shape.slice(1)]);
}
