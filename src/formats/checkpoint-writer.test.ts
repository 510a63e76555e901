import { expect, test } from "vitest";
import { CheckpointWriter } from "./checkpoint-writer.ts";
import { readKerasH5, writeKerasH5 } from "./keras-h5.ts";
import type { NamedTensor } from "./saved-model.ts";

function tensor(name: string, shape: readonly number[], first: number): NamedTensor {
  const length = shape.reduce((product, size) => product * size, 1);
  return { name, shape, data: Float32Array.from({ length }, (_, i) => first + i / 7) };
}

/** A model with state, after so many steps, whose text has so many characters. */
function model(steps: number, characters: number, units = 3) {
  return {
    modelConfig: { class_name: "Sequential", config: { name: "small", layers: [] } },
    trainingConfig: { loss: "mse" },
    layers: [
      {
        name: "dense",
        weights: [tensor("small/dense/kernel", [2, units], steps), tensor("small/dense/bias", [units], -steps)],
      },
      { name: "flatten", weights: [] },
    ],
    optimizer: { name: "adam", iterations: steps, weights: [tensor("adam/learning_rate", [], 1e-3 * steps)] },
    checkpoint: { text: JSON.stringify("é".repeat(characters)), tensors: [tensor("array_0", [2, 2], 5 * steps)] },
  };
}

test("the bytes are those of the writer that it stands for", async () => {
  const writer = new CheckpointWriter();
  const cases = [model(1, 5), model(2, 6), model(2 ** 40, 0), model(4, 5, 4), model(5, 9000, 4), model(6, 3, 4)];
  const lengths: number[] = [];
  for (const saved of cases) {
    const bytes = await writer.write(saved);
    // The room for the text is filled up with spaces.
    const found = (await readKerasH5(bytes.slice())).checkpoint!.text;
    expect(found.trimEnd()).toBe(saved.checkpoint.text);
    lengths.push(new TextEncoder().encode(found).length);
    const checkpoint = { ...saved.checkpoint, text: found };
    expect(Buffer.compare(bytes, await writeKerasH5({ ...saved, checkpoint }))).toBe(0);
  }
  expect(lengths).toEqual([4096, 4096, 4096, 4096, 36_864, 36_864]);
});
