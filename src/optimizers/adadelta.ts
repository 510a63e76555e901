import { adadeltaUpdate } from "../kernels/adadelta.ts";
import { atLeast0, checkNames, makeOptimizer, type Optimizer, type OptimizerOptions, shareOf } from "./optimizer.ts";

export interface AdadeltaOptions extends OptimizerOptions {
  /** Decay of the means of squares; default 0.95. */
  readonly rho?: number;
  /** Added to the means of squares; default 1e-7. */
  readonly epsilon?: number;
}

/**
 * Adadelta (Zeiler 2012) with Keras's defaults; learning rate 0.001, where the paper has 1.
 * https://keras.io/api/optimizers/adadelta/
 */
export function adadelta(options: AdadeltaOptions = {}): Optimizer {
  const where = "adadelta";
  checkNames(where, options, ["rho", "epsilon"]);
  const rho = shareOf(where, "rho", options.rho ?? 0.95);
  const epsilon = atLeast0(where, "epsilon", options.epsilon ?? 1e-7);
  const kind = {
    ...{ where, className: "Adadelta", name: "adadelta" },
    slotGroups: [["accumulated_grad", "accumulated_delta_var"]],
    op: adadeltaUpdate,
    attributes: { rho, epsilon },
    config: { rho, epsilon },
  };
  return makeOptimizer(kind, options, 0.001);
}
