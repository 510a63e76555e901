/** Networks that real Keras saved and then trained further: written by `interop/make_network_golden.py`. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadModel, NDArray } from "../../src/index.ts";

interface GoldenArray {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface Golden {
  readonly inputs: GoldenArray;
  readonly targets: GoldenArray;
  readonly predictions: GoldenArray;
  readonly losses: readonly number[];
  readonly afterOneStep: readonly GoldenArray[];
  readonly afterAll: readonly GoldenArray[];
  readonly evaluate: number;
}

const read = (name: string) => readFileSync(new URL(`networks/${name}`, import.meta.url));
const toArray = ({ shape, data }: GoldenArray) => new NDArray<"float32">(Float32Array.from(data), shape);
/** Samples [from, to). */
const rows = ({ data, shape }: NDArray, from: number, to: number) => {
  const size = data.length / shape[0]!;
  return new NDArray(Float32Array.from(data.slice(from * size, to * size)), [to - from, ...shape.slice(1)]);
};

function expectNear(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, what: string): void {
  expect(found.length, what).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(found[i]! - expected[i]!);
    if (!(difference <= tolerance * (1 + Math.abs(expected[i]!)))) {
      expect.fail(`${what}, element ${i}: got ${found[i]}, Keras has ${expected[i]}`);
    }
  }
}

test.each(["batch_norm", "penalties"])("%s: outputs and nine steps with short last batches are Keras's", async (name) => {
  const golden = JSON.parse(read(`${name}.json`).toString()) as Golden;
  const x = toArray(golden.inputs);
  const y = toArray(golden.targets);
  const model = await loadModel(new Uint8Array(read(`${name}.h5`)));
  expectNear((await model.predict(x, { threads: 1 })).data, golden.predictions.data, 1e-5, "outputs");
  for (const [step, loss] of golden.losses.entries()) {
    const from = (step % 3) * 4;
    const to = Math.min(from + 4, 11);
    const logs = await model.trainOnBatch(rows(x, from, to), rows(y, from, to), { threads: 1 });
    expectNear([logs.loss!], [loss], 1e-4, `loss of step ${step}`);
    if (step > 0) continue;
    for (const [i, { data }] of model.getWeights().entries()) {
      expectNear(data, golden.afterOneStep[i]!.data, 1e-5, `weight ${i} after a step`);
    }
  }
  for (const [i, { data }] of model.getWeights().entries()) {
    expectNear(data, golden.afterAll[i]!.data, 1e-4, `weight ${i}`);
  }
  expectNear([(await model.evaluate(x, y, { batchSize: 4, threads: 1 })).loss!], [golden.evaluate], 1e-4, "evaluate");
});
