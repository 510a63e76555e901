/** TensorFlow.js on its plain JavaScript backend, the only one on Node without a native add-on that can train a convolution. */
import * as tf from "@tensorflow/tfjs";
import { answer, config, firstImages } from "./mnist.mjs";

await tf.setBackend("cpu");
const { definition } = config;
const model = tf.sequential();
let inputShape = definition.input;
for (const layer of definition.layers) {
  const first = inputShape && { inputShape };
  inputShape = undefined;
  if (layer.conv) {
    const { conv: filters, kernel: kernelSize, padding } = layer;
    model.add(tf.layers.conv2d({ ...first, filters, kernelSize, padding, activation: "relu" }));
  } else if (layer.pool) model.add(tf.layers.maxPooling2d({ poolSize: layer.pool }));
  else if (layer.flatten) model.add(tf.layers.flatten());
  else model.add(tf.layers.dense({ units: layer.dense, activation: layer.activation ?? "softmax" }));
}
model.compile({ loss: "categoricalCrossentropy", optimizer: "adam", metrics: ["accuracy"] });
const { x, targets } = firstImages(128);
const images = tf.tensor(x, [128, 28, 28, 1]);
const labels = tf.tensor(targets, [128, 10]);
await answer(() => model.trainOnBatch(images, labels));
