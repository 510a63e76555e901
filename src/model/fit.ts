/** The training loop, and evaluation: batches in, means out. */
import type { InputTensors } from "../compiler/network.ts";
import { UserError } from "../errors.ts";
import { elementsOf, type Tensor } from "../kernels/op.ts";
import { yieldToEventLoop } from "../runtime/host.ts";
import type { Place, Source, Step } from "./batches.ts";
import type { Callback, History, Logs, RunKeeper, TrainedModel } from "./callbacks.ts";
import { type BatchTensors, copyBatch, copyInputs, type Samples } from "./data.ts";
import type { Session } from "./session.ts";

/** The event loop has its turn at least this often, in milliseconds, so that timers and signals are not kept waiting. */
const TURN_MILLISECONDS = 30;

/** Runs something on the model's session while nobody else does. */
export type UseSession = <Result>(body: (session: Session) => Promise<Result>) => Promise<Result>;

/** What the loops need of a compiled model. */
export interface Steps extends BatchTensors {
  readonly use: UseSession;
  readonly results: Tensor;
  /** Names of the results: loss, then the metrics. */
  readonly names: readonly string[];
  /** Sees to it that batches of so many samples can be run. */
  reserve(count: number): void;
  /** Writes the scalars and the number of the coming update. */
  beforeUpdate(session: Session): void;
  /** Counts the update. */
  afterUpdate(): void;
}

type AnySteps = Iterable<Step> | AsyncIterable<Step>;

export interface Plan {
  readonly epochs: number;
  readonly initialEpoch: number;
  /** Gives the steps of a validation, where there is one. */
  readonly validation: (() => AnySteps) | undefined;
  /** Epochs from validation to validation. */
  readonly validationFreq: number;
  readonly model: TrainedModel;
  readonly callbacks: readonly Callback[];
  readonly signal: AbortSignal | undefined;
  /** Asked after each step and epoch: true ends training. */
  isStopped(): boolean;
  /** Called at the end of each epoch whose losses were numbers. */
  keepGoodState(): void;
  /** A weight that is not finite, where there is one. */
  brokenWeight(): number | undefined;
  /** Called when a loss or a weight is not a number, before the error. */
  onNotANumber(): void;
  /** Where the run goes on, and what is told how far it has come; without it the run begins and is not kept. */
  readonly kept: Kept | undefined;
}

/** How far a run has come, between two steps. */
export interface Progress {
  /** That of the next step, from 0. */
  readonly epoch: number;
  /** Steps of it that are done. */
  readonly step: number;
  /** Whether callbacks have been told that it begins. */
  readonly begun: boolean;
  readonly stopped: boolean;
  /** Over the epoch's samples so far. */
  readonly sums: readonly number[];
  readonly count: number;
  readonly history: History;
  readonly place: Place;
}

export interface Kept {
  /** What to go on from, and the callbacks' states, one a callback. */
  readonly resumed: { readonly progress: Progress; readonly callbacks: readonly unknown[] } | undefined;
  keep(moment: Moment, progress: () => Progress): Promise<void>;
}

export type Moment = Parameters<RunKeeper["keep"]>[1];

/** Sums over batches, as means. */
class Means {
  readonly #names: readonly string[];
  readonly #sums: number[];
  #count = 0;

  constructor(names: readonly string[], { sums, count }: Partial<Pick<Progress, "sums" | "count">> = {}) {
    this.#names = names;
    this.#sums = names.map((_, i) => sums?.[i] ?? 0);
    this.#count = count ?? 0;
  }

  /** The sums so far, to go on from. */
  get state(): Pick<Progress, "sums" | "count"> {
    return { sums: [...this.#sums], count: this.#count };
  }

  add(sums: ArrayLike<number>, count: number): void {
    this.#sums.forEach((_, i) => {
      this.#sums[i]! += sums[i]!;
    });
    this.#count += count;
  }

  logs(prefix = ""): Logs {
    return Object.fromEntries(this.#names.map((name, i) => [prefix + name, this.#sums[i]! / this.#count]));
  }
}

/** When the event loop last had its turn: one time for all loops, of which each may be short. */
let lastTurn = 0;

/** Gives the event loop its turn when it is due. */
async function turn(): Promise<void> {
  if (performance.now() - lastTurn < TURN_MILLISECONDS) return;
  await yieldToEventLoop();
  lastTurn = performance.now();
}

/** One update on a batch; returns the sums of the results. */
export async function trainStep(steps: Steps, { samples, batch }: Step): Promise<Float32Array> {
  steps.reserve(batch.count);
  return steps.use(async (session) => {
    copyBatch(session, steps, samples, batch);
    steps.beforeUpdate(session);
    await session.run("trainStep", batch.count);
    steps.afterUpdate();
    return session.view(steps.results).slice() as Float32Array;
  });
}

/** A run on its way. */
class Run {
  readonly #steps: Steps;
  readonly #source: Source;
  readonly #plan: Plan;
  readonly #history: History;
  #epoch: number;
  /** Steps of the epoch that are done. */
  #step: number;
  #begun: boolean;
  #means: Means;
  /** The source's, after the last step that is done. */
  #place: Place;

  constructor(steps: Steps, source: Source, plan: Plan) {
    const from = plan.kept?.resumed?.progress;
    this.#steps = steps;
    this.#source = source;
    this.#plan = plan;
    this.#history = from?.history ?? { epoch: [], history: {} };
    this.#epoch = from?.epoch ?? plan.initialEpoch;
    this.#step = from?.step ?? 0;
    this.#begun = from?.begun ?? false;
    this.#means = new Means(steps.names, from);
    this.#place = source.place();
  }

  get #progress(): Progress {
    return {
      epoch: this.#epoch,
      step: this.#step,
      begun: this.#begun,
      stopped: this.#plan.isStopped(),
      ...this.#means.state,
      history: this.#history,
      place: this.#place,
    };
  }

  async #keep(moment: Moment): Promise<void> {
    await this.#plan.kept?.keep(moment, () => this.#progress);
  }

  async toEnd(): Promise<History> {
    const { callbacks, signal, model, epochs, validation } = this.#plan;
    const validationFreq = validation && this.#plan.validationFreq;
    for (const callback of callbacks) {
      callback.setModel?.(model);
      callback.setParams?.({ epochs, validationFreq });
    }
    await this.#tellBegin();
    try {
      // An epoch that has begun is ended, as it would have been.
      while (this.#epoch < epochs && (this.#begun || !this.#plan.isStopped())) {
        await this.#runEpoch();
        await this.#keep("epoch");
      }
      await this.#keep("end");
    } catch (error) {
      await this.#keep(signal?.aborted && error === signal.reason ? "interrupted" : "failed");
      throw error;
    }
    for (const callback of callbacks) await callback.onTrainEnd?.();
    return this.#history;
  }

  async #tellBegin(): Promise<void> {
    const { callbacks, kept } = this.#plan;
    const at = { epoch: this.#epoch, step: this.#step, begun: this.#begun };
    for (const [i, callback] of callbacks.entries()) {
      const state = kept?.resumed?.callbacks[i] ?? null;
      const goesOn = kept?.resumed && (state !== null || !callback.getState);
      if (goesOn && callback.onTrainResume) await callback.onTrainResume(state, at);
      else await callback.onTrainBegin?.();
    }
  }

  async #runEpoch(): Promise<void> {
    const { callbacks, validation, validationFreq, signal } = this.#plan;
    const epoch = this.#epoch;
    if (!this.#begun) {
      for (const callback of callbacks) await callback.onEpochBegin?.(epoch);
      this.#begun = true;
    }
    const logs = await this.#trainEpoch();
    if (validation && (epoch + 1) % validationFreq === 0) {
      const options = { where: "fit: validationData", signal, prefix: "val_" };
      Object.assign(logs, await evaluationLoop(this.#steps, validation(), options));
    }
    this.#plan.keepGoodState();
    for (const callback of callbacks) await callback.onEpochEnd?.(epoch, logs);
    this.#history.epoch.push(epoch);
    for (const [name, value] of Object.entries(logs)) {
      this.#history.history[name] ??= [];
      this.#history.history[name].push(value);
    }
    this.#epoch++;
    this.#step = 0;
    this.#begun = false;
    this.#means = new Means(this.#steps.names);
    this.#place = this.#source.place();
  }

  async #trainEpoch(): Promise<Logs> {
    const { callbacks, signal } = this.#plan;
    const epoch = this.#epoch;
    const tolerant = callbacks.some(({ toleratesNaN }) => toleratesNaN);
    // Where the run goes on after a step that a callback made the last.
    const isOver = this.#step > 0 && this.#plan.isStopped();
    for await (const step of isOver ? [] : this.#source.epoch(epoch, this.#step)) {
      signal?.throwIfAborted();
      const batch = this.#step;
      for (const callback of callbacks) await callback.onBatchBegin?.(batch);
      const size = step.batch.count;
      const sums = await trainStep(this.#steps, step);
      if (!Number.isFinite(sums[0])) {
        if (tolerant) {
          this.#plan.model.stopTraining = true;
          return { loss: sums[0]! / size };
        }
        this.#plan.onNotANumber();
        throw notANumber(`fit: at epoch ${epoch + 1}, step ${batch + 1}, the loss`, sums[0]! / size);
      }
      this.#means.add(sums, size);
      this.#step++;
      this.#place = this.#source.place();
      for (const callback of callbacks) await callback.onBatchEnd?.(batch, this.#means.logs());
      await this.#keep("step");
      await turn();
      if (this.#plan.isStopped()) break;
    }
    signal?.throwIfAborted();
    if (this.#step === 0) {
      throw new UserError(`fit: there are no batches left for epoch ${epoch + 1}; give fewer epochs.`);
    }
    // The last update comes after the last loss.
    const weight = this.#plan.brokenWeight();
    if (weight !== undefined && !tolerant) {
      this.#plan.onNotANumber();
      throw notANumber(`fit: at the end of epoch ${epoch + 1}, a weight`, weight);
    }
    return this.#means.logs();
  }
}

/** Trains until the end, from the beginning or from where a run was kept. */
export function trainingLoop(steps: Steps, source: Source, plan: Plan): Promise<History> {
  return new Run(steps, source, plan).toEnd();
}

export function notANumber(what: string, value: number, hint = ""): UserError {
  return new UserError(
    `${what} became ${value}; ${hint}lower the learning rate, and look for values in the data that are not finite.`,
  );
}

interface EvaluationOptions {
  readonly where: string;
  readonly signal?: AbortSignal | undefined;
  readonly prefix?: string;
}

/** Means of the loss and the metrics over all samples. @throws UserError where there are none. */
export async function evaluationLoop(
  steps: Steps,
  source: AnySteps,
  { where, signal, prefix = "" }: EvaluationOptions,
): Promise<Logs> {
  const means = new Means(steps.names);
  for await (const { samples, batch } of source) {
    signal?.throwIfAborted();
    steps.reserve(batch.count);
    await steps.use(async (session) => {
      copyBatch(session, steps, samples, batch);
      await session.run("evaluateStep", batch.count);
      means.add(session.view(steps.results) as Float32Array, batch.count);
    });
    await turn();
  }
  if (means.state.count === 0) {
    throw new UserError(`${where}: there are no batches; an iterator that has ended gives none again, an array does.`);
  }
  return means.logs(prefix);
}

/** The outputs for all samples, one after another. */
export async function predictionLoop(
  use: UseSession,
  { output, ...inputs }: InputTensors & { readonly output: Tensor },
  x: Samples["x"],
  { batchSize, signal }: { batchSize: number; signal: AbortSignal | undefined },
): Promise<Float32Array> {
  const row = elementsOf(output.shape);
  const result = new Float32Array(x.length * row);
  for (let start = 0; start < x.length; ) {
    signal?.throwIfAborted();
    start += await use(async (session) => {
      const size = Math.min(batchSize, session.batchSize, x.length - start);
      copyInputs(session, inputs, x, { start, count: size });
      await session.run("forward", size);
      result.set((session.view(output) as Float32Array).subarray(0, size * row), start * row);
      return size;
    });
    await turn();
  }
  return result;
}
