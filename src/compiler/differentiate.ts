/** Reverse-mode differentiation: appends the gradients' ops to a graph. */
import { InternalError } from "../errors.ts";
import type { Tensor } from "../kernels/op.ts";
import type { Graph } from "./graph.ts";

/**
 * Appends to `graph` what computes the gradients of `parameters`, given the gradient of one of its tensors.
 *
 * @returns the gradient of each parameter, in order.
 */
export function differentiate(graph: Graph, of: Tensor, gradient: Tensor, parameters: readonly Tensor[]): Tensor[] {
  const forward = [...graph.nodes];
  const needed = dependents(forward, parameters);
  const gradients = new Map<Tensor, Tensor>([[of, gradient]]);
  for (const node of forward.reverse()) {
    const incoming = gradients.get(node.outputs[0]!);
    if (!incoming || !node.outputs.some((output) => needed.has(output))) continue;
    if (!node.op.gradient) throw new InternalError(`op ${node.op.name} has no gradient`);
    const wanted = node.inputs.map((input) => needed.has(input));
    node.op.gradient(graph, node, [incoming], wanted).forEach((result, index) => {
      const input = node.inputs[index]!;
      if (!result || !wanted[index]) return;
      if (gradients.has(input)) throw new InternalError(`tensor ${input.name} is used twice: not supported`);
      gradients.set(input, result);
    });
  }
  return parameters.map((parameter) => {
    const found = gradients.get(parameter);
    if (!found) throw new InternalError(`weight ${parameter.name} has no gradient`);
    return found;
  });
}

/** All tensors that depend on one of `roots`, and the roots. */
function dependents(
  nodes: readonly { inputs: readonly Tensor[]; outputs: readonly Tensor[] }[],
  roots: readonly Tensor[],
) {
  const found = new Set(roots);
  for (const { inputs, outputs } of nodes) {
    if (inputs.some((input) => found.has(input))) for (const output of outputs) found.add(output);
  }
  return found;
}
