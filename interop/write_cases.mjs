/** Trains small networks with this library and writes what Keras is to find in their files: node write_cases.mjs DIR */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { layers, losses, NDArray, optimizers, regularizers, Sequential } from "../dist/index.js";

const [directory] = process.argv.slice(2);

/** Values between 0 and 1, the same at every run. */
function values(count, seed) {
  let state = seed >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  });
}

const { schedules } = optimizers;
const dense = () => [layers.dense({ units: 5, activation: "relu" }), layers.dense({ units: 3, activation: "softmax" })];

const cases = {
  "adam-same": {
    shape: [12, 10, 2],
    classes: 4,
    layers: [
      layers.conv2d({ filters: 5, kernelSize: [5, 3], padding: "same", activation: "relu" }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.conv2d({ filters: 6, kernelSize: 3, activation: "relu" }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.flatten(),
      layers.dense({ units: 7, activation: "relu" }),
      layers.dense({ units: 4, activation: "softmax" }),
    ],
    compile: { loss: "categorical_crossentropy", optimizer: "adam", metrics: ["accuracy"] },
  },
  "sgd-nesterov-strides": {
    shape: [9, 9, 3],
    classes: 3,
    layers: [
      layers.conv2d({ filters: 4, kernelSize: 3, strides: 2, padding: "same", activation: "tanh", name: "first" }),
      layers.conv2d({ filters: 3, kernelSize: [1, 2], useBias: false, kernelInitializer: "heNormal" }),
      layers.activation({ activation: "sigmoid" }),
      layers.maxPooling2d({ poolSize: 3, strides: 1, padding: "same" }),
      layers.flatten(),
      layers.dense({ units: 3 }),
      layers.activation({ activation: "softmax" }),
    ],
    compile: {
      loss: "sparse_categorical_crossentropy",
      optimizer: optimizers.sgd({ learningRate: 0.05, momentum: 0.9, nesterov: true }),
      metrics: ["accuracy"],
    },
    sparse: true,
  },
  "sgd-logits": {
    shape: [20],
    classes: 5,
    layers: [layers.dense({ units: 6, activation: "tanh" }), layers.dense({ units: 5 })],
    compile: {
      loss: losses.categoricalCrossentropy({ fromLogits: true }),
      optimizer: optimizers.sgd({ learningRate: 0.1 }),
      metrics: ["accuracy"],
    },
  },
  "many-layers": {
    shape: [8, 7, 2],
    classes: 4,
    layers: [
      layers.rescaling({ scale: 2, offset: -1 }),
      layers.zeroPadding2d({ padding: [1, 0] }),
      layers.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2, activation: "mish" }),
      layers.leakyReLU({ negativeSlope: 0.1 }),
      layers.conv2d({ filters: 4, kernelSize: 2, dilationRate: 2, padding: "same", activation: "relu" }),
      layers.averagePooling2d({ poolSize: 2, strides: 1, padding: "same" }),
      layers.reshape({ targetShape: [-1, 5, 4] }),
      layers.reLU({ maxValue: 6 }),
      layers.globalMaxPooling2d(),
      layers.dense({ units: 4 }),
      layers.softmax(),
    ],
    compile: { loss: "categorical_crossentropy", optimizer: "adam", metrics: ["accuracy"] },
  },
  "adam-probabilities": {
    shape: [3, 1, 4],
    classes: 3,
    layers: [
      layers.conv2d({ filters: 6, kernelSize: 1, activation: "relu", biasInitializer: "ones" }),
      // Behind a flatten Keras cannot look through to the logits, so the loss is that of probabilities.
      layers.conv2d({ filters: 1, kernelSize: 1, activation: "sigmoid" }),
      layers.flatten(),
    ],
    compile: {
      loss: "categorical_crossentropy",
      optimizer: optimizers.adam({ learningRate: 0.01, beta1: 0.8, epsilon: 1e-6 }),
      metrics: ["accuracy"],
    },
  },
  "adamw-amsgrad-schedule": {
    shape: [8],
    classes: 3,
    layers: dense(),
    compile: {
      loss: losses.categoricalCrossentropy({ labelSmoothing: 0.1 }),
      optimizer: optimizers.adamW({
        learningRate: schedules.cosineDecay({
          initialLearningRate: 0,
          decaySteps: 9,
          warmupTarget: 1,
          warmupSteps: 99,
        }),
        amsgrad: true,
        clipnorm: 1,
      }),
      metrics: ["accuracy"],
    },
  },
  "rmsprop-centered": {
    shape: [8],
    classes: 3,
    layers: dense(),
    compile: {
      loss: "categorical_crossentropy",
      optimizer: optimizers.rmsprop({ momentum: 0.5, centered: true, weightDecay: 0.1, globalClipnorm: 0.5 }),
      metrics: ["accuracy"],
    },
  },
  "adadelta-clipvalue": {
    shape: [8],
    classes: 3,
    layers: dense(),
    compile: {
      loss: "sparse_categorical_crossentropy",
      optimizer: optimizers.adadelta({ learningRate: 1, clipvalue: 1 }),
      metrics: ["accuracy"],
    },
    sparse: true,
  },
  "sgd-schedule-binary": {
    shape: [8],
    classes: 3,
    layers: [layers.dense({ units: 5, activation: "relu" }), layers.dense({ units: 3, activation: "sigmoid" })],
    compile: {
      loss: losses.binaryCrossentropy({ labelSmoothing: 1 / 8 }),
      optimizer: optimizers.sgd({
        learningRate: schedules.exponentialDecay({ initialLearningRate: 1, decaySteps: 3, decayRate: 0.5 }),
      }),
    },
  },
  "adam-squared-error": {
    shape: [3, 1, 4],
    classes: 3,
    layers: [layers.conv2d({ filters: 1, kernelSize: 1 }), layers.flatten()],
    compile: { loss: "mse", optimizer: optimizers.adam({ learningRate: 0.02, amsgrad: true, weightDecay: 0.01 }) },
  },
  "normalized-penalized-frozen": {
    shape: [6, 5, 2],
    classes: 3,
    layers: [
      layers.conv2d({
        filters: 4,
        kernelSize: 3,
        useBias: false,
        kernelRegularizer: regularizers.l2({ l2: 0.01 }),
        name: "stem",
      }),
      layers.batchNormalization({ momentum: 0.9 }),
      layers.activation({ activation: "relu" }),
      layers.conv2d({ filters: 3, kernelSize: 2, trainable: false }),
      layers.batchNormalization({ scale: false }),
      layers.globalAveragePooling2d(),
      layers.dense({ units: 3, activation: "softmax", kernelRegularizer: "l1" }),
    ],
    compile: { loss: "categorical_crossentropy", optimizer: optimizers.rmsprop(), metrics: ["accuracy"] },
  },
  // Keras drops other elements than this library, so there is nothing to compare in training.
  dropout: {
    shape: [8, 8, 1],
    classes: 3,
    layers: [
      layers.conv2d({ filters: 4, kernelSize: 3, activation: "relu" }),
      layers.dropout({ rate: 0.25 }),
      layers.flatten(),
      layers.dropout({ rate: 0.5, seed: 7 }),
      layers.dense({ units: 3, activation: "softmax" }),
    ],
    compile: { loss: "categorical_crossentropy", optimizer: "adam", metrics: ["accuracy"] },
    steps: 0,
  },
  // Random layers draw otherwise than Keras's, too. Keras 3.15 cannot save one again that was loaded with a list of factors.
  augmentation: {
    shape: [8, 8, 1],
    classes: 3,
    layers: [
      layers.randomTranslation({ heightFactor: 0.1, widthFactor: 0.2, fillMode: "constant", fillValue: 0.5 }),
      layers.randomRotation({ factor: [-0.1, 0.2], interpolation: "nearest", seed: 3 }),
      layers.randomZoom({ heightFactor: 0.2, fillMode: "wrap" }),
      layers.flatten(),
      layers.dense({ units: 3, activation: "softmax" }),
    ],
    compile: { loss: "categorical_crossentropy", optimizer: "adam", metrics: ["accuracy"] },
    steps: 0,
  },
  "not-compiled": { shape: [5], classes: 2, layers: [layers.dense({ units: 2, activation: "softmax" })] },
};

const count = 24;

for (const [name, test] of Object.entries(cases)) {
  const folder = join(directory, name);
  await mkdir(folder, { recursive: true });
  const size = test.shape.reduce((product, dimension) => product * dimension, 1);
  const inputs = values(count * size, 11);
  const labels = Int32Array.from({ length: count }, (_, i) => (i * 7 + 3) % test.classes);
  const oneHot = Float32Array.from({ length: count * test.classes }, (_, i) =>
    labels[Math.floor(i / test.classes)] === i % test.classes ? 1 : 0,
  );
  const x = new NDArray(inputs, [count, ...test.shape]);
  const y = test.sparse ? new NDArray(labels, [count]) : new NDArray(oneHot, [count, test.classes]);
  const model = new Sequential([layers.input({ shape: test.shape }), ...test.layers], { seed: 5, name });
  const expected = { shape: [count, ...test.shape], inputs: [...inputs], targets: [...y.data], targetShape: y.shape };
  if (test.compile) {
    model.compile(test.compile);
    for (let step = 0; step < 5; step++) await model.trainOnBatch(x.slice(0, 16), y.slice(0, 16));
    Object.assign(expected, { score: await model.evaluate(x, y) });
  }
  expected.predictions = [...(await model.predict(x)).data];
  for (const file of ["model.h5", "model.keras"]) await model.save(join(folder, file));
  await model.saveWeights(join(folder, "model.weights.h5"));
  expected.continued = [];
  for (let step = 0; test.compile && step < (test.steps ?? 20); step++) {
    expected.continued.push((await model.trainOnBatch(x.slice(8, 24), y.slice(8, 24))).loss);
  }
  await writeFile(join(folder, "expected.json"), JSON.stringify(expected));
}
