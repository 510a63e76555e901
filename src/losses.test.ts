import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { programOf } from "../test/helpers/graphs.ts";
import { expectClose, randomData } from "../test/helpers/kernels.ts";
import { NDArray } from "./array.ts";
import { batchTensor, Graph } from "./compiler/graph.ts";
import { UserError } from "./errors.ts";
import { applyActivation } from "./layers/activation-functions.ts";
import { conv2d, dense, input } from "./layers/index.ts";
import {
  binaryCrossentropy,
  categoricalCrossentropy,
  type Loss,
  meanSquaredError,
  sparseCategoricalCrossentropy,
  toLoss,
} from "./losses.ts";
import { Sequential } from "./model/sequential.ts";
import { sgd } from "./optimizers/index.ts";

const rows = (values: number[]) => new NDArray(Float32Array.from(values), [3, 3]);
const identity = rows([1, 0, 0, 0, 1, 0, 0, 0, 1]);

const logits = rows([2, -1, 0.5, 0, 0, 0, -3, 8, 80]);
const probabilities = rows([0.7, 0.2, 0.1, 0.3, 0.3, 0.6, 0, 1, 0]);
const oneHot = rows([1, 0, 0, 0.2, 0.3, 0.5, 1, 0, 0]);
const labels = new NDArray(Int32Array.of(0, 2, 0), [3]);

/**
 * The loss and its gradient for three outputs of three classes. The outputs are the weights of a dense layer that is
 * given the unit vectors, so a step of gradient descent with rate 1 shows the gradient.
 */
async function lossOf(loss: string | Loss, outputs: NDArray, targets: NDArray, activation?: "softmax") {
  const layer = dense({ units: 3, useBias: false, ...(activation && { activation }) });
  const model = new Sequential([input({ shape: [3] }), layer]);
  model.compile({ loss, optimizer: sgd({ learningRate: 1 }) });
  model.setWeights([outputs]);
  const logs = await model.trainOnBatch(identity, targets, { threads: 1 });
  const after = model.getWeights()[0]!.data;
  return { loss: logs.loss!, gradient: after.map((value, i) => outputs.data[i]! - value) };
}

// Losses and gradients of Keras 3.15 on TensorFlow 2.21: `loss = keras.losses.X(from_logits=…)(targets, outputs)` with
// the numbers above, `tape.gradient(loss, outputs)`.
const golden = {
  denseLogits: {
    loss: 28.113306045532227,
    gradient: [-0.07146766, 0.013037525, 0.05843013, 0.04444445, 0.01111111, -0.055555552, -0.33333334, 0, 0.33333334],
  },
  sparseLogits: {
    loss: 28.113306045532227,
    gradient: [-0.07146766, 0.013037525, 0.05843013, 0.11111112, 0.11111112, -0.22222221, -0.33333334, 0, 0.33333334],
  },
  denseProbabilities: {
    loss: 5.83816385269165,
    gradient: [-0.14285716, 0.33333334, 0.33333334, 0.055555597, -0.055555522, 0, 0, 0, 0],
  },
  sparseProbabilities: {
    loss: 5.722639083862305,
    gradient: [-0.14285716, 0.3333333, 0.3333333, 0.27777776, 0.27777776, -0.2777778, 0, 0, 0],
  },
};

describe("losses and gradients are Keras's", () => {
  const dense = "categorical_crossentropy";
  const sparse = "sparse_categorical_crossentropy";
  test.each([
    ["dense, a softmax at the end", dense, logits, oneHot, golden.denseLogits, "softmax"],
    ["sparse, a softmax at the end", sparse, logits, labels, golden.sparseLogits, "softmax"],
    ["dense, from logits", categoricalCrossentropy({ fromLogits: true }), logits, oneHot, golden.denseLogits],
    ["sparse, from logits", sparseCategoricalCrossentropy({ fromLogits: true }), logits, labels, golden.sparseLogits],
    ["dense, from probabilities", dense, probabilities, oneHot, golden.denseProbabilities],
    ["sparse, from probabilities", sparse, probabilities, labels, golden.sparseProbabilities],
  ] as const)("%s", async (_, loss, outputs, targets, expected, activation?: "softmax") => {
    const found = await lossOf(loss, outputs, targets, activation);
    expect(found.loss / expected.loss).toBeCloseTo(1, 6);
    // Weights up to 80 hold a gradient to 4e-6.
    expectClose(found.gradient, expected.gradient, 5e-6);
  });

  test("labels may come as a column, and as bytes", async () => {
    const column = new NDArray(Uint8Array.of(0, 2, 0), [3, 1]);
    expect(await lossOf(sparse, logits, column, "softmax")).toEqual(await lossOf(sparse, logits, labels, "softmax"));
  });
});

interface GoldenLoss {
  readonly loss: { readonly class_name: string; readonly config: Record<string, unknown> };
  readonly activation: "softmax" | "sigmoid" | null;
  readonly shape: readonly number[];
  readonly outputs: readonly number[];
  readonly targets: readonly number[];
  readonly value: number;
  readonly gradient: readonly number[];
}

/** Written by `interop/make_training_golden.py`. */
const { samples, cases } = JSON.parse(readFileSync(new URL("../test/golden/losses.json", import.meta.url), "utf8")) as {
  samples: number;
  cases: readonly GoldenLoss[];
};

describe("values and gradients of each loss, with each option and shape, are Keras's", () => {
  const title = ({ loss, activation, shape }: GoldenLoss) =>
    `${loss.class_name} ${JSON.stringify(loss.config)} of (${shape}), ${activation}`;
  test.each(cases.map((golden) => [title(golden), golden] as const))("%s", (_, golden) => {
    const loss = toLoss(golden.loss);
    const graph = new Graph();
    const outputs = batchTensor("outputs", golden.shape);
    const target = loss.target(golden.shape);
    const targets = batchTensor("targets", target.shape, target.dtype);
    const end = golden.activation ? applyActivation(graph, golden.activation, outputs) : outputs;
    const { perSample, gradient, differentiated } = loss.lower(graph, end, targets);
    expect(differentiated).toBe(outputs);
    const program = programOf(graph.nodes, [outputs, targets, perSample, gradient], samples);
    program.view(outputs).set(golden.outputs);
    program.view(targets).set(golden.targets);
    program.run();
    const mean = Array.from(program.view(perSample)).reduce((sum, value) => sum + value, 0) / samples;
    expect(mean / golden.value).toBeCloseTo(1, 5);
    const largest = Math.max(...golden.gradient.map(Math.abs));
    for (const [i, expected] of golden.gradient.entries()) {
      const difference = Math.abs(program.view(gradient)[i]! - expected);
      expect(difference / (Math.abs(expected) + 1e-2 * largest)).toBeLessThan(1e-5);
    }
  });
});

test("targets of one output a sample may come without its axis", async () => {
  const model = new Sequential([input({ shape: [2] }), dense({ units: 1, activation: "sigmoid" })], { seed: 3 });
  model.compile({ loss: "bce" });
  const x = new NDArray(Float32Array.of(1, 2, 3, 4), [2, 2]);
  const y = new NDArray(Float32Array.of(1, 0), [2]);
  expect(await model.evaluate(x, y)).toEqual(await model.evaluate(x, y.reshape([2, 1])));
  await expect(model.evaluate(x, y.reshape([2, 1, 1]))).rejects.toThrow(
    'evaluate: binary_crossentropy of layer "dense" expects y of shape (None, 1), got (2, 1, 1).',
  );
});

test("a model may classify each place of an image", async () => {
  const model = new Sequential(
    [input({ shape: [3, 2, 1] }), conv2d({ filters: 4, kernelSize: 1, activation: "softmax" })],
    { seed: 3 },
  );
  const x = new NDArray(randomData(5 * 6, 1), [5, 3, 2, 1]);
  const classes = Int32Array.from({ length: 30 }, (_, i) => (i * 5) % 4);
  const y = new NDArray(classes, [5, 3, 2]);
  model.compile({
    loss: "sparse_categorical_crossentropy",
    metrics: ["accuracy"],
    optimizer: sgd({ learningRate: 1 }),
  });
  const outputs = await model.predict(x);
  const rows = Array.from(classes, (label, i) => ({ label, row: outputs.data.subarray(i * 4, i * 4 + 4) }));
  const loss = rows.reduce((sum, { label, row }) => sum - Math.log(row[label]!) / 30, 0);
  const right = rows.filter(({ label, row }) => row.indexOf(Math.max(...row)) === label).length / 30;
  for (const labels of [y, y.reshape([5, 3, 2, 1])]) {
    const found = await model.evaluate(x, labels, { batchSize: 2 });
    expect(found.loss).toBeCloseTo(loss, 6);
    expect(found.accuracy).toBeCloseTo(right, 6);
  }
  await model.fit(x, y, { epochs: 3 });
  expect((await model.evaluate(x, y)).loss).toBeLessThan(loss);
  await expect(model.evaluate(x, y.reshape([5, 6]))).rejects.toThrow(
    "expects y of shape (None, 3, 2), got (5, 6); one-hot",
  );
  const sampleWeight = new NDArray(new Float32Array(5), [5]);
  await expect(model.evaluate(x, y, { sampleWeight })).rejects.toThrow(
    "evaluate: weights of samples need a model whose output has shape (n,), got (3, 2, 4).",
  );
});

test("names are Keras's, in its two spellings, and configs come back", () => {
  expect(toLoss("categorical_crossentropy").sparse).toBe(false);
  expect(toLoss("CategoricalCrossentropy").name).toBe("categorical_crossentropy");
  const sparse = sparseCategoricalCrossentropy({ fromLogits: true });
  expect(toLoss(sparse)).toBe(sparse);
  expect(toLoss("mse").name).toBe("mean_squared_error");
  const smooth = { fromLogits: true, labelSmoothing: 0.1 };
  for (const loss of [sparse, categoricalCrossentropy(smooth), binaryCrossentropy(smooth), meanSquaredError()]) {
    expect(toLoss({ class_name: loss.className, config: loss.config }).config).toEqual(loss.config);
  }
});

const known = "categorical_crossentropy, sparse_categorical_crossentropy, binary_crossentropy, mean_squared_error";
test.each([
  ["hinge", `compile: loss "hinge" is unknown; known are ${known}.`],
  [undefined, `compile: loss undefined is unknown; known are ${known}.`],
  [
    { class_name: "BinaryCrossentropy", config: { reduction: "sum" } },
    'binary_crossentropy: reduction "sum" is not supported.',
  ],
  [
    { class_name: "SparseCategoricalCrossentropy", config: { ignore_class: 3 } },
    "sparse_categorical_crossentropy: ignore_class 3 is not supported.",
  ],
])("the loss %j is refused", (option, message) => {
  expect(() => toLoss(option)).toThrow(new UserError(message));
});

test.each([
  [
    () => categoricalCrossentropy({ labelSmoothing: 1.5 }),
    "categorical_crossentropy: labelSmoothing must be a number from 0 to 1, got 1.5.",
  ],
  [
    () => sparseCategoricalCrossentropy({ labelSmoothing: 0.1 } as never),
    'sparse_categorical_crossentropy: option "labelSmoothing" is unknown; known are fromLogits.',
  ],
  [
    () => toLoss("categorical_crossentropy").target([2, 2, 1]),
    "categorical_crossentropy: expected a model whose output ends in an axis of two or more classes, got (2, 2, 1); " +
      "end it with a dense layer of as many units, or use binary_crossentropy.",
  ],
])("wrong options and outputs are refused: %#", (make, message) => {
  expect(make).toThrow(new UserError(message));
});
