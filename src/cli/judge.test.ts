import { describe, expect, test } from "vitest";
import { layers, losses, NDArray, Sequential } from "../index.ts";
import { judgeModel, wrongSamples } from "./judge.ts";

const MODEL = new Sequential([layers.input({ shape: [1] }), layers.dense({ units: 3 })]);
const outputs = new NDArray(
  Float32Array.from(
    [
      [0.9, 0.05, 0.05], // of class 0: right
      [0.6, 0.3, 0.1], // 1
      [0.1, 0.8, 0.1], // 2
      [0.5, 0.0, 0.5], // 1
      [0.2, 0.1, 0.7], // 0
    ].flat(),
  ),
  [5, 3],
);
const labels = new NDArray(Int32Array.of(0, 1, 2, 1, 0), [5]);

describe("the samples that a model is wrong about", () => {
  test("the surest first, of those the earliest", () => {
    const { count, worst, areProbabilities } = wrongSamples(MODEL, labels, outputs, 3);
    expect(count).toBe(4);
    expect(worst.map(({ index, label, taken }) => [index, label, taken])).toEqual([
      [2, 2, 1],
      [3, 1, 0],
      [4, 0, 2],
    ]);
    expect(worst[0]!.outputs.taken).toBeCloseTo(0.8, 6);
    expect(worst[0]!.outputs.label).toBeCloseTo(0.1, 6);
    expect(areProbabilities).toBe(true);
  });

  test("labels as one-hot rows are the same", () => {
    const rows = new Float32Array(15);
    for (const [i, label] of labels.data.entries()) rows[3 * i + label] = 1;
    const oneHot = new NDArray(rows, [5, 3]);
    expect(wrongSamples(MODEL, oneHot, outputs, 9)).toEqual(wrongSamples(MODEL, labels, outputs, 9));
  });

  test("outputs that are no probabilities are left as they are", () => {
    const wild = new NDArray(Float32Array.of(-3, 7, 1), [1, 3]);
    const { worst, areProbabilities } = wrongSamples(MODEL, labels.slice(0, 1), wild, 9);
    expect(worst[0]!.outputs).toEqual({ label: -3, taken: 7 });
    expect(areProbabilities).toBe(false);
  });

  test("logits become probabilities", () => {
    const model = new Sequential([layers.input({ shape: [1] }), layers.dense({ units: 3 })]);
    model.compile({ loss: losses.sparseCategoricalCrossentropy({ fromLogits: true }) });
    const logits = new NDArray(Float32Array.of(0, Math.log(3), Number.NEGATIVE_INFINITY), [1, 3]);
    const { worst, areProbabilities } = wrongSamples(model, labels.slice(0, 1), logits, 9);
    expect(worst[0]!.outputs.label).toBeCloseTo(0.25, 6);
    expect(worst[0]!.outputs.taken).toBeCloseTo(0.75, 6);
    expect(areProbabilities).toBe(true);
  });

  test("outputs that are not numbers do not fail", () => {
    const none = new NDArray(new Float32Array(3).fill(Number.NaN), [1, 3]);
    expect(wrongSamples(MODEL, new NDArray(Int32Array.of(2), [1]), none, 9).worst).toHaveLength(1);
  });
});

test("score, matrix and outputs belong together", async () => {
  const model = new Sequential(
    [layers.input({ shape: [2] }), layers.dense({ units: 2, activation: "softmax", kernelInitializer: "heNormal" })],
    { seed: 3 },
  );
  model.compile({ loss: "sparse_categorical_crossentropy", metrics: ["accuracy"] });
  const x = new NDArray(
    Float32Array.from({ length: 40 }, (_, i) => Math.sin(5 * i)),
    [20, 2],
  );
  const y = new NDArray(
    Int32Array.from({ length: 20 }, (_, i) => i % 2),
    [20],
  );
  const { score, matrix, scores, outputs: given } = await judgeModel(model, { x, y }, { batchSize: 8, threads: 1 });
  const right = matrix[0]![0]! + matrix[1]![1]!;
  expect(score.test_accuracy).toBeCloseTo(right / 20, 6);
  expect(scores.map(({ support }) => support)).toEqual([10, 10]);
  expect(wrongSamples(model, y, given, 99).count).toBe(20 - right);
});
