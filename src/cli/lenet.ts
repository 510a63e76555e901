/** The recipe: LeNet, and MNIST as it is trained on. */
import { resolve } from "node:path";
import { datasets, layers, type NDArray, Sequential, toCategorical } from "../index.ts";

const CLASSES = 10;

/** The recipe's network, not compiled. Its initial weights are a function of the seed. */
export function buildLeNet(conv2Padding: "same" | "valid", seed: number): Sequential {
  return new Sequential(
    [
      layers.input({ shape: [28, 28, 1] }),
      layers.conv2d({ filters: 20, kernelSize: 5, padding: "same", activation: "relu" }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.conv2d({ filters: 50, kernelSize: 5, padding: conv2Padding, activation: "relu" }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.flatten(),
      layers.dense({ units: 500, activation: "relu" }),
      layers.dense({ units: CLASSES, activation: "softmax" }),
    ],
    { seed },
  );
}

/** Images as the recipe feeds them: (n, 28, 28, 1), 0 to 1. */
export function scaleImages(images: NDArray): NDArray<"float32"> {
  return images.reshape([-1, 28, 28, 1]).divide(255);
}

export interface Samples {
  readonly x: NDArray<"float32">;
  /** One-hot labels, (n, 10). */
  readonly y: NDArray<"float32">;
}

export interface Mnist {
  readonly train: Samples;
  readonly test: Samples;
}

/**
 * Loads and prepares MNIST.
 *
 * @param data `mnist`, the data set that comes with the package, or a folder with the four IDX files
 * @throws UserError when the folder or one of its files is missing or damaged
 */
export async function loadMnist(data: string): Promise<Mnist> {
  const options = data === "mnist" ? {} : { directory: resolve(data) };
  const [[xTrain, yTrain], [xTest, yTest]] = await datasets.mnist.loadData(options);
  const prepare = (x: NDArray, y: NDArray): Samples => ({ x: scaleImages(x), y: toCategorical(y, CLASSES) });
  return { train: prepare(xTrain, yTrain), test: prepare(xTest, yTest) };
}
