/** A training run that can be paused between two steps: one `fit`, held up in its callback, so that no step is lost. */
import { type Callback, type Logs, optimizers, type Sequential } from "lenet";
import type { Samples } from "./mnist.ts";
import type { TrainEvent, TrainOptions } from "./protocol.ts";

/** Milliseconds from report to report. With five a second a step takes 8 % longer on two processors. */
const REPORT_EVERY = 1000;

/** Lets steps through, all or so many. */
export class Gate {
  #allowed: number;
  #open: (() => void) | undefined;

  constructor(paused: boolean) {
    this.#allowed = paused ? 0 : Number.POSITIVE_INFINITY;
  }

  get isShut(): boolean {
    return this.#allowed === 0;
  }

  /** From now on lets so many through. */
  allow(steps: number): void {
    this.#allowed = steps;
    if (steps > 0) this.#open?.();
  }

  /** Waits until a step is allowed, and takes it. @throws the signal's reason once that is aborted. */
  async enter(signal: AbortSignal): Promise<void> {
    while (this.#allowed === 0) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        this.#open = resolve;
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
    signal.throwIfAborted();
    this.#allowed--;
  }
}

const { adam, adamW, sgd, rmsprop, adadelta } = optimizers;
const OPTIMIZERS = { adam, adamw: adamW, sgd, rmsprop, adadelta };

export function compileFor(model: Sequential, { optimizer, learningRate }: TrainOptions): void {
  const chosen = OPTIMIZERS[optimizer](learningRate === undefined ? {} : { learningRate });
  model.compile({ loss: "categorical_crossentropy", optimizer: chosen, metrics: ["accuracy"] });
}

/** Follows a run: counts, times, and tells at most every so often. */
class Reporter implements Callback {
  readonly #gate: Gate;
  readonly #signal: AbortSignal;
  readonly #samples: number;
  readonly #steps: number;
  readonly #options: TrainOptions;
  readonly #tell: (event: TrainEvent) => void;
  #epoch = 0;
  /** Time that went by while steps were made and the run was not held up. */
  #time = 0;
  #stepsTimed = 0;
  #lastMark = performance.now();
  #lastReport = 0;
  #testStart = 0;
  #testTime: number | undefined;
  /** The step that is done, and whether the run has been told to be held up after it. */
  #last: { readonly step: number; readonly logs: Logs; readonly paused: boolean } | undefined;
  /** Sums of loss and accuracy over the epoch, now and at the last report, and the samples that they are over. */
  #sums = [0, 0, 0];
  #reported = [0, 0, 0];

  constructor(
    options: TrainOptions,
    samples: number,
    run: { readonly gate: Gate; readonly signal: AbortSignal; readonly tell: (event: TrainEvent) => void },
  ) {
    this.#options = options;
    this.#samples = samples;
    this.#steps = Math.ceil(samples / options.batchSize);
    this.#gate = run.gate;
    this.#signal = run.signal;
    this.#tell = run.tell;
  }

  onEpochBegin(epoch: number): void {
    this.#epoch = epoch;
    this.#last = undefined;
    this.#sums = [0, 0, 0];
    this.#reported = [0, 0, 0];
    this.#lastMark = performance.now();
  }

  async onBatchBegin(): Promise<void> {
    const { isShut } = this.#gate;
    // It may have been shut since the last step's report.
    if (isShut && this.#last && !this.#last.paused) this.#report(performance.now());
    await this.#gate.enter(this.#signal);
    if (isShut) this.#lastMark = performance.now();
  }

  onBatchEnd(batch: number, logs: Logs): void {
    const now = performance.now();
    this.#time += now - this.#lastMark;
    this.#lastMark = now;
    this.#stepsTimed++;
    const count = Math.min((batch + 1) * this.#options.batchSize, this.#samples);
    this.#sums = [logs.loss! * count, logs.accuracy! * count, count];
    const isLast = batch + 1 === this.#steps;
    this.#last = { step: batch + 1, logs, paused: false };
    if (now - this.#lastReport >= REPORT_EVERY || this.#gate.isShut || isLast) this.#report(now);
    if (isLast) {
      this.#testStart = now;
      this.#tell({ type: "testing" });
    }
  }

  #report(now: number): void {
    const { step, logs } = this.#last!;
    this.#last = { step, logs, paused: this.#gate.isShut };
    const [loss, accuracy, count] = this.#sums.map((sum, i) => sum - this.#reported[i]!) as [number, number, number];
    this.#reported = this.#sums;
    this.#lastReport = now;
    const perStep = this.#time / this.#stepsTimed;
    this.#tell({
      type: "progress",
      epoch: this.#epoch,
      step,
      steps: this.#steps,
      loss: logs.loss!,
      accuracy: logs.accuracy!,
      recent: count > 0 ? { loss: loss / count, accuracy: accuracy / count } : undefined,
      imagesPerSecond: (1000 * this.#options.batchSize) / perStep,
      millisecondsPerStep: perStep,
      secondsLeft: this.#secondsLeft(step, perStep),
      paused: this.#gate.isShut,
    });
  }

  /** What is left of this epoch and the others, tests included once one has been timed. */
  #secondsLeft(step: number, perStep: number): number | undefined {
    if (this.#stepsTimed < 3) return undefined;
    const epochs = this.#options.epochs - this.#epoch;
    const stepsLeft = epochs * this.#steps - step;
    return (stepsLeft * perStep + epochs * (this.#testTime ?? 0)) / 1000;
  }

  onEpochEnd(epoch: number, logs: Logs): void {
    this.#testTime = performance.now() - this.#testStart;
    const { loss, accuracy, val_loss: testLoss, val_accuracy: testAccuracy } = logs as Record<string, number>;
    this.#tell({
      type: "epoch",
      epoch,
      loss: loss!,
      accuracy: accuracy!,
      testLoss: testLoss!,
      testAccuracy: testAccuracy!,
    });
  }
}

export interface Run {
  readonly gate: Gate;
  readonly signal: AbortSignal;
  readonly tell: (event: TrainEvent) => void;
}

/** @throws the signal's reason once that is aborted. */
export async function runTraining(
  model: Sequential,
  { train, test }: { readonly train: Samples; readonly test: Samples },
  options: TrainOptions,
  run: Run,
): Promise<void> {
  const { epochs, batchSize, seed, threads } = options;
  const reporter = new Reporter(options, train.x.length, run);
  await model.fit(train.x, train.y, {
    epochs,
    batchSize,
    seed,
    threads,
    validationData: [test.x, test.y],
    restoreOnNaN: true,
    signal: run.signal,
    callbacks: [reporter],
  });
}
