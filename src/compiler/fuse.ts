/**
 * Fusion: an op that only passes over what the op before it wrote is moved into that op. A pure function from nodes to
 * nodes; runs before gradients are built, so that they are those of the fused ops.
 */
import { neverFalls, relu, reluGradient } from "../kernels/activations.ts";
import { batchNorm } from "../kernels/batch-norm.ts";
import { biasAdd } from "../kernels/bias-add.ts";
import { type Conv2dAttributes, conv2d, filteringOf, isDilated } from "../kernels/conv2d.ts";
import { filterKernel } from "../kernels/filter-kernel.ts";
import { filteredConv2d } from "../kernels/filtered-conv2d.ts";
import type { Filtering } from "../kernels/filtering.ts";
import { type MatmulAttributes, matmul } from "../kernels/matmul.ts";
import { type MatmulWeightGradientAttributes, matmulWeightGradient } from "../kernels/matmul-weight-gradient.ts";
import { type MaxPool2dAttributes, maxPool2d } from "../kernels/max-pool2d.ts";
import type { Node, Op, Tensor } from "../kernels/op.ts";
import { isUpdate } from "../kernels/parameter-update.ts";
import { sparseConv2dInputGradient } from "../kernels/sparse-conv2d-input-gradient.ts";

/**
 * Fuses bias, ReLU and 2x2 pooling behind convolutions and products of matrices, and ReLU behind normalization. Tensors in
 * `kept` stay what they are.
 */
export function fuse(nodes: readonly Node[], kept: ReadonlySet<Tensor>): Node[] {
  const uses = countUses(nodes);
  const fused: Node[] = [];
  const producers = new Map<Tensor, number>();
  for (const node of poolFirst(nodes, kept)) {
    const index = producers.get(node.inputs[0]!);
    const before = index === undefined ? undefined : fused[index];
    const between = node.inputs[0]!;
    const merged = before && uses.get(between) === 1 && !kept.has(between) ? merge(before, node) : undefined;
    if (merged) fused[index!] = merged;
    else fused.push(node);
    const place = merged ? index! : fused.length - 1;
    for (const output of node.outputs) producers.set(output, place);
  }
  return fused;
}

/**
 * Takes maxima before functions that never fall, which then have fewer values to go over; and a convolution before them may
 * pool. ReLU stays where it is, for a convolution takes that in, too. Of inputs whose values are equal but for rounding the
 * largest then wins, not the first; and what is not a number, or is infinite, may win or lose where its value would not.
 */
function poolFirst(nodes: readonly Node[], kept: ReadonlySet<Tensor>): readonly Node[] {
  const uses = countUses(nodes);
  const functions = new Map<Tensor, Node>();
  const ordered: Node[] = [];
  for (const node of nodes) {
    const before = node.op === (maxPool2d as Op<unknown>) ? functions.get(node.inputs[0]!) : undefined;
    if (before) {
      const [y] = node.outputs as [Tensor];
      const pooled: Tensor = { ...y, name: `${y.name}_pooled` };
      ordered.splice(ordered.indexOf(before), 1);
      ordered.push(
        { ...node, inputs: before.inputs, outputs: [pooled] },
        { ...before, inputs: [pooled], outputs: [y] },
      );
      continue;
    }
    const output = node.outputs[0];
    if (output && neverFalls(node) && uses.get(output) === 1 && !kept.has(output)) functions.set(output, node);
    ordered.push(node);
  }
  return ordered;
}

/** The one node that does what two in a row do, where there is one. */
function merge(before: Node, after: Node): Node | undefined {
  const with_ = (attributes: object, extra: readonly Tensor[] = []): Node => ({
    ...before,
    attributes: { ...(before.attributes as object), ...attributes },
    inputs: [...before.inputs, ...extra],
    outputs: after.outputs,
  });
  const { relu: hasRelu, pool } = before.attributes as Conv2dAttributes & MatmulAttributes;
  if (before.op === (batchNorm as Op<unknown>) && after.op === (relu as Op<unknown>)) {
    return hasRelu ? undefined : with_({ relu: true });
  }
  if (before.op !== (conv2d as Op<unknown>) && before.op !== (matmul as Op<unknown>)) return undefined;
  if (pool) return undefined;
  if (after.op === (biasAdd as Op<unknown>)) {
    return before.inputs.length === 2 && !hasRelu ? with_({}, after.inputs.slice(1)) : undefined;
  }
  if (after.op === (relu as Op<unknown>)) return hasRelu ? undefined : with_({ relu: true });
  if (before.op === (conv2d as Op<unknown>) && after.op === (maxPool2d as Op<unknown>)) {
    const isFusable = isTwoByTwo(after.attributes as MaxPool2dAttributes);
    if (!isFusable || isDilated(before.attributes as Conv2dAttributes)) return undefined;
    const winners: Tensor = { ...after.outputs[0]!, name: `${after.outputs[0]!.name}_winners`, dtype: "int32" };
    return { ...with_({ pool: true }), outputs: [after.outputs[0]!, winners] };
  }
  return undefined;
}

/** Leaves out the winners of fused poolings that nobody asks for: only gradients do. */
export function leaveOutWinners(nodes: readonly Node[]): Node[] {
  const uses = countUses(nodes);
  return nodes.map((node) => {
    const { op, outputs } = node;
    const [y, winners] = outputs;
    const isAsked = op !== (conv2d as Op<unknown>) || !winners || uses.has(winners);
    return isAsked ? node : { ...node, outputs: [y!] };
  });
}

/**
 * Has convolutions filtered where that takes fewer operations. They need transforms of their kernels, which stand before
 * them. Where `prepared` is given, for programs that change no weights, those of weights are put there, by kernel, if they are
 * not there yet; without it what ReLU and pooling choose is settled, for gradients go the way of the choice.
 */
export function filterConvolutions(nodes: readonly Node[], prepared?: Map<Tensor, Node>): Node[] {
  const made = new Set(nodes.flatMap(({ outputs }) => outputs));
  return nodes.flatMap((node) => {
    if (node.op !== (conv2d as Op<unknown>)) return [node];
    const attributes = node.attributes as Conv2dAttributes;
    const [x, kernel, ...bias] = node.inputs as [Tensor, Tensor, ...Tensor[]];
    const method = filteringOf(attributes, x, kernel);
    if (!method) return [node];
    const shared = made.has(kernel) ? undefined : prepared;
    const transform = shared?.get(kernel) ?? transformOf(kernel, method);
    shared?.set(kernel, transform);
    const filtered: Node = {
      ...node,
      op: filteredConv2d as Op<unknown>,
      attributes: { ...attributes, method, settles: !prepared },
      inputs: [x, kernel, ...transform.outputs, ...bias],
    };
    return shared ? [filtered] : [transform, filtered];
  });
}

function transformOf(kernel: Tensor, method: Filtering): Node {
  const types = filterKernel.infer({ method }, [kernel]);
  const outputs = types.map((type, i) => ({ ...type, name: `${kernel.name}_${i ? "bounds" : "filtered"}` }));
  return { op: filterKernel as Op<unknown>, attributes: { method }, inputs: [kernel], outputs };
}

/** Tells convolutions whose inputs come from a ReLU. */
export function findSparseInputs(nodes: readonly Node[]): Node[] {
  const sparse = new Set<Tensor>();
  return nodes.map((node) => {
    const { op, attributes, inputs, outputs } = node;
    const isRelu = op === (relu as Op<unknown>) || (attributes as Conv2dAttributes & MatmulAttributes).relu === true;
    if (isRelu || (op.isView && sparse.has(inputs[0]!))) sparse.add(outputs[0]!);
    if (op !== (conv2d as Op<unknown>) || !sparse.has(inputs[0]!)) return node;
    return { ...node, attributes: { ...(attributes as Conv2dAttributes), sparseInput: true } };
  });
}

/**
 * Moves the gradient of a ReLU into the product or convolution that gives the gradient behind it, whose inputs get the
 * ReLU's output at their end. Views may lie between the two.
 */
export function fuseReluGradients(nodes: readonly Node[]): Node[] {
  const uses = countUses(nodes);
  const fused = [...nodes];
  const producers = new Map<Tensor, number>();
  for (const [place, { outputs }] of nodes.entries()) for (const output of outputs) producers.set(output, place);
  const renamed = new Map<Tensor, Tensor>();
  for (const node of nodes) {
    if (node.op !== (reluGradient as Op<unknown>)) continue;
    const [output, gradient] = node.inputs as [Tensor, Tensor];
    let place = producers.get(gradient);
    while (place !== undefined && fused[place]!.op.isView && uses.get(fused[place]!.outputs[0]!) === 1) {
      place = producers.get(fused[place]!.inputs[0]!);
    }
    const before = place === undefined ? undefined : fused[place]!;
    if (!before || !canMask(before) || uses.get(before.outputs[0]!) !== 1 || uses.get(gradient) !== 1) continue;
    const attributes = { ...(before.attributes as object), masked: true };
    fused[place!] = { ...before, attributes, inputs: [...before.inputs, output] };
    renamed.set(node.outputs[0]!, gradient);
  }
  const rename = (tensor: Tensor) => renamed.get(tensor) ?? tensor;
  return fused
    .filter(({ outputs }) => !outputs.some((output) => renamed.has(output)))
    .map((node) => ({ ...node, inputs: node.inputs.map(rename) }));
}

function canMask({ op, attributes }: Node): boolean {
  if (op === (sparseConv2dInputGradient as Op<unknown>)) return true;
  return op === (matmul as Op<unknown>) && (attributes as MatmulAttributes).transposed === true;
}

/**
 * Moves optimizers' updates behind the weight gradients of dense layers, which then need no memory. The fused op stands
 * where the update stood: behind all that reads the weight.
 */
export function fuseUpdates(nodes: readonly Node[]): Node[] {
  const uses = countUses(nodes);
  const gradients = new Map<Tensor, Node>();
  for (const node of nodes) {
    if (node.op === (matmulWeightGradient as Op<unknown>)) gradients.set(node.outputs[0]!, node);
  }
  const moved = new Set<Node>();
  const fused = nodes.map((node): Node => {
    const [parameter, gradient, ...state] = node.inputs;
    const before = gradient && gradients.get(gradient);
    if (!before || !isUpdate(node.op) || uses.get(gradient) !== 1) return node;
    moved.add(before);
    const update = { op: node.op, attributes: node.attributes };
    return { op: before.op, attributes: { update }, inputs: [...before.inputs, parameter!, ...state], outputs: [] };
  });
  return fused.filter((node) => !moved.has(node));
}

/** Outputs of a dense layer from which on its gradients are made together; for 10 that takes longer. */
const LEAST_PAIRED = 32;

/**
 * Moves the input gradient of a dense layer behind a ReLU into its weight gradient: both are made of the same rows. The
 * pair stands where the input gradient stood, with the weight's update where there is one: nothing may read the weight
 * after that.
 */
export function pairDenseGradients(nodes: readonly Node[]): Node[] {
  const views = new Map<Tensor, Tensor>();
  for (const { op, inputs, outputs } of nodes) if (op.isView) views.set(outputs[0]!, inputs[0]!);
  const original = (tensor: Tensor): Tensor => {
    const viewed = views.get(tensor);
    return viewed ? original(viewed) : tensor;
  };
  const moved = new Set<Node>();
  const paired = nodes.map((node, place): Node => {
    if (node.op !== (matmul as Op<unknown>) || !(node.attributes as MatmulAttributes).masked) return node;
    const [dy, weight, mask] = node.inputs as [Tensor, Tensor, Tensor];
    const partner = nodes.find(
      ({ op, inputs: [x, gradient] }) =>
        op === (matmulWeightGradient as Op<unknown>) && gradient === dy && original(x!) === original(mask),
    );
    if (!partner || dy.shape.at(-1)! < LEAST_PAIRED) return node;
    const { update } = partner.attributes as MatmulWeightGradientAttributes;
    const isRead = nodes.slice(place + 1).some((later) => later !== partner && later.inputs.includes(weight));
    if (update && isRead) return node;
    moved.add(partner);
    return {
      op: partner.op,
      attributes: { update, inputGradient: true },
      inputs: update ? partner.inputs : [...partner.inputs, weight],
      outputs: [...node.outputs, ...partner.outputs],
    };
  });
  return paired.filter((node) => !moved.has(node));
}

function countUses(nodes: readonly Node[]): Map<Tensor, number> {
  const uses = new Map<Tensor, number>();
  for (const input of nodes.flatMap((node) => node.inputs)) uses.set(input, (uses.get(input) ?? 0) + 1);
  return uses;
}

function isTwoByTwo({ poolSize, strides, padding }: MaxPool2dAttributes): boolean {
  return [...poolSize, ...strides].every((size) => size === 2) && padding.every((side) => side === 0);
}
