/** The training loop, and evaluation: batches in, means out. */
import type { InputTensors } from "../compiler/network.ts";
import { UserError } from "../errors.ts";
import { elementsOf, type Tensor } from "../kernels/op.ts";
import { yieldToEventLoop } from "../runtime/host.ts";
import type { Source, Step } from "./batches.ts";
import type { Callback, History, Logs, TrainedModel } from "./callbacks.ts";
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
}

/** Sums over batches, as means. */
class Means {
  readonly #names: readonly string[];
  readonly #sums: number[];
  #count = 0;

  constructor(names: readonly string[]) {
    this.#names = names;
    this.#sums = names.map(() => 0);
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

export async function trainingLoop(steps: Steps, source: Source, plan: Plan): Promise<History> {
  const history: History = { epoch: [], history: {} };
  for (const callback of plan.callbacks) callback.setModel?.(plan.model);
  for (const callback of plan.callbacks) await callback.onTrainBegin?.();
  for (let epoch = plan.initialEpoch; epoch < plan.epochs && !plan.isStopped(); epoch++) {
    for (const callback of plan.callbacks) await callback.onEpochBegin?.(epoch);
    const logs = await trainEpoch(steps, source, plan, epoch);
    if (plan.validation && (epoch + 1) % plan.validationFreq === 0) {
      Object.assign(logs, await evaluationLoop(steps, plan.validation(), { signal: plan.signal, prefix: "val_" }));
    }
    plan.keepGoodState();
    for (const callback of plan.callbacks) await callback.onEpochEnd?.(epoch, logs);
    history.epoch.push(epoch);
    for (const [name, value] of Object.entries(logs)) {
      history.history[name] ??= [];
      history.history[name].push(value);
    }
  }
  for (const callback of plan.callbacks) await callback.onTrainEnd?.();
  return history;
}

async function trainEpoch(steps: Steps, source: Source, plan: Plan, epoch: number): Promise<Logs> {
  const { callbacks, signal } = plan;
  const means = new Means(steps.names);
  const tolerant = callbacks.some(({ toleratesNaN }) => toleratesNaN);
  let batch = 0;
  for await (const step of source.epoch(epoch)) {
    signal?.throwIfAborted();
    for (const callback of callbacks) await callback.onBatchBegin?.(batch);
    const size = step.batch.count;
    const sums = await trainStep(steps, step);
    if (!Number.isFinite(sums[0])) {
      if (tolerant) {
        plan.model.stopTraining = true;
        return { loss: sums[0]! / size };
      }
      plan.onNotANumber();
      throw notANumber(`fit: at epoch ${epoch + 1}, step ${batch + 1}, the loss`, sums[0]! / size);
    }
    means.add(sums, size);
    for (const callback of callbacks) await callback.onBatchEnd?.(batch, means.logs());
    batch++;
    await turn();
    if (plan.isStopped()) break;
  }
  signal?.throwIfAborted();
  if (batch === 0) throw new UserError(`fit: there are no batches left for epoch ${epoch + 1}; give fewer epochs.`);
  // The last update comes after the last loss.
  const weight = plan.brokenWeight();
  if (weight !== undefined && !tolerant) {
    plan.onNotANumber();
    throw notANumber(`fit: at the end of epoch ${epoch + 1}, a weight`, weight);
  }
  return means.logs();
}

export function notANumber(what: string, value: number, hint = ""): UserError {
  return new UserError(
    `${what} became ${value}; ${hint}lower the learning rate, and look for values in the data that are not finite.`,
  );
}

interface EvaluationOptions {
  readonly signal?: AbortSignal | undefined;
  readonly prefix?: string;
}

/** Means of the loss and the metrics over all samples. */
export async function evaluationLoop(
  steps: Steps,
  source: AnySteps,
  { signal, prefix = "" }: EvaluationOptions,
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
