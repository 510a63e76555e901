/** The network that is open: where it comes from, what it is made of, and what it makes of 28x28 pixels. */
import { datasets, layers, loadModel, NDArray, Sequential, UserError } from "lenet";
import type { Filter, NetworkInfo } from "./protocol.ts";

export const SIDE = 28;
export const DIGITS = 10;
const INPUT = [SIDE, SIDE, 1];

export interface Network {
  readonly title: string;
  readonly model: Sequential;
}

/** The recipe's network, compiled. */
export function buildLeNet(seed: number, conv2Padding: "same" | "valid"): Sequential {
  const model = new Sequential(
    [
      layers.input({ shape: INPUT }),
      layers.conv2d({ filters: 20, kernelSize: 5, padding: "same", activation: "relu" }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.conv2d({ filters: 50, kernelSize: 5, padding: conv2Padding, activation: "relu" }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.flatten(),
      layers.dense({ units: 500, activation: "relu" }),
      layers.dense({ units: DIGITS, activation: "softmax" }),
    ],
    { seed },
  );
  model.compile({ loss: "categorical_crossentropy", optimizer: "adam", metrics: ["accuracy"] });
  return model;
}

/** The network that comes with the page: the recipe's, with the weights that the build has trained. */
export async function trainedLeNet(weights: Uint8Array): Promise<Network> {
  const model = buildLeNet(1, "same");
  const arrays = await datasets.loadNpz(weights);
  model.setWeights(model.getWeights().map((_, i) => arrays[i]!));
  return { title: "LeNet, trained at build time", model };
}

/** @throws UserError for what is no Keras file, or a network that does not tell classes apart in 28x28 pixels. */
export async function openNetwork(bytes: Uint8Array, name: string): Promise<Network> {
  // What it was trained with may be something that cannot be trained further here.
  const model = await loadModel(bytes)
    .catch(() => loadModel(bytes, { compile: false }))
    .catch((error: Error) => {
      if (error.name !== "UserError") throw error;
      throw new UserError(error.message.replace(/^loadModel/, name), { cause: error });
    });
  const { inputShape, outputShape } = model;
  if (inputShape.join() !== INPUT.join() || outputShape.length !== 1) {
    const found = `takes ${inputShape.join("x")} and gives ${outputShape.join("x")}`;
    throw new UserError(
      `${name}: expected a network that takes 28x28x1 and gives a value for each digit; it ${found}.`,
    );
  }
  return { title: name, model };
}

export function describe({ title, model }: Network): NetworkInfo {
  const described = model.layers.map((layer) => ({
    name: layer.name,
    className: layer.className,
    outputShape: layer.outputShape,
    parameters: layer.getWeights().reduce((sum, { size }) => sum + size, 0),
  }));
  return { title, layers: described, parameters: described.reduce((sum, { parameters }) => sum + parameters, 0) };
}

export function toInput(pixels: Uint8Array): NDArray<"float32"> {
  return new NDArray(pixels, [1, ...INPUT]).divide(255);
}

/** The outputs of all layers, by name, for one picture. */
export async function outputsOf({ model }: Network, pixels: Uint8Array): Promise<Map<string, Float32Array>> {
  const outputs = await model.layerOutputs(toInput(pixels));
  return new Map([...outputs].map(([name, { data }]) => [name, data]));
}

/** Probabilities of the classes; values that are none are logits. */
export function toProbabilities(values: Float32Array): number[] {
  const list = [...values];
  const sum = list.reduce((total, value) => total + value, 0);
  if (list.every((value) => value >= 0) && Math.abs(sum - 1) < 1e-3) return list;
  const largest = Math.max(...list);
  const powers = list.map((value) => Math.exp(value - largest));
  const whole = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / whole);
}

/** The weights that lead to a channel or unit of a layer; none of a layer that has none. */
export function filterOf({ model }: Network, name: string, channel: number): Filter | undefined {
  const layer = model.getLayer(name);
  const [kernel, bias] = layer.getWeights();
  if (!kernel || !["Conv2D", "Dense"].includes(layer.className)) return undefined;
  const count = kernel.shape.at(-1)!;
  const weights = Float32Array.from({ length: kernel.size / count }, (_, i) => kernel.data[i * count + channel]!);
  return { shape: kernel.shape.slice(0, -1), weights, bias: bias?.data[channel] };
}
