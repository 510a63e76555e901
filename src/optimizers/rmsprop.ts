import { boolean } from "../arguments.ts";
import { rmspropUpdate } from "../kernels/rmsprop.ts";
import { atLeast0, checkNames, makeOptimizer, type Optimizer, type OptimizerOptions, shareOf } from "./optimizer.ts";

export interface RmspropOptions extends OptimizerOptions {
  /** Decay of the mean of squares; default 0.9. */
  readonly rho?: number;
  /** Default 0: none. */
  readonly momentum?: number;
  /** Added to the mean of squares; default 1e-7. */
  readonly epsilon?: number;
  /** Divide by the variance of the gradients, not by their mean square. Default false. */
  readonly centered?: boolean;
}

/** RMSprop (Hinton 2012) with Keras's defaults; learning rate 0.001. https://keras.io/api/optimizers/rmsprop/ */
export function rmsprop(options: RmspropOptions = {}): Optimizer {
  const where = "rmsprop";
  checkNames(where, options, ["rho", "momentum", "epsilon", "centered"]);
  const rho = shareOf(where, "rho", options.rho ?? 0.9);
  const momentum = shareOf(where, "momentum", options.momentum ?? 0);
  const epsilon = atLeast0(where, "epsilon", options.epsilon ?? 1e-7);
  const centered = boolean(where, "centered", options.centered ?? false);
  const kind = {
    ...{ where, className: "RMSprop", name: "rm_sprop" },
    slotGroups: [["velocity"], ...(momentum > 0 ? [["momentum"]] : []), ...(centered ? [["average_gradient"]] : [])],
    op: rmspropUpdate,
    attributes: { rho, momentum, epsilon, centered },
    config: { rho, momentum, epsilon, centered },
  };
  return makeOptimizer(kind, options, 0.001);
}
