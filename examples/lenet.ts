/**
 * LeNet on MNIST, line for line as the Keras script has it. Run it with Node 22.18 or later (`node examples/lenet.ts`), or
 * with any Node by `npx tsx examples/lenet.ts`; in a clone after `npm ci && npm run build`.
 */
import { datasets, layers, Sequential, toCategorical } from "lenet";

const batchSize = 128;
const numClasses = 10;
const epochs = 10;

// the data, split between train and test sets
const [[trainImages, trainLabels], [testImages, testLabels]] = await datasets.mnist.loadData();

const xTrain = trainImages.reshape([-1, 28, 28, 1]).divide(255);
const xTest = testImages.reshape([-1, 28, 28, 1]).divide(255);
console.log("x_train shape:", xTrain.shape);
console.log(xTrain.length, "train samples");
console.log(xTest.length, "test samples");

// convert class vectors to binary class matrices
const yTrain = toCategorical(trainLabels, numClasses);
const yTest = toCategorical(testLabels, numClasses);

const model = new Sequential();
model.add(layers.input({ shape: [28, 28, 1] }));
model.add(layers.conv2d({ filters: 20, kernelSize: [5, 5], padding: "same", activation: "relu" }));
model.add(layers.maxPooling2d({ poolSize: [2, 2] }));
model.add(layers.conv2d({ filters: 50, kernelSize: [5, 5], padding: "same", activation: "relu" }));
model.add(layers.maxPooling2d({ poolSize: [2, 2] }));
model.add(layers.flatten());
model.add(layers.dense({ units: 500, activation: "relu" }));
model.add(layers.dense({ units: numClasses, activation: "softmax" }));
model.summary();

model.compile({ loss: "categorical_crossentropy", optimizer: "adam", metrics: ["accuracy"] });

const printEpoch = { onEpochEnd: (epoch: number, logs: object) => console.log(`Epoch ${epoch + 1}/${epochs}`, logs) };
await model.fit(xTrain, yTrain, { batchSize, epochs, validationData: [xTest, yTest], callbacks: [printEpoch] });

await model.save("mnist_LeNet.h5");

const score = await model.evaluate(xTest, yTest);
console.log("Test loss:", score.loss);
console.log("Test accuracy:", score.accuracy);
