import { boolean, numberIn } from "../arguments.ts";
import { sgdUpdate } from "../kernels/sgd.ts";
import { checkNames, makeOptimizer, type Optimizer, type OptimizerOptions } from "./optimizer.ts";

export interface SgdOptions extends OptimizerOptions {
  /** Default 0: none. */
  readonly momentum?: number;
  /** Nesterov's momentum; default false. */
  readonly nesterov?: boolean;
}

/** Stochastic gradient descent with Keras's defaults; learning rate 0.01. https://keras.io/api/optimizers/sgd/ */
export function sgd(options: SgdOptions = {}): Optimizer {
  const where = "sgd";
  checkNames(where, options, ["momentum", "nesterov"]);
  const range = { min: 0, below: 1 + Number.EPSILON, expected: "a number from 0 to 1" };
  const momentum = numberIn(where, "momentum", options.momentum ?? 0, range);
  const nesterov = boolean(where, "nesterov", options.nesterov ?? false);
  const kind = {
    ...{ where, className: "SGD", name: "sgd" },
    slotGroups: momentum > 0 ? [["momentum"]] : [],
    op: sgdUpdate,
    attributes: { momentum, nesterov },
    config: { momentum, nesterov },
  };
  return makeOptimizer(kind, options, 0.01);
}
