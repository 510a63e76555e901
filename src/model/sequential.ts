/**
 * The model: a chain of layers with their weights, and what one does with it. The loops are in `fit.ts`, the state in
 * `variables.ts`, Keras's formats in `serialize.ts`. https://keras.io/api/models/sequential/
 */
import { positiveInteger } from "../arguments.ts";
import { NDArray } from "../array.ts";
import { UserError } from "../errors.ts";
import { elementsOf, type Shape, type Tensor } from "../kernels/op.ts";
import type { Layer } from "../layers/layer.ts";
import type { Optimizer } from "../optimizers/index.ts";
import { type Batches, Course, inOrder, isBatches, type Source, Stream, split } from "./batches.ts";
import type { History, Logs } from "./callbacks.ts";
import { compileModel } from "./compile-model.ts";
import type { Samples } from "./data.ts";
import { evaluationLoop, notANumber, predictionLoop, trainingLoop, trainStep } from "./fit.ts";
import { type InputGradientsOptions, inputGradients, type LayerOutputsOptions, layerOutputs } from "./inspect.ts";
import { ModelLayer } from "./model-layer.ts";
import {
  type CompileOptions,
  checkFitOptions,
  checkModel,
  checkRunOptions,
  checkThreads,
  EVALUATE_OPTIONS,
  type EvaluateOptions,
  type FitOptions,
  type ModelFormat,
  RUN_OPTIONS,
  type RunOptions,
  type SequentialOptions,
} from "./options.ts";
import { placeLayer } from "./place-layer.ts";
import { Runner } from "./runner.ts";
import type { WeightOptions } from "./sample-weights.ts";
import { type Compiled, type PlacedLayer, weightsOf } from "./state.ts";
import { formatSummary, summaryOf } from "./summary.ts";
import { Variables } from "./variables.ts";
import { readWeights, writeWeights } from "./weights.ts";

/**
 * A model that is a chain of layers, with its weights. https://keras.io/api/models/sequential/
 */
export class Sequential {
  readonly name: string;
  /** Set it in a callback to end training after the step that is under way. */
  stopTraining = false;
  /** @internal */
  readonly placed: PlacedLayer[] = [];
  /** @internal */
  readonly variables: Variables;
  /** @internal */
  compiled: Compiled | undefined;
  readonly #seed: number;
  readonly #isSeeded: boolean;
  /** Runs that are under way. */
  #runs = 0;
  readonly #runner = new Runner(this);

  /** @throws UserError for layers that do not fit together. */
  constructor(layers?: readonly Layer[] | SequentialOptions, options: SequentialOptions = {}) {
    const model = checkModel(layers, options);
    this.name = model.name;
    this.#seed = model.seed;
    this.#isSeeded = model.isSeeded;
    this.variables = new Variables(model.strict);
    for (const layer of model.layers) this.add(layer);
  }

  /** Appends a layer and creates its weights. The first layer must be an input. */
  add(layer: Layer): void {
    this.#refuseWhileFitting("add");
    this.placed.push(placeLayer(layer, this.placed, { name: this.name, seed: this.#seed, variables: this.variables }));
    this.#forgetCompiled();
  }

  /** Removes the last layer with its weights, as for another in its place. @throws UserError where there is none. */
  pop(): void {
    this.#refuseWhileFitting("pop");
    this.#first("pop");
    for (const { tensor } of this.placed.pop()!.weights) this.variables.remove(tensor);
    this.#forgetCompiled();
  }

  /** The layers, without the input. */
  get layers(): ModelLayer[] {
    return this.placed.slice(1).map(({ name }) => this.getLayer(name));
  }

  /** The layer of a name. @throws UserError where there is none. */
  getLayer(name: string): ModelLayer {
    return new ModelLayer(name, this, () => {
      this.#refuseWhileFitting("trainable");
      this.#forgetCompiled();
    });
  }

  #forgetCompiled(): void {
    for (const slot of this.compiled?.slots.flat() ?? []) this.variables.remove(slot);
    this.compiled = undefined;
    this.#runner.forget();
  }

  /** The weights' tensors, in Keras's order. @internal */
  get weights(): Tensor[] {
    return weightsOf(this.placed);
  }

  /** Shape of one sample that the model takes. */
  get inputShape(): Shape {
    return this.#first("inputShape").outputShape;
  }

  /** Shape of one sample's output. */
  get outputShape(): Shape {
    return this.#first("outputShape") && this.placed.at(-1)!.outputShape;
  }

  /** The input layer; a model of fewer than two layers computes nothing. */
  #first(where: string): PlacedLayer {
    if (this.placed.length >= 2) return this.placed[0]!;
    throw new UserError(`${where}: the model has no layers; add layers.input(...) and at least one more.`);
  }

  /** The optimizer; its learning rate may be changed at any time. */
  get optimizer(): Optimizer | undefined {
    return this.compiled?.optimizer;
  }

  /**
   * Chooses loss, optimizer and metrics. The optimizer begins anew, weights stay.
   *
   * @throws UserError for an unknown name, an output that the loss cannot take, or another model's optimizer.
   */
  compile(options: CompileOptions): void {
    this.#refuseWhileFitting("compile");
    this.#first("compile");
    const compiled = compileModel(this, options);
    this.#forgetCompiled();
    this.compiled = compiled;
    for (const slot of compiled.slots.flat()) {
      this.variables.add(slot, () => new Float32Array(elementsOf(slot.shape)));
    }
  }

  /** Between two steps of a run nothing may change that the steps were compiled from. */
  #refuseWhileFitting(where: string): void {
    if (this.#runs === 0) return;
    throw new UserError(
      `${where}: the model is being trained or evaluated; wait for that to end, or make another model.`,
    );
  }

  /** Runs something that takes many steps of one compiled network. */
  async #running<Result>(run: () => Promise<Result>): Promise<Result> {
    this.#runs++;
    try {
      return await run();
    } finally {
      this.#runs--;
    }
  }

  /** Gives layers whose seeds come from the model's those of another run, unless the model's was chosen. @internal */
  reseed(seeds: readonly (number | undefined)[]): void {
    if (this.#isSeeded) return;
    const isOther = this.placed.map((placed, i) => {
      const seed = seeds[i];
      if (seed === undefined || !placed.withSeed) return false;
      const trainable = placed.layer.trainable !== false;
      this.placed[i] = { ...placed, layer: { ...placed.layer, ...placed.withSeed(seed), trainable } };
      return true;
    });
    if (isOther.includes(true)) this.#runner.renew();
  }

  /**
   * Trains the model. https://keras.io/api/models/model_training_apis/#fit-method
   *
   * @param x inputs (n, …) of any type; computed with as float32
   * @param y targets (n, classes), or (n) for a sparse loss
   * @returns the means of loss and metrics of each epoch
   * @throws UserError for data or options that do not fit, before anything is trained, or for a loss that is not a number
   */
  fit(x: NDArray, y: NDArray, options?: FitOptions): Promise<History>;
  /**
   * The same on batches [x, y] or [x, y, sampleWeight] that are made while they are used; their sizes are their own. With
   * `stepsPerEpoch` an epoch is the next so many of them, else all.
   */
  fit(batches: Batches, options?: FitOptions): Promise<History>;
  async fit(x: NDArray | Batches, y?: NDArray | FitOptions, last?: FitOptions): Promise<History> {
    const given = isBatches(x, y) ? x : undefined;
    const options = ((given ? y : last) ?? {}) as FitOptions;
    const plan = checkFitOptions(options, this.#seed, given !== undefined);
    this.#runner.compiled("fit");
    const { validationSplit, validationData } = plan;
    if (given) {
      const source = this.#runner.stream("fit", given, plan.stepsPerEpoch);
      const validation = validationData && this.#runner.validation(validationData);
      return this.#running(() => this.#fit({ source, largest: 1 }, validation, plan));
    }
    const samples = this.#runner.samples("fit", x as NDArray, y as NDArray, options);
    const parted = validationSplit ? split("fit", samples, validationSplit) : undefined;
    const own = parted?.[0] ?? samples;
    const validation = parted?.[1] ?? (validationData && this.#runner.validation(validationData));
    return this.#running(() => this.#fit({ source: new Course(own, plan), largest: own.count }, validation, plan));
  }

  async #fit(
    { source, largest }: { readonly source: Source; readonly largest: number },
    validation: Samples | Stream | undefined,
    plan: ReturnType<typeof checkFitOptions>,
  ): Promise<History> {
    const { batchSize } = plan;
    const samples = validation instanceof Stream ? undefined : validation;
    this.stopTraining = false;
    const keeper = plan.callbacks.find((callback) => callback.keeper)?.keeper;
    const isSeeded = this.#isSeeded || plan.isSeeded;
    const kept =
      keeper &&
      (await (
        await import("./checkpoint.ts")
      ).keepRun(this, { ...plan, keeper, source, validation: samples, isSeeded }));
    const steps = await this.#runner.steps("fit", plan.run, Math.max(largest, samples?.count ?? 0), plan.profile);
    let good = plan.restoreOnNaN ? this.#runner.state() : undefined;
    const history = await trainingLoop(steps, source, {
      ...plan,
      kept,
      model: this,
      validation:
        validation && (() => (validation instanceof Stream ? validation.epoch() : inOrder(validation, batchSize))),
      isStopped: () => this.stopTraining,
      keepGoodState: () => {
        if (good) good = this.#runner.state();
      },
      brokenWeight: () => this.variables.firstNotFinite(this.weights),
      onNotANumber: () => good?.restore(),
    });
    const profile = await this.variables.profile();
    return profile ? { ...history, profile } : history;
  }

  /**
   * One update on one batch. https://keras.io/api/models/model_training_apis/#trainonbatch-method
   *
   * @returns the batch's mean loss and metrics, before the update
   * @throws UserError for a loss that is not a number. The update then has been made, and the weights are of no more use:
   *   set them to what `getWeights` gave before, or load the model again.
   */
  async trainOnBatch(
    x: NDArray,
    y: NDArray,
    options: Omit<RunOptions, "batchSize"> & WeightOptions = {},
  ): Promise<Logs> {
    checkRunOptions("trainOnBatch", options, ["threads", "signal", "sampleWeight", "classWeight"]);
    const samples = this.#runner.samples("trainOnBatch", x, y, options);
    const { count } = samples;
    return this.#running(async () => {
      const steps = await this.#runner.steps("trainOnBatch", { ...options, batchSize: count }, count);
      const sums = await trainStep(steps, { samples, batch: { start: 0, count } });
      const logs = Object.fromEntries(steps.names.map((name, i) => [name, sums[i]! / count]));
      if (!Number.isFinite(logs.loss)) {
        const hint = "the update is made, so set earlier weights or load the model again; ";
        throw notANumber("trainOnBatch: the loss", logs.loss!, hint);
      }
      return logs;
    });
  }

  /**
   * Mean loss and metrics over data. https://keras.io/api/models/model_training_apis/#evaluate-method
   *
   * @returns `loss`, and each metric by its name
   */
  evaluate(x: NDArray, y: NDArray, options?: EvaluateOptions): Promise<Logs>;
  /** The same over batches [x, y] or [x, y, sampleWeight]. */
  evaluate(batches: Batches, options?: EvaluateOptions): Promise<Logs>;
  async evaluate(x: NDArray | Batches, y?: NDArray | EvaluateOptions, last?: EvaluateOptions): Promise<Logs> {
    const given = isBatches(x, y) ? x : undefined;
    const options = ((given ? y : last) ?? {}) as EvaluateOptions;
    checkRunOptions("evaluate", options, given ? RUN_OPTIONS : EVALUATE_OPTIONS);
    const { sampleWeight, signal, batchSize = 32 } = options;
    this.#runner.compiled("evaluate");
    const samples = given
      ? undefined
      : this.#runner.samples("evaluate", x as NDArray, y as NDArray, sampleWeight && { sampleWeight });
    return this.#running(async () => {
      const steps = await this.#runner.steps("evaluate", options, samples?.count ?? 1);
      const source = samples ? inOrder(samples, batchSize) : this.#runner.stream("evaluate", given!).epoch();
      return evaluationLoop(steps, source, { where: "evaluate", signal });
    });
  }

  /**
   * Outputs (n, …) for inputs (n, …). https://keras.io/api/models/model_training_apis/#predict-method
   */
  async predict(x: NDArray, options: RunOptions = {}): Promise<NDArray<"float32">> {
    checkRunOptions("predict", options);
    this.#first("predict");
    const inputs = this.#runner.inputs("predict", x);
    const batchSize = positiveInteger("predict", "batchSize", options.batchSize ?? 32);
    const threads = checkThreads("predict", options.threads);
    const { forward, training } = this.#runner.networks;
    const request = { network: forward, batchSize: Math.min(batchSize, inputs.length), threads };
    const own = training && { network: training, batchSize: 1, threads };
    // A session that trains also predicts, in its own batches; without one the forward program alone is compiled.
    const ask = () => (own && this.variables.serves(own) ? own : request);
    const loop = { batchSize, signal: options.signal };
    const outputs = await this.#running(() =>
      predictionLoop((body) => this.variables.use(ask, body), forward, inputs, loop),
    );
    return new NDArray(outputs, [inputs.length, ...this.outputShape]);
  }

  /**
   * The outputs (n, …) of layers for inputs (n, …), by the layers' names: what Keras gives by a model of `layer.output`.
   *
   * @throws UserError for a name that no layer has, or inputs of another shape.
   */
  async layerOutputs(x: NDArray, options: LayerOutputsOptions = {}): Promise<Map<string, NDArray<"float32">>> {
    this.#first("layerOutputs");
    return this.#running(() => layerOutputs(this, x, options));
  }

  /**
   * Gradient of one output of each sample, `outputs[i]`, with respect to the inputs, shape of x; of the logit where the
   * model ends in a softmax.
   *
   * @throws UserError for inputs of another shape, or outputs that there are not.
   */
  async inputGradients(x: NDArray, options: InputGradientsOptions): Promise<NDArray<"float32">> {
    this.#first("inputGradients");
    return this.#running(() => inputGradients(this, x, options));
  }

  /** Keras's table of the layers, their output shapes and numbers of parameters. Prints it, unless told how. */
  summary({ print = console.log }: { readonly print?: (table: string) => void } = {}): void {
    print(formatSummary(summaryOf(this)));
  }

  /** Copies of the weights, in Keras's order. */
  getWeights(): NDArray<"float32">[] {
    return readWeights(this.variables, this.weights);
  }

  /** @throws UserError where the number or the shapes differ. */
  setWeights(weights: readonly NDArray[]): void {
    writeWeights("the model", this.variables, this.weights, weights);
  }

  /**
   * The model, its weights and the optimizer's state as the bytes of a file: `format` "h5", Keras's legacy one (default), or
   * "keras", Keras 3's own. https://keras.io/api/models/model_saving_apis/
   */
  async toBytes({ format = "h5" }: { readonly format?: ModelFormat } = {}): Promise<Uint8Array> {
    this.#first("save");
    return (await import("./saving.ts")).toBytes(this, format);
  }

  /**
   * Saves the model, its weights and the optimizer's state. The file is written beside the old one and takes its place
   * when it is whole.
   *
   * @param path ends in .keras, or in .h5 or .hdf5 for Keras's legacy format
   * @throws UserError for another name, or where the file cannot be written; an existing one then is as it was.
   */
  async save(path: string | URL): Promise<void> {
    this.#first("save");
    await (await import("./saving.ts")).save(this, path);
  }

  /**
   * Saves the weights and the optimizer's state alone. https://keras.io/api/models/model_saving_apis/weights_saving_and_loading/
   *
   * @param path ends in .weights.h5
   */
  async saveWeights(path: string | URL): Promise<void> {
    this.#first("saveWeights");
    await (await import("./saving.ts")).saveWeights(this, path);
  }

  /**
   * Takes the weights of a `.weights.h5`, `.keras` or `.h5` file of the same layers; the optimizer's state stays.
   *
   * @param source a path, a file's URL, or the file's bytes
   * @throws UserError where the file is damaged or its weights do not fit; the weights of the layers before may have been set.
   */
  async loadWeights(source: string | URL | Uint8Array | ArrayBuffer): Promise<void> {
    this.#refuseWhileFitting("loadWeights");
    this.#first("loadWeights");
    await (await import("./saving.ts")).loadWeightsFrom(this, source);
  }
}
