/** The graph that layers, losses and optimizers build, before anything is placed in memory or emitted. */
import type { GraphBuilder, Node, Op, Shape, Tensor } from "../kernels/op.ts";
import type { InputTensors } from "./network.ts";

/** Ops in the order in which they run. */
export class Graph implements GraphBuilder {
  readonly nodes: Node[] = [];

  apply<Attributes>(op: Op<Attributes>, attributes: Attributes, ...inputs: Tensor[]): Tensor {
    return this.applyAll(op, attributes, ...inputs)[0]!;
  }

  applyAll<Attributes>(op: Op<Attributes>, attributes: Attributes, ...inputs: Tensor[]): Tensor[] {
    const outputs = op
      .infer(attributes, inputs)
      .map((type, index) => ({ ...type, name: `${op.name}_${this.nodes.length}${index ? `_${index}` : ""}` }));
    this.nodes.push({ op: op as Op<unknown>, attributes, inputs, outputs });
    return outputs;
  }

  producer(tensor: Tensor): Node | undefined {
    return this.nodes.find(({ outputs }) => outputs.includes(tensor));
  }
}

/** A tensor that the caller fills for each batch: images, targets. `shape` is that of one sample. */
export function batchTensor(name: string, shape: Shape, dtype: Tensor["dtype"] = "float32"): Tensor {
  return { name, shape, batched: true, dtype };
}

/** The tensors for inputs whose samples have this shape. */
export function inputTensors(shape: Shape): InputTensors {
  return {
    input: batchTensor("input", shape),
    inputBytes: batchTensor("inputBytes", shape, "uint8"),
    inputDivisor: stateTensor("inputDivisor", [1]),
  };
}

/** A tensor that lives as long as the model: a weight, an optimizer slot, a scalar that changes from step to step. */
export function stateTensor(name: string, shape: Shape, dtype: Tensor["dtype"] = "float32"): Tensor {
  return { name, shape, batched: false, dtype };
}
