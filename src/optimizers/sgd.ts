import { boolean, numberIn, onlyKnown } from "../arguments.ts";
import { sgdUpdate } from "../kernels/sgd.ts";
import { learningRateOf, type Optimizer } from "./optimizer.ts";

export interface SgdOptions {
  /** Default 0.01. */
  readonly learningRate?: number;
  /** Default 0: none. */
  readonly momentum?: number;
  /** Nesterov's momentum; default false. */
  readonly nesterov?: boolean;
}

/** Stochastic gradient descent with Keras's defaults. https://keras.io/api/optimizers/sgd/ */
export function sgd(options: SgdOptions = {}): Optimizer {
  onlyKnown("sgd", options, ["learningRate", "momentum", "nesterov"]);
  const range = { min: 0, below: 1 + Number.EPSILON, expected: "a number from 0 to 1" };
  const momentum = numberIn("sgd", "momentum", options.momentum ?? 0, range);
  const nesterov = boolean("sgd", "nesterov", options.nesterov ?? false);
  return {
    className: "SGD",
    learningRate: learningRateOf("sgd", options.learningRate ?? 0.01),
    iterations: 0,
    slotNames: momentum > 0 ? ["momentum"] : [],
    scalarCount: 1,
    stepScalars() {
      return [this.learningRate];
    },
    update(graph, parameter, gradient, slots, scalars) {
      graph.applyAll(sgdUpdate, { momentum, nesterov }, parameter, gradient, ...slots, scalars);
    },
    getConfig() {
      return { name: "sgd", learning_rate: this.learningRate, momentum, nesterov };
    },
  };
}
