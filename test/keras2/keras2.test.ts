/** Files that Keras 2 saved, and what it computed from them: written by `make.py`. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { loadModel, NDArray, toCategorical } from "../../src/index.ts";

interface Expected {
  /** Loss and accuracy of the saved model. */
  readonly score: readonly [number, number];
  /** Of six more steps. */
  readonly losses: readonly number[];
}

const file = (name: string) => readFileSync(new URL(name, import.meta.url));
const { x: pixels, labels, ...cases } = JSON.parse(file("expected.json").toString()) as Record<string, unknown>;
const x = new NDArray<"float32">(Float32Array.from(pixels as number[]), [12, 6, 6, 1]);
const y = toCategorical(new NDArray<"int32">(Int32Array.from(labels as number[]), [12]), 3);

describe.each(Object.entries(cases as Record<string, Expected>))("%s", (name, { score, losses }) => {
  test("scores what Keras 2 scored, and goes on training as it did", async () => {
    const model = await loadModel(file(`${name}.h5`));
    expect(model.optimizer!.iterations).toBe(6);
    const { loss, accuracy } = await model.evaluate(x, y, { batchSize: 4, threads: 1 });
    expect(loss).toBeCloseTo(score[0], 6);
    expect(accuracy).toBeCloseTo(score[1], 6);
    for (const [step, expected] of losses.entries()) {
      const start = (step * 4) % 12;
      const batch = [x.slice(start, start + 4), y.slice(start, start + 4)] as const;
      expect((await model.trainOnBatch(...batch, { threads: 1 })).loss).toBeCloseTo(expected, 5);
    }
  });
});

test("there are files of both ways to name the optimizer's state", () => {
  expect(Object.keys(cases)).toEqual([
    ...["adam", "legacy_adam", "nesterov", "legacy_momentum"],
    ...["amsgrad", "legacy_rmsprop", "legacy_adadelta"],
  ]);
});
