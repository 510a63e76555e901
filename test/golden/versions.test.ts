/** One network that several versions of Keras saved, and how its training went on: `interop/make_version_golden.py`. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadModel, NDArray, toCategorical } from "../../src/index.ts";

interface Golden {
  readonly x: readonly number[];
  readonly predictions: readonly number[];
  /** Loss and accuracy. */
  readonly score: readonly [number, number];
  /** Of six more steps. */
  readonly losses: readonly number[];
}

const folder = new URL("versions/", import.meta.url);
const read = (file: string) => new Uint8Array(readFileSync(new URL(file, folder)));
const golden = (version: string) => JSON.parse(new TextDecoder().decode(read(`${version}.json`))) as Golden;
const y = toCategorical(new NDArray(Uint8Array.from({ length: 12 }, (_, i) => i % 3), [12]), 3);
const samples = ({ x }: Golden) => new NDArray<"float32">(Float32Array.from(x), [12, 7, 6, 1]);
const files = readdirSync(folder);

test("there are files of Keras 2, the first Keras 3 and the newest", () => {
  expect(files.filter((file) => !file.endsWith(".json"))).toEqual([
    ...["2.21.h5", "2.21.keras", "3.0.h5", "3.0.keras", "3.0.weights.h5"],
    ...["3.15.h5", "3.15.keras", "3.15.weights.h5"],
  ]);
});

const near = (found: ArrayLike<number>, expected: readonly number[], digits: number) =>
  expected.forEach((value, i) => expect(found[i]).toBeCloseTo(value, digits));

test.each(files.filter((file) => /^[\d.]+\.(h5|keras)$/.test(file)))("%s scores as it did, and trains on", async (file) => {
  const expected = golden(file.replace(/\.(h5|keras)$/, ""));
  const x = samples(expected);
  const model = await loadModel(read(file));
  expect(model.optimizer!.iterations).toBe(6);
  near((await model.predict(x, { threads: 1 })).data, expected.predictions, 5);
  const { loss, accuracy } = await model.evaluate(x, y, { batchSize: 4, threads: 1 });
  near([loss!, accuracy!], expected.score, 5);
  for (const [step, value] of expected.losses.entries()) {
    const start = (step * 4) % 12;
    const logs = await model.trainOnBatch(x.slice(start, start + 4), y.slice(start, start + 4), { threads: 1 });
    near([logs.loss!], [value], 4);
  }
});

test.each(files.filter((file) => file.endsWith(".weights.h5")))("%s gives a model its weights", async (file) => {
  const version = file.replace(".weights.h5", "");
  const expected = golden(version);
  const other = await loadModel(read(`${version}.keras`), { compile: false });
  other.setWeights(other.getWeights().map((weights) => weights.divide(3)));
  await other.loadWeights(read(file));
  near((await other.predict(samples(expected), { threads: 1 })).data, expected.predictions, 5);
  const [first, ...rest] = other.getWeights();
  expect(first!.data.length).toBeGreaterThan(rest.length);
});
