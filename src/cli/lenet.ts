/** The recipe: LeNet, and MNIST as it is trained on. */
import { resolve } from "node:path";
import { UserError } from "../errors.ts";
import { datasets, layers, type NDArray, type RunOptions, Sequential, toCategorical } from "../index.ts";

/** One a digit. */
export const CLASSES = 10;

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
  /** One-hot labels, (n, 10); for a model with a sparse loss the labels themselves, (n). */
  readonly y: NDArray;
}

export interface Mnist {
  readonly train: Samples;
  readonly test: Samples;
}

/**
 * Loads MNIST and prepares it for a model.
 *
 * @param data `mnist`, the data set that comes with the package, or a folder with the four IDX files
 * @throws UserError when the folder or one of its files is missing or damaged
 */
export async function loadMnist(data: string, model: Sequential): Promise<Mnist> {
  const options = data === "mnist" ? {} : { directory: resolve(data) };
  const [train, test] = await datasets.mnist.loadData(options);
  for (const [set, images, labels] of [
    ["train", ...train],
    ["t10k", ...test],
  ] as const) {
    checkDigits(`${data}/${set}`, images, labels);
  }
  const isSparse = model.compiled?.loss.sparse === true;
  const prepare = (x: NDArray, y: NDArray): Samples => ({
    x: scaleImages(x),
    y: isSparse ? y : toCategorical(y, CLASSES),
  });
  return { train: prepare(...train), test: prepare(...test) };
}

/** Checks what IDX files cannot say: that the images are of the recipe's size, and the labels digits. */
function checkDigits(files: string, images: NDArray, labels: NDArray): void {
  const refuse = (kind: string, expected: string, received: string) => {
    throw new UserError(`--data: ${files}-${kind}-ubyte: expected ${expected}, got ${received}.`);
  };
  const [count, height, width] = images.shape;
  if (count === 0) refuse("images-idx3", "at least one image", "none");
  if (height !== 28 || width !== 28) refuse("images-idx3", "images of 28x28", `${height}x${width}`);
  const wrong = labels.data.findIndex((label) => label >= CLASSES);
  if (wrong >= 0) refuse("labels-idx1", "labels from 0 to 9", `${labels.data[wrong]} at position ${wrong}`);
}

export interface Score {
  readonly test_loss: number;
  readonly test_accuracy: number;
}

/** Loss and accuracy on the test set; a model that was saved without its accuracy, or not compiled, is given both. */
export async function scoreModel(model: Sequential, test: Samples, options: RunOptions): Promise<Score> {
  if (!model.compiled?.metrics.some(({ name }) => name === "accuracy")) {
    model.compile({ loss: model.compiled?.loss ?? "categorical_crossentropy", metrics: ["accuracy"] });
  }
  const { loss, accuracy } = await model.evaluate(test.x, test.y, options);
  return { test_loss: loss as number, test_accuracy: accuracy as number };
}

/** The last lines of the recipe's script. */
export function describeScore({ test_loss, test_accuracy }: Score): string {
  return `Test loss: ${test_loss}\nTest accuracy: ${test_accuracy}\n`;
}
