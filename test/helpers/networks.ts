/** Networks for the compiler, made of layers, without a model around them. */
import { batchTensor, inputTensors, stateTensor } from "../../src/compiler/graph.ts";
import type { Network } from "../../src/compiler/network.ts";
import { elementsOf, type GraphBuilder, type Op, type Tensor } from "../../src/kernels/op.ts";
import { reshape } from "../../src/kernels/reshape.ts";
import { conv2d, dense, flatten, maxPooling2d } from "../../src/layers/index.ts";
import type { Layer } from "../../src/layers/layer.ts";
import { categoricalCrossentropy, type Loss } from "../../src/losses.ts";
import { toMetric } from "../../src/metrics.ts";
import { adam, type Optimizer } from "../../src/optimizers/index.ts";
import { generator } from "../../src/random.ts";

export interface NetworkOptions {
  readonly input: readonly number[];
  readonly layers: readonly Layer[];
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  /** Puts a view behind each op, so that no two can be fused. */
  readonly split?: boolean;
}

export interface BuiltNetwork {
  readonly network: Network & { readonly training: NonNullable<Network["training"]> };
  readonly optimizer: Optimizer;
  /** First values of all weights. */
  readonly initial: ReadonlyMap<Tensor, Float32Array>;
}

/** The recipe's. */
export function recipeNetwork(): BuiltNetwork {
  const layers = [
    conv2d({ filters: 20, kernelSize: 5, padding: "same", activation: "relu" }),
    maxPooling2d(),
    conv2d({ filters: 50, kernelSize: 5, padding: "same", activation: "relu" }),
    maxPooling2d(),
    flatten(),
    dense({ units: 500, activation: "relu" }),
    dense({ units: 10, activation: "softmax" }),
  ];
  return networkOf({ input: [28, 28, 1], layers, loss: categoricalCrossentropy(), optimizer: adam() });
}

export function networkOf({ input, layers, loss, optimizer, split = false }: NetworkOptions): BuiltNetwork {
  const initial = new Map<Tensor, Float32Array>();
  const untrained: Tensor[] = [];
  let shape = input;
  const placed = layers.map((layer, index) => {
    const tensors = layer.weights(shape).map((spec) => {
      const tensor = stateTensor(`${index}/${spec.name}`, spec.shape);
      // Biases are not left at zero: that would hide them.
      const random = generator(9, index);
      const isTrained = spec.trainable !== false;
      const isBias = spec.shape.length === 1 && isTrained;
      if (!isTrained) untrained.push(tensor);
      const values = isBias ? new Float32Array(elementsOf(spec.shape)).map(() => random.uniform() - 0.5) : undefined;
      initial.set(tensor, values ?? spec.initializer.create(spec.shape, random));
      return tensor;
    });
    shape = layer.outputShape(shape, "layer");
    return { layer, tensors };
  });
  const parameters = [...initial.keys()].filter((tensor) => !untrained.includes(tensor));
  const target = loss.target(shape);
  const metric = toMetric("accuracy", loss, shape);
  const network = {
    ...inputTensors(input),
    output: batchTensor("output", shape),
    parameters,
    untrained,
    forward: (graph: GraphBuilder, x: Tensor, step?: Tensor) => {
      const builder = split ? splitting(graph) : graph;
      return placed.reduce((value, { layer, tensors }) => layer.lower(builder, value, tensors, step), x);
    },
    training: {
      targets: batchTensor("targets", target.shape, target.dtype),
      loss: loss.lower,
      metrics: [metric.lower],
      optimizer,
      slots: parameters.map(({ name, shape: size }) => optimizer.slotNames.map((s) => stateTensor(name + s, size))),
      scalars: stateTensor("scalars", [optimizer.scalarCount]),
      step: stateTensor("step", [1], "int32"),
      results: stateTensor("results", [2]),
    },
  };
  return { network, optimizer, initial };
}

function splitting(graph: GraphBuilder): GraphBuilder {
  return {
    apply<Attributes>(op: Op<Attributes>, attributes: Attributes, ...inputs: Tensor[]) {
      const result = graph.apply(op, attributes, ...inputs);
      return graph.apply(reshape, { shape: result.shape }, result);
    },
    applyAll: (op, attributes, ...inputs) => graph.applyAll(op, attributes, ...inputs),
    producer: (tensor) => graph.producer(tensor),
  };
}
