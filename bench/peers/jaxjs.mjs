/** jax-js on WebAssembly: the recipe's network, its gradient and Adam, as its users write them. */
import { blockUntilReady, defaultDevice, jit, lax, nn, numpy as np, valueAndGrad } from "@jax-js/jax";
import { answer, firstImages } from "./mnist.mjs";

defaultDevice("wasm");
const random = (...shape) => {
  const count = shape.reduce((a, b) => a * b, 1);
  const limit = Math.sqrt(6 / (count / Math.min(...shape)));
  return np.array(Float32Array.from({ length: count }, () => (Math.random() * 2 - 1) * limit)).reshape(shape);
};
const zeros = (size) => np.zeros([size]);
let weights = [
  ...[random(20, 1, 5, 5), zeros(20), random(50, 20, 5, 5), zeros(50)],
  ...[random(2450, 500), zeros(500), random(500, 10), zeros(10)],
];
const pool = (x) => {
  const [n, channels, height, width] = x.shape;
  return np.max(x.reshape([n, channels, height / 2, 2, width / 2, 2]), [3, 5]);
};
const convolve = (x, kernel, bias) =>
  nn.relu(lax.convGeneralDilated(x, kernel, [1, 1], "SAME").add(bias.reshape([1, -1, 1, 1])));

function loss([k1, b1, k2, b2, w3, b3, w4, b4], x, targets) {
  let h = pool(convolve(x, k1, b1));
  h = pool(convolve(h, k2, b2)).reshape([128, 2450]);
  h = nn.relu(np.matmul(h, w3).add(b3));
  const logits = np.matmul(h, w4).add(b4);
  return nn
    .logSoftmax(logits)
    .mul(targets)
    .sum()
    .mul(-1 / 128);
}

const gradient = jit(valueAndGrad(loss));
let moments = weights.map(({ shape }) => [np.zeros(shape), np.zeros(shape)]);
const data = firstImages(128);
const x = np.array(data.x).reshape([128, 1, 28, 28]);
const targets = np.array(data.targets).reshape([128, 10]);

await answer(async () => {
  const [value, gradients] = gradient(
    weights.map((weight) => weight.ref),
    x.ref,
    targets.ref,
  );
  moments = moments.map(([m, v], i) => {
    const g = gradients[i];
    return [m.mul(0.9).add(g.ref.mul(0.1)), v.mul(0.999).add(g.ref.mul(g).mul(0.001))];
  });
  weights = weights.map((weight, i) => {
    const [m, v] = moments[i];
    return weight.sub(m.ref.mul(1e-3).div(np.sqrt(v.ref).add(1e-7)));
  });
  await blockUntilReady(weights.map((weight) => weight.ref));
  value.dispose();
});
