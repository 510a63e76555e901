import { numberIn, onlyKnown } from "../arguments.ts";
import { adamUpdate } from "../kernels/adam.ts";
import { learningRateOf, type Optimizer } from "./optimizer.ts";

export interface AdamOptions {
  /** Default 0.001. */
  readonly learningRate?: number;
  /** Decay of the first moment; default 0.9. */
  readonly beta1?: number;
  /** Decay of the second moment; default 0.999. */
  readonly beta2?: number;
  /** Added to the root of the second moment; default 1e-7. */
  readonly epsilon?: number;
}

const { fround } = Math;

/** Adam (Kingma & Ba 2015) with Keras's defaults. https://keras.io/api/optimizers/adam/ */
export function adam(options: AdamOptions = {}): Optimizer {
  onlyKnown("adam", options, ["learningRate", "beta1", "beta2", "epsilon"]);
  const decay = (name: "beta1" | "beta2", fallback: number) =>
    numberIn("adam", name, options[name] ?? fallback, { min: 0, below: 1, expected: "a number from 0 to below 1" });
  const beta1 = decay("beta1", 0.9);
  const beta2 = decay("beta2", 0.999);
  const epsilon = numberIn("adam", "epsilon", options.epsilon ?? 1e-7, { min: 0, expected: "a number of at least 0" });
  return {
    className: "Adam",
    learningRate: learningRateOf("adam", options.learningRate ?? 0.001),
    iterations: 0,
    slotNames: ["momentum", "velocity"],
    scalarCount: 1,
    stepScalars() {
      const step = this.iterations + 1;
      // In single precision, as Keras does it: 1 - 0.999f is 1.3e-5 off, which training would show.
      const rest = (decay: number) => fround(1 - fround(fround(decay) ** step));
      return [fround(fround(fround(this.learningRate) * fround(Math.sqrt(rest(beta2)))) / rest(beta1))];
    },
    update(graph, parameter, gradient, [momentum, velocity], scalars) {
      graph.applyAll(adamUpdate, { beta1, beta2, epsilon }, parameter, gradient, momentum!, velocity!, scalars);
    },
    getConfig() {
      const { learningRate } = this;
      const own = { beta_1: beta1, beta_2: beta2, epsilon, amsgrad: false };
      return { name: "adam", learning_rate: learningRate, ...own };
    },
  };
}
