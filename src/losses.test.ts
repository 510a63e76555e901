import { describe, expect, test } from "vitest";
import { expectClose } from "../test/helpers/kernels.ts";
import { NDArray } from "./array.ts";
import { UserError } from "./errors.ts";
import { dense, input } from "./layers/index.ts";
import { categoricalCrossentropy, type Loss, sparseCategoricalCrossentropy, toLoss } from "./losses.ts";
import { toMetric } from "./metrics.ts";
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

test("names are Keras's, in its two spellings, and configs come back", () => {
  expect(toLoss("categorical_crossentropy").sparse).toBe(false);
  expect(toLoss("CategoricalCrossentropy").name).toBe("categorical_crossentropy");
  const sparse = sparseCategoricalCrossentropy({ fromLogits: true });
  expect(toLoss(sparse)).toBe(sparse);
  expect(toLoss({ class_name: sparse.className, config: sparse.config }).config).toEqual(sparse.config);
});

test.each([
  ["mse", 'compile: loss "mse" is unknown; known are categorical_crossentropy, sparse_categorical_crossentropy.'],
  [
    undefined,
    "compile: loss undefined is unknown; known are categorical_crossentropy, sparse_categorical_crossentropy.",
  ],
  [
    { class_name: "CategoricalCrossentropy", config: { label_smoothing: 0.1 } },
    "categorical_crossentropy: label_smoothing 0.1 is not supported.",
  ],
])("the loss %j is refused", (option, message) => {
  expect(() => toLoss(option)).toThrow(new UserError(message));
});

test("a loss refuses outputs that are no classes, and a metric that is unknown is named", () => {
  const loss = toLoss("categorical_crossentropy");
  expect(() => loss.target([2, 2, 1])).toThrow(UserError);
  expect(() => loss.target([2, 2, 1])).toThrow(/has shape \(classes,\), got \(2, 2, 1\); end it with a dense layer\.$/);
  expect(() => toMetric("auc", loss)).toThrow(new UserError('compile: metric "auc" is unknown; known is "accuracy".'));
});
