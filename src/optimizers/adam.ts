import { boolean } from "../arguments.ts";
import { adamUpdate } from "../kernels/adam.ts";
import { atLeast0, checkNames, makeOptimizer, type Optimizer, type OptimizerOptions, shareOf } from "./optimizer.ts";

export interface AdamOptions extends OptimizerOptions {
  /** Decay of the first moment; default 0.9. */
  readonly beta1?: number;
  /** Decay of the second moment; default 0.999. */
  readonly beta2?: number;
  /** Added to the root of the second moment; default 1e-7. */
  readonly epsilon?: number;
  /** Divide by the largest second moment so far (Reddi et al. 2018). Default false. */
  readonly amsgrad?: boolean;
}

const { fround } = Math;

/** Adam (Kingma & Ba 2015) with Keras's defaults; learning rate 0.001. https://keras.io/api/optimizers/adam/ */
export function adam(options: AdamOptions = {}): Optimizer {
  return adamLike({ where: "adam", className: "Adam", name: "adam" }, options);
}

/** Adam under the names of its relatives. */
export function adamLike(
  names: { readonly where: string; readonly className: string; readonly name: string },
  options: AdamOptions,
): Optimizer {
  const { where } = names;
  checkNames(where, options, ["beta1", "beta2", "epsilon", "amsgrad"]);
  const beta1 = shareOf(where, "beta1", options.beta1 ?? 0.9);
  const beta2 = shareOf(where, "beta2", options.beta2 ?? 0.999);
  const epsilon = atLeast0(where, "epsilon", options.epsilon ?? 1e-7);
  const amsgrad = boolean(where, "amsgrad", options.amsgrad ?? false);
  const kind = {
    ...names,
    slotGroups: [["momentum", "velocity"], ...(amsgrad ? [["velocity_hat"]] : [])],
    op: adamUpdate,
    attributes: { beta1, beta2, epsilon, amsgrad },
    scalar(rate: number, step: number) {
      // In single precision, as Keras does it: 1 - 0.999f is 1.3e-5 off, which training would show.
      const rest = (decay: number) => fround(1 - fround(fround(decay) ** step));
      return fround(fround(fround(rate) * fround(Math.sqrt(rest(beta2)))) / rest(beta1));
    },
    config: { beta_1: beta1, beta_2: beta2, epsilon, amsgrad },
  };
  return makeOptimizer(kind, options, 0.001);
}
