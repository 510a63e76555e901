/** The activation functions, by Keras's names. https://keras.io/api/layers/activations/ */
import { badArgument, isConfig } from "../arguments.ts";
import { type BoundedReluAttributes, boundedRelu, elementwise, relu } from "../kernels/activations.ts";
import type { GraphBuilder, Op, Tensor } from "../kernels/op.ts";
import { logSoftmax, softmax } from "../kernels/softmax.ts";

type Activation = (graph: GraphBuilder, x: Tensor) => Tensor;

const plain =
  (op: Op<object>): Activation =>
  (graph, x) =>
    graph.apply(op, {}, x);

/** A ReLU with a slope below the threshold and a bound above; the plain one where it is none of this. */
export const applyRelu = (graph: GraphBuilder, attributes: BoundedReluAttributes, x: Tensor): Tensor => {
  const { negativeSlope, threshold, maxValue } = attributes;
  const isPlain = negativeSlope === 0 && threshold === 0 && maxValue === Number.POSITIVE_INFINITY;
  return isPlain ? graph.apply(relu, {}, x) : graph.apply(boundedRelu, attributes, x);
};

const bounded =
  (attributes: Partial<BoundedReluAttributes>): Activation =>
  (graph, x) =>
    applyRelu(graph, { negativeSlope: 0, threshold: 0, maxValue: Number.POSITIVE_INFINITY, ...attributes }, x);

export const activations = {
  celu: plain(elementwise.elu),
  elu: plain(elementwise.elu),
  exponential: plain(elementwise.exponential),
  gelu: plain(elementwise.gelu),
  hard_shrink: plain(elementwise.hardShrink),
  hard_sigmoid: plain(elementwise.hardSigmoid),
  hard_silu: plain(elementwise.hardSilu),
  hard_tanh: plain(elementwise.hardTanh),
  leaky_relu: bounded({ negativeSlope: 0.2 }),
  linear: (_, x) => x,
  log_sigmoid: plain(elementwise.logSigmoid),
  log_softmax: plain(logSoftmax),
  mish: plain(elementwise.mish),
  relu: bounded({}),
  relu6: bounded({ maxValue: 6 }),
  selu: plain(elementwise.selu),
  sigmoid: plain(elementwise.sigmoid),
  silu: plain(elementwise.silu),
  soft_shrink: plain(elementwise.softShrink),
  softmax: plain(softmax),
  softplus: plain(elementwise.softplus),
  softsign: plain(elementwise.softsign),
  sparse_plus: plain(elementwise.sparsePlus),
  sparse_sigmoid: plain(elementwise.sparseSigmoid),
  squareplus: plain(elementwise.squareplus),
  tanh: plain(elementwise.tanh),
  tanh_shrink: plain(elementwise.tanhShrink),
} satisfies Record<string, Activation>;

/** Keras's second names. */
const aliases = { hard_swish: "hard_silu", swish: "silu" } as const;

type CanonicalName = keyof typeof activations;
/** Keras's name of an activation, or one of its second names. */
export type ActivationName = CanonicalName | keyof typeof aliases;

/** Checks the name of an activation; absent means linear. The name is that which Keras writes. */
export function toActivation(where: string, option: unknown): CanonicalName {
  const name = isConfig(option) ? option.config : option;
  if (name === undefined || name === null) return "linear";
  if (typeof name === "string" && Object.hasOwn(aliases, name)) return aliases[name as keyof typeof aliases];
  if (typeof name === "string" && Object.hasOwn(activations, name)) return name as CanonicalName;
  throw badArgument(where, "activation", `one of ${Object.keys(activations).join(", ")}`, name);
}

export function applyActivation(graph: GraphBuilder, name: CanonicalName, x: Tensor): Tensor {
  return (activations as Record<CanonicalName, Activation>)[name](graph, x);
}
