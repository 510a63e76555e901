/** What goes on inside a model: each layer's output, and how an output depends on the input. */
import { onlyKnown, show } from "../arguments.ts";
import { NDArray } from "../array.ts";
import { differentiate } from "../compiler/differentiate.ts";
import { fuse } from "../compiler/fuse.ts";
import { batchTensor, Graph, inputTensors } from "../compiler/graph.ts";
import type { Network } from "../compiler/network.ts";
import { InternalError, UserError } from "../errors.ts";
import { elementsOf, type Node, type Tensor } from "../kernels/op.ts";
import { softmax } from "../kernels/softmax.ts";
import { checkInputs, copyInputs } from "./data.ts";
import { forwardNetwork } from "./networks.ts";
import { Session } from "./session.ts";
import { type PlacedLayer, weightsOf } from "./state.ts";
import type { Variables } from "./variables.ts";

/** The model that is looked into. */
export interface Inspected {
  readonly placed: readonly PlacedLayer[];
  readonly variables: Variables;
}

/** Sessions by what they were made of: they last as long as that. */
const sessions = new WeakMap<object, Promise<Session>>();

/** The session for a network that belongs to `key`, made once for each size of batch, with the model's present weights. */
async function sessionFor(key: object, size: number, create: () => Network, { placed, variables }: Inspected) {
  const before = await sessions.get(key);
  if (!before || before.batchSize < size) {
    before?.close();
    sessions.set(key, Session.create(create(), { batchSize: size, threads: 1 }));
  }
  const session = await sessions.get(key)!;
  for (const tensor of weightsOf(placed)) {
    if (session.holds(tensor)) session.view(tensor).set(variables.read(tensor));
  }
  return session;
}

/** Runs the network and copies its output before anybody else has a turn. */
async function forward(session: Session, output: Tensor, count: number): Promise<Float32Array> {
  const run = session.run("forward", count);
  const data = (session.view(output) as Float32Array).slice(0, count * elementsOf(output.shape));
  await run;
  return data;
}

const networks = new WeakMap<PlacedLayer, Network>();

/** The network of one layer. */
function networkOf(placed: PlacedLayer): Network {
  const known = networks.get(placed);
  if (known) return known;
  const network = forwardNetwork([placed], placed.inputShape, placed.outputShape);
  networks.set(placed, network);
  return network;
}

/** What `layerOutputs` is told. */
export interface LayerOutputsOptions {
  /** Names of the layers that are wanted. Default: all but the input. */
  readonly layers?: readonly string[];
}

/** The outputs (n, …) of the named layers for inputs (n, …), by the layers' names, in their order. */
export async function layerOutputs(
  model: Inspected,
  x: NDArray,
  options: LayerOutputsOptions = {},
): Promise<Map<string, NDArray<"float32">>> {
  onlyKnown("layerOutputs", options, ["layers"]);
  const all = model.placed.slice(1);
  const wanted = options.layers ?? all.map(({ name }) => name);
  const unknown = wanted.find((name) => !all.some((layer) => layer.name === name));
  if (unknown !== undefined) {
    const names = all.map(({ name }) => name).join(", ");
    throw new UserError(`layerOutputs: the model has no layer ${show(unknown)}; it has ${names}.`);
  }
  let value: NDArray = checkInputs("layerOutputs", x, all[0]!.inputShape, all[0]!.name);

  const count = value.length;
  const results = new Map<string, NDArray<"float32">>();
  const last = all.findLastIndex(({ name }) => wanted.includes(name));
  // A layer at a time: compiled as a whole a network keeps no outputs in between.
  for (const placed of all.slice(0, last + 1)) {
    const network = networkOf(placed);
    const session = await sessionFor(placed, count, () => network, { ...model, placed: [placed] });
    copyInputs(session, network, value, { start: 0, count });
    const output = new NDArray<"float32">(await forward(session, network.output, count), [
      count,
      ...placed.outputShape,
    ]);
    if (wanted.includes(placed.name)) results.set(placed.name, output);
    value = output;
  }
  return results;
}

/** What `inputGradients` is told. */
export interface InputGradientsOptions {
  /** For each sample the index of the output that is differentiated. */
  readonly outputs: readonly number[];
}

interface GradientNetwork extends Network {
  /** Gradient of what is asked for with respect to the model's output; batched. */
  readonly seed: Tensor;
}

/** The forward pass and, behind it, the gradient of its output, or of the logits behind its softmax. */
function gradientNetwork(placed: readonly PlacedLayer[]): GradientNetwork {
  const [inputShape, outputShape] = [placed[0]!.outputShape, placed.at(-1)!.outputShape];
  const plain = forwardNetwork(placed, inputShape, outputShape);
  const seed = batchTensor("seed", outputShape);
  return {
    ...inputTensors(inputShape),
    seed,
    output: batchTensor("gradient", inputShape),
    parameters: weightsOf(placed),
    untrained: [seed],
    forward: (graph, x) => {
      if (!(graph instanceof Graph)) throw new InternalError("gradients need a whole graph");
      const output = plain.forward(graph, x);
      const producer = graph.producer(output);
      const differentiated = producer?.op === (softmax as Node["op"]) ? producer.inputs[0]! : output;
      graph.nodes.splice(0, graph.nodes.length, ...fuse(graph.nodes, new Set([output, differentiated])));
      return differentiate(graph, differentiated, seed, [x])[0]!;
    },
  };
}

const gradients = new WeakMap<PlacedLayer, GradientNetwork>();

/**
 * How one output of each sample depends on the sample: the gradient of that output, or of its logit where the model ends
 * in a softmax, with respect to the inputs. Shape of x.
 */
export async function inputGradients(
  model: Inspected,
  x: NDArray,
  options: InputGradientsOptions,
): Promise<NDArray<"float32">> {
  onlyKnown("inputGradients", options, ["outputs"]);
  const { placed } = model;
  const inputs = checkInputs("inputGradients", x, placed[1]!.inputShape, placed[1]!.name);
  const count = inputs.length;
  const last = placed.at(-1)!;
  const classes = elementsOf(last.outputShape);
  const { outputs } = options;
  const isOutput = (index: unknown) => Number.isInteger(index) && (index as number) >= 0 && (index as number) < classes;
  if (!Array.isArray(outputs) || outputs.length !== count || !outputs.every(isOutput)) {
    const expected = `${count} whole numbers from 0 to ${classes - 1}`;
    throw new UserError(`inputGradients: outputs must be ${expected}, got ${show(outputs)}.`);
  }
  const network = gradients.get(last) ?? gradientNetwork(placed);
  gradients.set(last, network);
  const session = await sessionFor(network, count, () => network, model);
  copyInputs(session, network, inputs, { start: 0, count });
  const seed = session.view(network.seed).fill(0);
  for (const [sample, index] of outputs.entries()) seed[sample * classes + index] = 1;
  return new NDArray(await forward(session, network.output, count), inputs.shape);
}
