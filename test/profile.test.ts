import { expect, test } from "vitest";
import { layers, NDArray, optimizers, Sequential } from "../src/index.ts";
import { randomData } from "./helpers/kernels.ts";

const SAMPLES = 12;
const x = new NDArray(randomData(SAMPLES * 8 * 8, 1), [SAMPLES, 8, 8, 1]);
const y = new NDArray(
  Float32Array.from({ length: SAMPLES * 3 }, (_, i) => Number(i % 3 === Math.floor(i / 3) % 3)),
  [SAMPLES, 3],
);

function build() {
  const model = new Sequential(
    [
      layers.input({ shape: [8, 8, 1] }),
      layers.conv2d({ filters: 6, kernelSize: 3, activation: "relu" }),
      layers.maxPooling2d(),
      layers.flatten(),
      layers.dense({ units: 9, activation: "relu" }),
      layers.dense({ units: 3, activation: "softmax" }),
    ],
    { seed: 3 },
  );
  model.compile({ loss: "categorical_crossentropy", optimizer: optimizers.adam() });
  return model;
}

test.each([1, 2])("a profile tells where the time of the steps went, on %i threads", async (threads) => {
  const began = performance.now();
  const { profile } = await build().fit(x, y, { batchSize: 4, epochs: 5, threads, profile: true });
  const elapsed = performance.now() - began;
  expect(profile).toMatchObject({ steps: 15, threads });
  const { kernels, milliseconds, ceiling } = profile!;
  expect(milliseconds).toBeGreaterThan(0);
  expect(15 * milliseconds).toBeLessThan(elapsed);
  expect(ceiling).toBeGreaterThan(0.5);
  const sum = (pick: (kernel: (typeof kernels)[number]) => number) => kernels.reduce((all, k) => all + pick(k), 0);
  expect(sum(({ share }) => share)).toBeCloseTo(1, 6);
  // A thread's work is at most the slowest thread's, and its waiting is counted apart.
  expect(sum((kernel) => kernel.milliseconds)).toBeGreaterThan((milliseconds - profile!.wait * threads) * 0.5);
  expect(new Set(kernels.map(({ phase }) => phase))).toEqual(new Set(["forward", "loss", "backward", "update"]));
  const gradient = kernels.find(({ name }) => name === "sparseConv2dWeightGradient")!;
  // Behind pooling at least three in four gradients are zero.
  expect(gradient.zeros).toBeGreaterThanOrEqual(0.75);
  expect(gradient.zeros).toBeLessThan(1);
  for (const { name, gigaflops } of kernels.filter((kernel) => /conv2d|matmul/i.test(kernel.name))) {
    expect(gigaflops, name).toBeGreaterThan(0);
  }
});

test.each([1, 2])("kernels that list the same gradients count the same zeros, on %i threads", async (threads) => {
  const model = new Sequential(
    [
      layers.input({ shape: [8, 8, 1] }),
      layers.conv2d({ filters: 5, kernelSize: 3, strides: 2, activation: "relu" }),
      layers.conv2d({ filters: 6, kernelSize: 2, activation: "relu" }),
      layers.flatten(),
      layers.dense({ units: 3, activation: "softmax" }),
    ],
    { seed: 3 },
  );
  model.compile({ loss: "categorical_crossentropy", optimizer: optimizers.adam() });
  const { profile } = await model.fit(x, y, { batchSize: SAMPLES, epochs: 2, threads, profile: true });
  const { zeros } = profile!.kernels.find(({ name }) => name === "sparseConv2dInputGradient")!;
  const weights = profile!.kernels.filter(({ name }) => name === "sparseConv2dWeightGradient");
  expect(weights.map((kernel) => kernel.zeros)).toContainEqual(expect.closeTo(zeros!, 12));
  expect(zeros).toBeGreaterThan(0.1);
  expect(zeros).toBeLessThan(0.9);
});

test("profiling changes no bit, and happens only where it is asked for", async () => {
  const [plain, profiled] = [build(), build()];
  const options = { batchSize: 4, epochs: 2, threads: 2, seed: 5 };
  const { profile } = await plain.fit(x, y, options);
  expect(profile).toBeUndefined();
  await profiled.fit(x, y, { ...options, profile: true });
  expect(profiled.getWeights()).toEqual(plain.getWeights());
});

test("the counters have their room, whatever the batch", async () => {
  // Memory comes in pages: for some of the batches the counters reach into one more.
  for (let batchSize = 1; batchSize <= 64; batchSize++) {
    const model = build();
    const samples = new NDArray(randomData(batchSize * 64, 1), [batchSize, 8, 8, 1]);
    const targets = new NDArray(new Float32Array(batchSize * 3).fill(1 / 3), [batchSize, 3]);
    const { profile } = await model.fit(samples, targets, { batchSize, epochs: 1, threads: 1, profile: true });
    expect(profile?.steps).toBe(1);
  }
});
