import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { expectMatchesReference, randomInput, runKernel } from "../test/helpers/kernels.ts";
import { batchTensor, Graph } from "./compiler/graph.ts";
import { binaryAccuracy, topKAccuracy } from "./kernels/accuracy.ts";
import type { Op, Tensor } from "./kernels/op.ts";
import { toLoss } from "./losses.ts";
import * as metrics from "./metrics.ts";

const makers = { ...metrics };

interface Golden {
  readonly name: "categoricalAccuracy";
  readonly options: object;
  readonly targets: "labels" | "rows" | "numbers";
  readonly value: number;
  readonly saved: object;
}

const golden = JSON.parse(readFileSync(new URL("../test/golden/metrics.json", import.meta.url), "utf8"));
const losses = {
  labels: "sparse_categorical_crossentropy",
  rows: "categorical_crossentropy",
  numbers: "mean_squared_error",
};
const classes = 7;

/** The mean of a metric's values, from the emitted kernel. */
function meanOf(metric: metrics.Metric, kind: Golden["targets"]): number {
  const loss = toLoss(losses[kind]);
  const graph = new Graph();
  const target = loss.target([classes]);
  const [output, targets] = [batchTensor("y", [classes]), batchTensor("t", target.shape, target.dtype)];
  const result: Tensor = metric.on(loss, [classes])(graph, output, targets);
  const { op, attributes, outputs } = graph.nodes[0]!;
  expect(outputs).toContain(result);
  const inputs = [
    { shape: [classes], batched: true, data: golden.output.flat() },
    { ...target, batched: true, data: golden[kind].flat() },
  ];
  const batch = golden.output.length;
  expectMatchesReference({ op: op as Op<unknown>, attributes, inputs, batch }, 1e-6);
  const values = runKernel({ op: op as Op<unknown>, attributes, inputs, batch }).outputs[0]!;
  return Array.from(values).reduce((sum, value) => sum + value, 0) / batch;
}

test.each(golden.cases as Golden[])("$name $options gives and saves what Keras does", (found) => {
  const { name, options, targets, value, saved } = found;
  const metric = makers[name](options);
  expect(meanOf(metric, targets)).toBeCloseTo(value, 6);
  const loss = toLoss(losses[targets]);
  expect(metrics.toMetric(metric, loss, [classes]).saved).toEqual(saved);
  const again = metrics.toMetric(JSON.parse(JSON.stringify(saved)), loss, [classes]);
  expect(again.saved).toEqual(saved);
});

describe('"accuracy" is chosen by the output and the targets', () => {
  test.each([
    ["categorical_crossentropy", [7], "accuracy", false],
    ["sparse_categorical_crossentropy", [7], "accuracy", true],
    ["binary_crossentropy", [1], "binaryAccuracy", undefined],
    ["binary_crossentropy", [3], "accuracy", false],
  ] as const)("%s on %j", (name, shape, expected, sparse) => {
    const graph = new Graph();
    const loss = toLoss(name);
    const target = loss.target(shape);
    const targets = batchTensor("t", target.shape, target.dtype);
    metrics.toMetric("accuracy", loss, shape).lower(graph, batchTensor("y", shape), targets);
    expect(graph.nodes.map(({ op }) => op.name)).toEqual([expected]);
    expect((graph.nodes[0]!.attributes as { sparse?: boolean }).sparse).toBe(sparse);
  });
});

test("a class whose output is no number is not among the largest", () => {
  const output = { shape: [3], batched: true, data: [Number.NaN, 1, 2, 0, Number.POSITIVE_INFINITY, 3] };
  const targets = { shape: [], batched: true, dtype: "int32" as const, data: [0, 1] };
  const attributes = { sparse: true, k: 3 };
  const { outputs } = runKernel({ op: topKAccuracy, attributes, inputs: [output, targets], batch: 2 });
  expect([...outputs[0]!]).toEqual([0, 0]);
});

test("binary accuracy counts the elements of a sample", () => {
  const inputs = [
    randomInput([2, 3, 2], 5, 1),
    { ...randomInput([2, 3, 2], 5, 2), data: new Float32Array(60).fill(1) },
  ];
  expectMatchesReference({ op: binaryAccuracy, attributes: { threshold: 0 }, inputs, batch: 5 }, 1e-6);
});
