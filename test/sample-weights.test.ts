/** Training and scoring with weights of samples and classes, held to real Keras by `interop/make_training_golden.py`. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { layers, NDArray, optimizers, Sequential } from "../src/index.ts";
import { expectClose } from "./helpers/kernels.ts";
import { compiledNet, images } from "./helpers/models.ts";

interface Golden {
  readonly loss: string;
  readonly activation: "softmax" | "linear" | "sigmoid";
  readonly x: readonly number[];
  readonly y: { readonly shape: readonly number[]; readonly data: readonly number[] };
  readonly kernel: readonly number[];
  readonly sample_weight?: readonly number[];
  readonly class_weight?: Readonly<Record<number, number>>;
  readonly evaluate: Readonly<Record<string, number>>;
  readonly history: Readonly<Record<string, readonly number[]>>;
  readonly weights: readonly number[];
}

const { cases } = JSON.parse(readFileSync(new URL("./golden/sample-weights.json", import.meta.url), "utf8")) as {
  cases: readonly Golden[];
};
const floats = (data: readonly number[], shape: readonly number[] = [data.length]) =>
  new NDArray<"float32">(Float32Array.from(data), shape);

/** Keras sums metrics in single precision. */
const TOLERANCE = 2e-6;

function expectLogs(found: Readonly<Record<string, number>>, expected: Readonly<Record<string, number>>): void {
  const names = Object.keys(expected);
  expect(Object.keys(found).sort()).toEqual(names.toSorted());
  const values = (logs: typeof found) => names.map((name) => logs[name]!);
  expectClose(values(found), values(expected), TOLERANCE);
}

describe("losses, metrics and weights are Keras's", () => {
  const title = ({ loss, class_weight: classes }: Golden) => `${loss} by ${classes ? "class" : "sample"}`;
  test.each(cases.map((golden) => [title(golden), golden] as const))("%s", async (_, golden) => {
    const { loss, activation, class_weight: classWeight } = golden;
    const [x, kernel] = [floats(golden.x, [7, 4]), floats(golden.kernel, [4, golden.kernel.length / 4])];
    const y = floats(golden.y.data, golden.y.shape);
    const units = kernel.shape[1]!;
    const model = new Sequential([layers.input({ shape: [4] }), layers.dense({ units, activation })]);
    const metrics = loss.includes("categorical") ? ["accuracy"] : [];
    model.compile({ loss, optimizer: optimizers.sgd({ learningRate: 0.5 }), metrics });
    model.setWeights([kernel, new NDArray(new Float32Array(units), [units])]);
    const weights = golden.sample_weight && { sampleWeight: floats(golden.sample_weight) };
    expectLogs(await model.evaluate(x, y, { batchSize: 3, ...weights }), golden.evaluate);
    const { history } = await model.fit(x, y, {
      ...{ batchSize: 3, epochs: 2, shuffle: false },
      ...(weights ?? { classWeight: classWeight! }),
      validationData: weights ? [x, y, weights.sampleWeight] : [x, y],
    });
    for (const epoch of [0, 1]) {
      const logs = (of: typeof golden.history) =>
        Object.fromEntries(Object.entries(of).map(([name, values]) => [name, values[epoch]!]));
      expectLogs(logs(history), logs(golden.history));
    }
    expectClose(
      model.getWeights().flatMap(({ data }) => Array.from(data)),
      golden.weights,
      TOLERANCE,
    );
  });
});

const { x, y } = images(12);
const weightsOf = (weight: (i: number) => number) => floats(Array.from({ length: 12 }, (_, i) => weight(i)));

test("weights of 1 change nothing, and what comes without weights after them counts 1", async () => {
  const [plain, weighted] = [compiledNet(3), compiledNet(3)];
  const options = { epochs: 2, batchSize: 5, validationData: [x, y] } as const;
  const expected = await plain.fit(x, y, options);
  expect(await weighted.fit(x, y, { ...options, sampleWeight: weightsOf(() => 1) })).toEqual(expected);
  expect(weighted.getWeights()).toEqual(plain.getWeights());
  await weighted.evaluate(x, y, { sampleWeight: weightsOf((i) => i) });
  expect(await weighted.evaluate(x, y)).toEqual(await plain.evaluate(x, y));
});

test("weights follow their samples when these are shuffled, and trainOnBatch takes them", async () => {
  // Each sample on its own, so that the order alone tells the result: weights of 0 must go with theirs.
  const model = compiledNet(4);
  const before = model.getWeights();
  const bright = (i: number) => (i % 3 === 0 ? 0 : 1);
  await model.fit(x, y, { batchSize: 4, sampleWeight: weightsOf(bright), seed: 2 });
  const kept = Array.from({ length: 12 }, (_, i) => i).filter(bright);
  const other = compiledNet(4);
  other.setWeights(before);
  const changed = new NDArray(
    x.data.map((value, i) => (bright(Math.floor(i / 36)) ? value : 9)),
    x.shape,
  );
  await other.fit(changed, y, { batchSize: 4, sampleWeight: weightsOf(bright), seed: 2 });
  // What weighs nothing may be anything.
  expect(other.getWeights()).toEqual(model.getWeights());
  expect(kept).toHaveLength(8);
  const logs = await model.trainOnBatch(x, y, { sampleWeight: weightsOf(() => 0) });
  expect(logs.loss).toBe(0);
  const byClass = await compiledNet(4).trainOnBatch(x, y, { classWeight: { 0: 2, 1: 2, 2: 2 } });
  const alone = await compiledNet(4).trainOnBatch(x, y);
  expect(byClass.loss! / alone.loss!).toBeCloseTo(2, 6);
  expect(byClass.accuracy).toBe(alone.accuracy);
});

test.each<[string, object, string]>([
  [
    "both",
    { sampleWeight: weightsOf(() => 1), classWeight: {} },
    "only one of sampleWeight and classWeight can be given.",
  ],
  ["no array", { sampleWeight: [1, 2] }, "sampleWeight must be an NDArray, got an array; wrap it: new NDArray("],
  [
    "another shape",
    { sampleWeight: floats([1, 2]) },
    "sampleWeight must have shape (12,), one weight a sample, got (2,).",
  ],
  [
    "no number",
    { sampleWeight: weightsOf((i) => (i === 4 ? Number.NaN : 1)) },
    "sampleWeight[4] must be a finite number, got NaN.",
  ],
  ["no object", { classWeight: [1] }, "classWeight must be an object from class numbers to weights, got [1]."],
  ["an unknown class", { classWeight: { 3: 1 } }, 'classWeight has no class "3"; classes are 0 to 2.'],
  ["no weight", { classWeight: { 1: "2" } }, 'classWeight[1] must be a finite number, got "2".'],
])("%s is refused", async (_, options, message) => {
  await expect(compiledNet().fit(x, y, options)).rejects.toThrow(`fit: ${message}`);
});
