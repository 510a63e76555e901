/** Images stay bytes until the engine has them: the same bits as floats give, whatever is mixed. */
import { describe, expect, test } from "vitest";
import { NDArray, type Sequential } from "../src/index.ts";
import { randomData } from "./helpers/kernels.ts";
import { compiledNet, images } from "./helpers/models.ts";

const COUNT = 22;
const SHAPE = [COUNT, 6, 6, 1];
const { y, labels } = images(COUNT);
const bytes = Uint8Array.from(randomData(COUNT * 36, 3, 0.4), (value) => Math.abs(value) * 255);

const lazy = () => new NDArray<"uint8">(bytes, [COUNT, 36]).divide(255).reshape(SHAPE);
const materialised = () => {
  const x = lazy();
  expect(x.data).toBeInstanceOf(Float32Array);
  return x;
};

async function everything(model: Sequential, [first, second, third]: NDArray[], threads = 1) {
  const options = { batchSize: 8, threads };
  const validationData = [third!, y] as const;
  const { history } = await model.fit(first!, y, { ...options, epochs: 2, seed: 3, validationData });
  return {
    history,
    step: await model.trainOnBatch(second!, y, { threads }),
    score: await model.evaluate(third!, y, options),
    outputs: await model.predict(first!, options),
    weights: model.getWeights(),
  };
}

describe("a model takes images that are still bytes", () => {
  test("and does what it does with floats, bit for bit, in one session with them", async () => {
    const expected = await everything(compiledNet(), [materialised(), materialised(), materialised()]);
    expect(expected.history.loss![1]).not.toBe(expected.history.loss![0]);
    for (const threads of [1, 2]) {
      expect(await everything(compiledNet(), [lazy(), lazy(), lazy()], threads)).toEqual(expected);
      expect(await everything(compiledNet(), [materialised(), lazy(), lazy()], threads)).toEqual(expected);
      expect(await everything(compiledNet(), [lazy(), materialised(), lazy()], threads)).toEqual(expected);
      expect(await everything(compiledNet(), [lazy(), lazy(), materialised()], threads)).toEqual(expected);
    }
  });

  test("never makes the floats", async () => {
    const x = lazy();
    await everything(compiledNet(), [x, x, x.slice(0)]);
    expect(x.quotient).toBeDefined();
  });

  test("and bytes as they are, which are their own floats", async () => {
    const raw = new NDArray<"uint8">(bytes, SHAPE);
    const floats = new NDArray<"float32">(Float32Array.from(bytes), SHAPE);
    const expected = await everything(compiledNet(), [floats, floats, floats]);
    expect(await everything(compiledNet(), [raw, raw, raw])).toEqual(expected);
  });

  test("sees what was written to an array after it was read", async () => {
    const model = compiledNet();
    const x = lazy();
    const view = x.slice(1, 3);
    const before = await model.predict(view);
    x.data[36] = 5;
    const after = await model.predict(view);
    expect(after.data.subarray(0, 3)).not.toEqual(before.data.subarray(0, 3));
    expect(after.data.subarray(3)).toEqual(before.data.subarray(3));
  });
});

test("labels may be divided too", async () => {
  const sparse = compiledNet();
  sparse.compile({ loss: "sparse_categorical_crossentropy" });
  const asBytes = new NDArray<"uint8">(Uint8Array.from(labels.data), [COUNT]);
  const expected = await sparse.evaluate(lazy(), labels, { threads: 1 });
  expect(await sparse.evaluate(lazy(), asBytes.divide(1), { threads: 1 })).toEqual(expected);
});
