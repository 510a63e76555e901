/** The networks that are timed, for our library and, as the same list of layers, for the peers. */

const recipe = (padding) => ({
  input: [28, 28, 1],
  data: "mnist",
  layers: [
    { conv: 20, kernel: 5, padding: "same" },
    { pool: 2 },
    { conv: 50, kernel: 5, padding },
    { pool: 2 },
    { flatten: true },
    { dense: 500, activation: "relu" },
    { dense: 10 },
  ],
});

export const networks = {
  same: recipe("same"),
  valid: recipe("valid"),
  /** Keras's own simple convnet for MNIST: https://keras.io/examples/vision/mnist_convnet/ */
  convnet: {
    input: [28, 28, 1],
    data: "mnist",
    layers: [
      { conv: 32, kernel: 3, padding: "valid" },
      { pool: 2 },
      { conv: 64, kernel: 3, padding: "valid" },
      { pool: 2 },
      { flatten: true },
      { dropout: 0.5 },
      { dense: 10 },
    ],
  },
  /** Two pairs of convolutions with batch normalization before their ReLUs, on random images. */
  normalized: {
    input: [32, 32, 3],
    data: "random",
    layers: [
      { conv: 32, kernel: 3, padding: "same", norm: true },
      { conv: 32, kernel: 3, padding: "same", norm: true },
      { pool: 2 },
      { conv: 64, kernel: 3, padding: "same", norm: true },
      { conv: 64, kernel: 3, padding: "same", norm: true },
      { pool: 2 },
      { flatten: true },
      { dense: 10 },
    ],
  },
  /** Two convolutions with tanh before their pooling, on random images. */
  tanh: {
    input: [32, 32, 3],
    data: "random",
    layers: [
      { conv: 32, kernel: 3, padding: "same", activation: "tanh" },
      { pool: 2 },
      { conv: 64, kernel: 3, padding: "same", activation: "tanh" },
      { pool: 2 },
      { flatten: true },
      { dense: 10 },
    ],
  },
  /** Three strided convolutions, no pooling, on random images. */
  strided: {
    input: [32, 32, 3],
    data: "random",
    layers: [
      { conv: 32, kernel: 3, strides: 2, padding: "same" },
      { conv: 64, kernel: 3, strides: 2, padding: "same" },
      { conv: 128, kernel: 3, strides: 2, padding: "same" },
      { flatten: true },
      { dense: 10 },
    ],
  },
};

/** Builds a network with our library. A convolution has a ReLU behind it, or another activation, or normalization and a ReLU. */
export function build({ layers, Sequential }, { input, layers: list }, options = {}) {
  const make = (layer) => {
    if (layer.conv) {
      const { conv: filters, kernel: kernelSize, strides = 1, padding, norm = false, activation = "relu" } = layer;
      const own = { filters, kernelSize, strides, padding };
      if (norm) return [layers.conv2d(own), layers.batchNormalization(), layers.reLU()];
      return layers.conv2d({ ...own, activation });
    }
    if (layer.pool) return layers.maxPooling2d({ poolSize: layer.pool });
    if (layer.dropout) return layers.dropout({ rate: layer.dropout });
    if (layer.flatten) return layers.flatten();
    return layers.dense({ units: layer.dense, activation: layer.activation ?? "softmax" });
  };
  const model = new Sequential([layers.input({ shape: input }), ...list.flatMap(make)], options);
  model.compile({ loss: "categorical_crossentropy", optimizer: "adam", metrics: ["accuracy"] });
  return model;
}
