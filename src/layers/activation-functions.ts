/** The activation functions, by Keras's names. https://keras.io/api/layers/activations/ */
import { badArgument, isConfig } from "../arguments.ts";
import { relu, sigmoid, tanh } from "../kernels/activations.ts";
import type { GraphBuilder, Op, Tensor } from "../kernels/op.ts";
import { softmax } from "../kernels/softmax.ts";

const ops = { linear: undefined, relu, sigmoid, softmax, tanh } satisfies Record<string, Op<object> | undefined>;

export type ActivationName = keyof typeof ops;

/** Checks the name of an activation; absent means linear. */
export function toActivation(where: string, option: unknown): ActivationName {
  const name = isConfig(option) ? option.config : option;
  if (name === undefined || name === null) return "linear";
  if (typeof name === "string" && Object.hasOwn(ops, name)) return name as ActivationName;
  throw badArgument(where, "activation", `one of ${Object.keys(ops).join(", ")}`, name);
}

export function applyActivation(graph: GraphBuilder, name: ActivationName, x: Tensor): Tensor {
  const op = ops[name];
  return op ? graph.apply(op, {}, x) : x;
}
