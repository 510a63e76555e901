/** The recipe: LeNet, and how it is scored. */
import { type Logs, layers, type NDArray, type RunOptions, Sequential } from "../index.ts";
import type { Samples } from "./data.ts";

/** What `lenet predict` tells apart: one a digit. */
export const CLASSES = 10;

export interface LeNetOptions {
  /** [height, width, channels] of the images. */
  readonly shape: readonly number[];
  readonly classes: number;
  readonly conv2Padding: "same" | "valid";
  readonly seed: number;
}

/** The recipe's network, not compiled. Its initial weights are a function of the seed. */
export function buildLeNet({ shape, classes, conv2Padding, seed }: LeNetOptions): Sequential {
  return new Sequential(
    [
      layers.input({ shape: [...shape] }),
      layers.conv2d({ filters: 20, kernelSize: 5, padding: "same", activation: "relu" }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.conv2d({ filters: 50, kernelSize: 5, padding: conv2Padding, activation: "relu" }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.flatten(),
      layers.dense({ units: 500, activation: "relu" }),
      layers.dense({ units: classes, activation: "softmax" }),
    ],
    { seed },
  );
}

/** Images of digits as the recipe feeds them: (n, 28, 28, 1), 0 to 1. */
export function scaleImages(images: NDArray): NDArray<"float32"> {
  return images.reshape([-1, 28, 28, 1]).divide(255);
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

/** The score that an epoch's validation on the test set gave, where it knew loss and accuracy. */
export function scoreOf({ val_loss: loss, val_accuracy: accuracy }: Logs): Score | undefined {
  return loss === undefined || accuracy === undefined ? undefined : { test_loss: loss, test_accuracy: accuracy };
}

/** The last lines of the recipe's script. */
export function describeScore({ test_loss, test_accuracy }: Score): string {
  return `Test loss: ${test_loss}\nTest accuracy: ${test_accuracy}\n`;
}
