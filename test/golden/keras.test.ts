/** Files that real Keras saved, and what it computed from them: written by `interop/make_golden.py`. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readKerasH5 } from "../../src/formats/keras-h5.ts";
import { loadModel, NDArray, type Sequential } from "../../src/index.ts";

interface GoldenArray {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface Golden {
  readonly inputs: GoldenArray;
  readonly targets: GoldenArray;
  readonly batchSize: number;
  readonly firstStep: number;
  readonly iterations: number;
  readonly predictions: GoldenArray;
  readonly evaluate: { readonly loss: number; readonly accuracy: number };
  readonly losses: readonly number[];
  readonly finalWeights: readonly (GoldenArray & { readonly name: string })[];
}

const folder = new URL("./", import.meta.url);
const names = readdirSync(folder)
  .filter((name) => name.endsWith(".h5") && !name.startsWith("formats"))
  .map((name) => name.slice(0, -".h5".length));

const read = (name: string) => readFileSync(new URL(name, folder));
const goldenOf = (name: string) => JSON.parse(read(`${name}.json`).toString()) as Golden;
const toArray = ({ shape, data }: GoldenArray) => new NDArray<"float32">(Float32Array.from(data), shape);
/** Class numbers are integers. */
const toTargets = (targets: GoldenArray) =>
  targets.shape.length === 1 ? new NDArray<"int32">(Int32Array.from(targets.data), targets.shape) : toArray(targets);

function largestDifference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(found.length).toBe(expected.length);
  return Array.from(found).reduce((largest, value, i) => {
    const difference = Math.abs(value - expected[i]!);
    return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(largest, difference);
  }, 0);
}

async function continued(model: Sequential, golden: Golden): Promise<number[]> {
  const { batchSize, firstStep } = golden;
  const [x, y] = [toArray(golden.inputs), toTargets(golden.targets)];
  const losses: number[] = [];
  for (let i = 0; i < golden.losses.length; i++) {
    const start = ((firstStep + i) * batchSize) % x.length;
    const batch = (array: NDArray) => array.slice(start, start + batchSize);
    losses.push((await model.trainOnBatch(batch(x), batch(y))).loss!);
  }
  return losses;
}

it("there are golden files", () => {
  expect(names.length).toBeGreaterThanOrEqual(5);
});

describe.each(names)("%s", (name) => {
  const golden = goldenOf(name);

  it("predicts what Keras predicts", async () => {
    const model = await loadModel(read(`${name}.h5`));
    const found = await model.predict(toArray(golden.inputs));
    expect(found.shape).toEqual(golden.predictions.shape);
    expect(largestDifference(found.data, golden.predictions.data)).toBeLessThan(1e-5);
  });

  it("scores what Keras scores", async () => {
    const model = await loadModel(read(`${name}.h5`));
    const scores = await model.evaluate(toArray(golden.inputs), toTargets(golden.targets));
    expect(scores.loss).toBeCloseTo(golden.evaluate.loss, 4);
    expect(scores.accuracy).toBeCloseTo(golden.evaluate.accuracy, 6);
  });

  it("goes on training as Keras does, from the optimizer's state in the file", async () => {
    const model = await loadModel(read(`${name}.h5`));
    expect(model.optimizer?.iterations).toBe(golden.iterations);
    expect(largestDifference(await continued(model, golden), golden.losses)).toBeLessThan(1e-4);
    const weights = model.getWeights();
    expect(weights.map(({ shape }) => shape)).toEqual(golden.finalWeights.map(({ shape }) => shape));
    for (const [i, { data }] of weights.entries()) {
      expect(largestDifference(data, golden.finalWeights[i]!.data)).toBeLessThan(2e-4);
    }
  });

  it("goes on as if never interrupted when we save and load it on the way", async () => {
    const model = await loadModel(read(`${name}.h5`));
    const half = { ...golden, losses: golden.losses.slice(0, 5) };
    const first = await continued(model, half);
    const again = await loadModel(await model.toBytes());
    const rest = { ...golden, firstStep: golden.firstStep + 5, losses: golden.losses.slice(5) };
    const whole = await loadModel(read(`${name}.h5`));
    expect([...first, ...(await continued(again, rest))]).toEqual(await continued(whole, golden));
  });

  it("saves the optimizer's state under Keras's names, in its order", async () => {
    const state = async (bytes: Uint8Array) => (await readKerasH5(bytes)).optimizer!;
    const [theirs, ours] = [await state(read(`${name}.h5`)), await state(await (await loadModel(read(`${name}.h5`))).toBytes())];
    // Keras numbers optimizers of one class.
    const plain = ({ weights }: typeof ours) => weights.map((weight) => weight.name.replace(/^(\w+?)(_\d+)?\//, "$1/"));
    expect(plain(ours)).toEqual(plain(theirs));
  });
});
