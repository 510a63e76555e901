/** Between a model and the loops of `fit.ts`: the networks of the model as it is now, and data and options as their steps. */
import { positiveInteger, show } from "../arguments.ts";
import type { NDArray } from "../array.ts";
import type { Network } from "../compiler/network.ts";
import { UserError } from "../errors.ts";
import type { Shape } from "../kernels/op.ts";
import { type Batches, type Dataset, isDataset, Stream } from "./batches.ts";
import { checkInputs, checkLengths, checkTargets, type Samples } from "./data.ts";
import type { Steps } from "./fit.ts";
import { forwardNetwork, type TrainingNetwork, trainingNetwork } from "./networks.ts";
import { checkThreads, type RunOptions } from "./options.ts";
import { checkWeights, type WeightOptions } from "./sample-weights.ts";
import type { Compiled, ModelState } from "./state.ts";

interface Model extends ModelState {
  readonly outputShape: Shape;
}

interface Networks {
  readonly forward: Network;
  readonly training?: TrainingNetwork;
}

export class Runner {
  readonly #model: Model;
  #networks: Networks | undefined;

  constructor(model: Model) {
    this.#model = model;
  }

  /** The networks of the model as it is; one object each, so that sessions can be kept. */
  get networks(): Networks {
    if (this.#networks) return this.#networks;
    const { placed, inputShape, outputShape, compiled } = this.#model;
    const forward = forwardNetwork(placed, inputShape, outputShape);
    this.#networks = { forward, ...(compiled && { training: trainingNetwork(forward, compiled, false) }) };
    return this.#networks;
  }

  /** The model has other layers now, or is compiled in another way. */
  forget(): void {
    this.#networks = undefined;
  }

  /** The layers are others, of the same shapes and weights. */
  renew(): void {
    const isWeighed = this.#networks?.training?.training.weights !== undefined;
    this.forget();
    if (isWeighed) this.#weigh();
  }

  /** From now on the programs weigh samples. */
  #weigh(): void {
    const { forward, training } = this.networks;
    if (training?.training.weights) return;
    this.#networks = { forward, training: trainingNetwork(forward, this.#model.compiled!, true) };
  }

  /** @throws UserError for a model that is not compiled. */
  compiled(where: string): Compiled {
    const { compiled } = this.#model;
    if (compiled) return compiled;
    throw new UserError(`${where}: the model is not compiled; call model.compile({ loss, optimizer, metrics }) first.`);
  }

  /** Inputs as the model takes them. @throws UserError for others. */
  inputs(where: string, x: NDArray) {
    const { inputShape, placed } = this.#model;
    return checkInputs(where, x, inputShape, placed[1]!.name);
  }

  samples(where: string, x: NDArray, y: NDArray, options: WeightOptions = {}): Samples {
    const { loss } = this.compiled(where);
    const { outputShape, placed } = this.#model;
    const inputs = this.inputs(where, x);
    const targets = checkTargets(where, y, loss, outputShape, placed.at(-1)!.name);
    const samples = checkLengths(where, inputs, targets);
    const weights = checkWeights(where, options, targets, outputShape);
    if (weights) this.#weigh();
    return { ...samples, weights };
  }

  /** Batches that somebody else gives, each [x, y] or [x, y, sampleWeight]. */
  stream(where: string, batches: Batches, stepsPerEpoch?: number): Stream {
    const toSamples = (batch: unknown) => {
      if (!Array.isArray(batch) || ![2, 3].includes(batch.length)) {
        throw new UserError(`${where}: a batch must be [x, y] or [x, y, sampleWeight], got ${show(batch)}.`);
      }
      const [x, y, sampleWeight] = batch;
      return this.samples(where, x, y, sampleWeight && { sampleWeight });
    };
    return new Stream(batches, toSamples, stepsPerEpoch);
  }

  validation(data: Dataset | Batches): Samples | Stream {
    const where = "fit: validationData";
    if (!isDataset(data)) return this.stream(where, data);
    const [x, y, sampleWeight] = data;
    return this.samples(where, x, y, sampleWeight && { sampleWeight });
  }

  /** Compiles what the steps need. */
  async steps(where: string, options: RunOptions, samples: number, profile = false): Promise<Steps> {
    const { variables } = this.#model;
    const { optimizer, metrics, targets, weights, scalars, step, results } = this.compiled(where);
    let batchSize = Math.min(positiveInteger(where, "batchSize", options.batchSize ?? 32), samples);
    const threads = checkThreads(where, options.threads);
    const request = () => ({ network: this.networks.training!, batchSize, threads, profile });
    options.signal?.throwIfAborted();
    await variables.use(request, async () => {});
    return {
      use: (body) => variables.use(request, body),
      inputs: this.networks.training!,
      targets,
      weights,
      results,
      names: ["loss", ...metrics.map(({ name }) => name)],
      reserve: (count) => {
        batchSize = Math.max(batchSize, count);
      },
      beforeUpdate: (session) => {
        session.view(scalars).set(optimizer.stepScalars());
        session.view(step)[0] = optimizer.iterations;
      },
      afterUpdate: () => {
        optimizer.iterations++;
      },
    };
  }

  /** The present weights and optimizer state, to go back to. */
  state(): { restore(): void } {
    const { compiled, variables } = this.#model;
    const { optimizer } = compiled!;
    const { iterations } = optimizer;
    const snapshot = variables.snapshot();
    return {
      restore: () => {
        variables.restore(snapshot);
        optimizer.iterations = iterations;
      },
    };
  }
}
