/**
 * The recipe with this library, from Keras's start and in the same order: what verify.mjs runs in Node and in a browser.
 *
 * @typedef {typeof import("../src/index.ts")} Lenet
 */

const BATCH = 128;
const OPTIONS = { batchSize: BATCH, threads: 2 };

/**
 * @param {Lenet} lenet
 * @param {{ sets: [[any, any], [any, any]], start: Uint8Array, final: Uint8Array, gradients: Float32Array,
 *   epochs: number, steps: number }} given the data set, and what keras_recipe.py wrote
 */
export async function runRecipe(lenet, { sets, start, final, gradients, epochs, steps }) {
  const [[images, labels], [testImages, testLabels]] = sets;
  const scale = (images) => images.reshape([-1, 28, 28, 1]).divide(255);
  const count = steps > 0 ? steps * BATCH : images.length;
  const [x, y] = [scale(images).slice(0, count), lenet.toCategorical(labels, 10).slice(0, count)];
  const test = [scale(testImages), lenet.toCategorical(testLabels, 10)];
  const gradient = await gradientDifference(lenet, start, [x.slice(0, BATCH), y.slice(0, BATCH)], gradients);
  const model = await lenet.loadModel(start);
  const { history } = await model.fit(x, y, { ...OPTIONS, epochs, shuffle: false, validationData: test });
  const theirs = await lenet.loadModel(final);
  return {
    history,
    gradient,
    test: await model.evaluate(...test, OPTIONS),
    theirs: await theirs.evaluate(...test, OPTIONS),
    file: await model.toBytes({ format: "h5" }),
  };
}

/** By one step of plain gradient descent; the largest difference, as a share of the largest gradient of its weight. */
async function gradientDifference(lenet, start, [x, y], expected) {
  const model = await lenet.loadModel(start, { compile: false });
  model.compile({ loss: "categorical_crossentropy", optimizer: lenet.optimizers.sgd({ learningRate: 1 }) });
  const before = model.getWeights();
  await model.trainOnBatch(x, y, { threads: 2 });
  let [worst, at] = [0, 0];
  for (const [i, { data }] of model.getWeights().entries()) {
    let [difference, largest] = [0, 0];
    for (let j = 0; j < data.length; j++) {
      const gradient = expected[at + j];
      difference = Math.max(difference, Math.abs(before[i].data[j] - data[j] - gradient));
      largest = Math.max(largest, Math.abs(gradient));
    }
    worst = Math.max(worst, difference / largest);
    at += data.length;
  }
  return worst;
}
