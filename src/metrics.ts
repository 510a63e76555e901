/** Metrics. https://keras.io/api/metrics/ */
import { show } from "./arguments.ts";
import { UserError } from "./errors.ts";
import { accuracy } from "./kernels/accuracy.ts";
import type { GraphBuilder, Tensor } from "./kernels/op.ts";
import type { Loss } from "./losses.ts";

/** A value of each sample, averaged over the data. */
export interface Metric {
  /** The name in logs and history. */
  readonly name: string;
  lower(graph: GraphBuilder, output: Tensor, targets: Tensor): Tensor;
}

/** The metric that an option of `compile` names. "accuracy" compares classes in the way that the loss's targets give them. */
export function toMetric(option: unknown, loss: Loss): Metric {
  if (option !== "accuracy" && option !== "acc") {
    throw new UserError(`compile: metric ${show(option)} is unknown; known is "accuracy".`);
  }
  if (!loss.name.endsWith("categorical_crossentropy")) {
    throw new UserError(`compile: metric ${show(option)} needs a categorical cross-entropy, got ${loss.name}.`);
  }
  const attributes = { sparse: loss.sparse };
  return { name: option, lower: (graph, output, targets) => graph.apply(accuracy, attributes, output, targets) };
}
