/**
 * What the tests let Node and browsers do alike. JavaScript, because a browser loads it as it lies.
 *
 * @typedef {typeof import("../../src/index.ts")} Lenet
 */

/** @param {Float32Array} values */
async function sumOf(values) {
  const digest = await crypto.subtle.digest("SHA-256", Float32Array.from(values));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {Uint8Array} bytes */
const toBase64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
/** @param {string} text */
const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

/**
 * Fifty steps of LeNet on made-up digits.
 *
 * @param {Lenet} lenet
 */
async function trainFiftySteps({ layers, NDArray, Sequential, toCategorical }) {
  const model = new Sequential(
    [
      layers.input({ shape: [28, 28, 1] }),
      layers.conv2d({ filters: 20, kernelSize: 5, padding: "same", activation: "relu" }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.conv2d({ filters: 50, kernelSize: 5, padding: "same", activation: "relu" }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.flatten(),
      layers.dense({ units: 500, activation: "relu" }),
      layers.dense({ units: 10, activation: "softmax" }),
    ],
    { seed: 7 },
  );
  model.compile({ loss: "categorical_crossentropy", optimizer: "adam", metrics: ["accuracy"] });
  const samples = 32 * 50;
  const x = new Float32Array(samples * 784);
  const y = new Uint8Array(samples);
  for (let i = 0; i < samples; i++) {
    const digit = (i * 7 + 3) % 10;
    y[i] = digit;
    // A square whose place and size tell the class.
    for (let row = 0; row < 4 + digit; row++) {
      for (let column = 0; column < 8; column++) x[i * 784 + (row + digit) * 28 + column + ((i * 3) % 16)] = 0.75;
    }
  }
  const images = new NDArray(x, [samples, 28, 28, 1]);
  const targets = toCategorical(new NDArray(y, [samples]), 10);
  const { history, profile } = await model.fit(images, targets, { batchSize: 32, threads: 2, profile: true });
  const sums = await Promise.all(model.getWeights().map(({ data }) => sumOf(data)));
  return { sums, loss: history.loss?.[0], threads: profile?.threads };
}

/**
 * A file's model at work on inputs in a pattern: its outputs, and itself saved again.
 *
 * @param {Lenet} lenet
 * @param {{ file: string, format: "h5" | "keras" }} options `file` in base64
 */
async function useFile({ loadModel, NDArray }, { file, format }) {
  const model = await loadModel(fromBase64(file));
  const shape = model.inputShape;
  const size = shape.reduce((product, length) => product * length, 4);
  const x = new NDArray(
    Float32Array.from({ length: size }, (_, i) => ((i * 37) % 101) / 101),
    [4, ...shape],
  );
  const outputs = await model.predict(x);
  return { outputs: Array.from(outputs.data), saved: toBase64(await model.toBytes({ format })) };
}

/**
 * What users are told of mistakes.
 *
 * @param {Lenet} lenet
 * @param {{ file: string }} options a damaged file in base64
 */
async function makeMistakes({ datasets, layers, loadModel, Sequential, UserError }, { file }) {
  const model = new Sequential([layers.input({ shape: [2] }), layers.dense({ units: 1 })]);
  const mistakes = [
    () => loadModel(fromBase64(file)),
    () => loadModel("model.h5"),
    () => model.save("model.h5"),
    () => datasets.imageFolder("pictures"),
    () => datasets.mnist.loadData(),
  ];
  const messages = [];
  for (const mistake of mistakes) {
    messages.push(
      await mistake().then(
        () => "no error",
        (error) => (error instanceof UserError ? error.message : String(error.stack)),
      ),
    );
  }
  return messages;
}

export const tasks = { trainFiftySteps, useFile, makeMistakes };
