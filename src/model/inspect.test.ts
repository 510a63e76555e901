import { describe, expect, it } from "vitest";
import { layers, NDArray, Sequential, UserError } from "../index.ts";

/** Of which the gradients go through convolutions with the kernel turned, that are filtered. */
const unpooled = () =>
  new Sequential(
    [
      layers.input({ shape: [12, 12, 1] }),
      layers.conv2d({ filters: 16, kernelSize: 3, padding: "same", activation: "tanh" }),
      layers.conv2d({ filters: 16, kernelSize: 3, padding: "same", activation: "relu" }),
      layers.flatten(),
      layers.dense({ units: 9, activation: "relu" }),
      layers.dense({ units: 3, activation: "softmax" }),
    ],
    { seed: 5 },
  );

const network = (padding: "same" | "valid") =>
  new Sequential(
    [
      layers.input({ shape: [12, 12, 1] }),
      layers.conv2d({ filters: 4, kernelSize: 3, padding: "same", activation: "relu" }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.conv2d({ filters: 6, kernelSize: 3, padding, activation: "relu" }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.flatten(),
      layers.dense({ units: 9, activation: "relu" }),
      layers.dense({ units: 3, activation: "softmax" }),
    ],
    { seed: 3 },
  );

const samples = (count: number) =>
  new NDArray(
    Float32Array.from({ length: count * 144 }, (_, i) => Math.abs(Math.sin(i * 12.9898) * 43758.5453) % 1),
    [count, 12, 12, 1],
  );

describe("layerOutputs", () => {
  it("gives each layer's output, of which the last is what predict gives", async () => {
    const model = network("valid");
    const x = samples(3);
    const outputs = await model.layerOutputs(x);
    expect([...outputs].map(([name, { shape }]) => [name, ...shape])).toEqual(
      model.layers.map(({ name, outputShape }) => [name, 3, ...outputShape]),
    );
    const predicted = await model.predict(x);
    [...outputs.values()].at(-1)!.data.forEach((value, i) => {
      expect(value).toBeCloseTo(predicted.data[i]!, 5);
    });
  });

  it("follows the weights, and larger batches", async () => {
    const model = network("same");
    await model.layerOutputs(samples(1));
    model.setWeights(
      model.getWeights().map(
        ({ data, shape }) =>
          new NDArray(
            data.map((v) => v * 0.5),
            shape,
          ),
      ),
    );
    const x = samples(2);
    const last = model.layers.at(-1)!.name;
    const outputs = await model.layerOutputs(x, { layers: [last] });
    expect([...outputs.keys()]).toEqual([last]);
    const predicted = await model.predict(x);
    outputs.get(last)!.data.forEach((value, i) => {
      expect(value).toBeCloseTo(predicted.data[i]!, 5);
    });
  });

  it("refuses names that there are not", async () => {
    await expect(network("same").layerOutputs(samples(1), { layers: ["nothing"] })).rejects.toThrow(UserError);
  });
});

/** Holds the gradients of two samples to finite differences. */
async function expectDifferences(model: Sequential): Promise<void> {
  const x = samples(2);
  const outputs = [2, 0];
  const gradients = await model.inputGradients(x, { outputs });
  expect(gradients.shape).toEqual(x.shape);
  // log(p) differs from the logit by what all classes share.
  const logits = async (inputs: NDArray) => {
    const before = model.layers.at(-2)!.name;
    const features = (await model.layerOutputs(inputs, { layers: [before] })).get(before)!;
    const [kernel, bias] = model.layers.at(-1)!.getWeights();
    return outputs.map((output, sample) => {
      let sum = bias!.data[output]!;
      for (let i = 0; i < 9; i++) sum += features.data[sample * 9 + i]! * kernel!.data[i * 3 + output]!;
      return sum;
    });
  };
  const step = 1 / 256;
  for (const pixel of [0, 17, 60, 77, 130, 143]) {
    const moved = async (by: number) => {
      const data = Float32Array.from(x.data);
      data[pixel]! += by;
      data[144 + pixel]! += by;
      return logits(new NDArray(data, x.shape));
    };
    const [above, below] = [await moved(step), await moved(-step)];
    for (const sample of [0, 1]) {
      const difference = (above[sample]! - below[sample]!) / (2 * step);
      expect(gradients.data[sample * 144 + pixel]!).toBeCloseTo(difference, 2);
    }
  }
  expect(gradients.data.some((value) => Math.abs(value) > 0.01)).toBe(true);
}

describe("inputGradients", () => {
  it.each([
    ["padding same", () => network("same")],
    ["padding valid", () => network("valid")],
    ["without pooling", unpooled],
  ])("gives finite differences of the logits, %s", async (_, make) => {
    const model = make();
    await expectDifferences(model);
    model.setWeights(model.getWeights().map((weight) => weight.divide(-1.5) as NDArray));
    await expectDifferences(model);
  });

  it("refuses outputs that there are not", async () => {
    await expect(network("same").inputGradients(samples(1), { outputs: [3] })).rejects.toThrow(UserError);
    await expect(network("same").inputGradients(samples(2), { outputs: [1] })).rejects.toThrow(UserError);
  });
});
