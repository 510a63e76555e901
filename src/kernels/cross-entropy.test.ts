import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  expectMatchesReference,
  type Input,
  randomData,
  runKernel,
  runReference,
  sizes,
} from "../../test/helpers/kernels.ts";
import { accuracy } from "./accuracy.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { binaryCrossEntropy, sigmoidCrossEntropy, squaredError } from "./element-losses.ts";
import { softmaxCrossEntropy } from "./softmax-cross-entropy.ts";
import { sumSamples } from "./sum-samples.ts";

const labels = (batch: number, classes: number, seed: number) =>
  Array.from({ length: batch }, (_, n) => (n * 31 + seed) % classes);

function targets(sparse: boolean, batch: number, classes: number, seed: number): Input {
  const chosen = labels(batch, classes, seed);
  if (sparse) return { shape: [], batched: true, dtype: "int32", data: chosen };
  const rows = chosen.flatMap((label) => Array.from({ length: classes }, (_, i) => (i === label ? 1 : 0)));
  return { shape: [classes], batched: true, data: rows };
}

const rows = (classes: number, data: number[]): Input => ({ shape: [classes], batched: true, data });

describe.each([false, true])("sparse: %s", (sparse) => {
  test("cross-entropies and accuracy match their references", () => {
    fc.assert(
      fc.property(sizes(7), fc.integer({ min: 2, max: 13 }), fc.nat(), (batch, classes, seed) => {
        const data = Array.from(randomData(batch * classes, seed, 0), (x) => x * 6);
        const logits = rows(classes, data);
        const probabilities = rows(
          classes,
          data.map((x) => Math.abs(x) / 7),
        );
        const inputs = (output: Input) => [output, targets(sparse, batch, classes, seed)];
        expectMatchesReference(
          { op: softmaxCrossEntropy, attributes: { sparse }, inputs: inputs(logits), batch },
          2e-6,
        );
        expectMatchesReference(
          { op: crossEntropy, attributes: { sparse }, inputs: inputs(probabilities), batch },
          1e-5,
        );
        expectMatchesReference({ op: accuracy, attributes: { sparse }, inputs: inputs(logits), batch });
      }),
      { numRuns: 25 },
    );
  });

  test.each([softmaxCrossEntropy, crossEntropy])("the gradient of $name is the slope of its loss", (op) => {
    const classes = 5;
    const data = Array.from(randomData(2 * classes, 3, 0), (x) => Math.abs(x) * 0.5 + 0.1);
    const inputs = (values: number[]) => [rows(classes, values), targets(sparse, 2, classes, 1)];
    const run = (values: number[]) => runReference({ op, attributes: { sparse }, inputs: inputs(values), batch: 2 });
    const gradient = run(data).outputs[1]!;
    const step = 1e-3;
    data.forEach((_, i) => {
      const loss = (change: number) => {
        const moved = data.map((x, j) => (j === i ? x + change : x));
        return (run(moved).outputs[0]![0]! + run(moved).outputs[0]![1]!) / 2;
      };
      expect(gradient[i]).toBeCloseTo((loss(step) - loss(-step)) / (2 * step), 3);
    });
  });

  test("a probability that underflows gives a finite loss from logits", () => {
    const inputs = [rows(2, [1000, -1000]), targets(sparse, 1, 2, 1)];
    const { outputs } = runKernel({ op: softmaxCrossEntropy, attributes: { sparse }, inputs, batch: 1 });
    expect(outputs[0]![0]).toBeCloseTo(2000);
    expect(Array.from(outputs[1]!)).toEqual([1, -1]);
  });

  test("slopes that change no weight are zero: their products would be denormal numbers, which are slow", () => {
    const inputs = [rows(3, [-50, 10, -80]), targets(sparse, 1, 3, 1)];
    const { outputs } = runKernel({ op: softmaxCrossEntropy, attributes: { sparse }, inputs, batch: 1 });
    expect(Array.from(outputs[1]!, (slope) => slope / Math.exp(-60))).toEqual([expect.closeTo(1, 5), 0, 0]);
  });
});

test("slopes of single elements that change no weight are zero, a slope that is no number stays", () => {
  const slopesOf = (op: typeof squaredError, outputs: number[], expected: number[]) => {
    const inputs = [rows(4, outputs), rows(4, expected)];
    const run = { op, attributes: {}, inputs, batch: 1 };
    const [own, plain] = [runKernel(run), runReference(run)].map(({ outputs }) => Array.from(outputs[1]!));
    expect(own!.map((slope) => slope === 0)).toEqual(plain!.map((slope) => slope === 0));
    return own;
  };
  const [kept, below, tiny, none] = slopesOf(sigmoidCrossEntropy, [-60, -80, -80, Number.NaN], [0, 0, 1e-35, 1])!;
  expect(kept! / Math.exp(-60)).toBeCloseTo(1 / 4, 5);
  expect([below, tiny, none]).toEqual([0, 0, Number.NaN]);
  const differences = slopesOf(squaredError, [0, 0, 1e-29, 1e-31], [1e-29, 1e-31, 0, 0])!;
  expect(differences.map((slope) => Math.round(slope * 1e31))).toEqual([-50, 0, 50, 0]);
});

test.each([squaredError, sigmoidCrossEntropy, binaryCrossEntropy])(
  "$name matches its reference, and its slope",
  (op) => {
    const smoothings = fc.constantFrom(0, 0.2);
    fc.assert(
      fc.property(sizes(7), sizes(9), smoothings, fc.nat(), (batch, size, smoothing, seed) => {
        const spread = op === binaryCrossEntropy ? 0.5 : 20;
        const output = Array.from(randomData(batch * size, seed, 0.1), (x) => x * spread + (spread < 1 ? 0.5 : 0));
        const targets = Array.from(randomData(batch * size, seed + 1), Math.abs);
        const inputs = [output, targets].map((data) => ({ shape: [size], batched: true, data }));
        expectMatchesReference({ op, attributes: { smoothing }, inputs, batch }, 2e-6);
      }),
      { numRuns: 20 },
    );
    const output = [0.2, 0.7, 0.5, 0.9];
    const run = (data: number[]) =>
      runReference({ op, attributes: {}, inputs: [rows(2, data), rows(2, [1, 0, 0.3, 0.8])], batch: 2 }).outputs;
    output.forEach((_, i) => {
      const [above, below] = [1e-3, -1e-3].map((change) => run(output.map((x, j) => (i === j ? x + change : x)))[0]!);
      const slope = (above![0]! + above![1]! - below![0]! - below![1]!) / 2 / 2e-3;
      expect(run(output)[1]![i]).toBeCloseTo(slope, 3);
    });
  },
);

test("cross-entropies of many rows a sample match their references, smoothed or not", () => {
  const shapes = fc.tuple(sizes(5), sizes(3), fc.integer({ min: 2, max: 6 }), fc.boolean(), fc.nat());
  fc.assert(
    fc.property(shapes, ([batch, height, classes, sparse, seed]) => {
      const count = batch * height * classes;
      const output = {
        shape: [height, classes],
        batched: true,
        data: Array.from(randomData(count, seed, 0), Math.abs),
      };
      const all = targets(sparse, batch * height, classes, seed);
      const inputs = [output, { ...all, shape: sparse ? [height] : [height, classes] }];
      const attributes = { sparse, smoothing: sparse ? 0 : 0.1 };
      expectMatchesReference({ op: softmaxCrossEntropy, attributes, inputs, batch }, 2e-6);
      expectMatchesReference({ op: crossEntropy, attributes, inputs, batch }, 1e-5);
      expectMatchesReference({ op: accuracy, attributes, inputs, batch }, 1e-6);
    }),
    { numRuns: 25 },
  );
});

test("sumSamples writes the sum of a batch to its place", () => {
  const values: Input = { shape: [], batched: true, data: randomData(37, 5) };
  const results: Input = { shape: [3], batched: false, data: [1, 2, 3] };
  expectMatchesReference({ op: sumSamples, attributes: { index: 1 }, inputs: [values, results], batch: 37 }, 1e-7);
});
