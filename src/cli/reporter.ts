/** How `lenet train` tells what it does: a progress line in a terminal, one line an epoch elsewhere, or JSON lines. */
import { formatMetrics, formatRemaining, formatStepTime, type Logs, ProgressLine, type Terminal } from "./progress.ts";

/** What is told while training; times are taken when these are called. */
export interface Reporter {
  epochBegin(epoch: number): void;
  /** `step` counts from 1 within the epoch. */
  batchEnd(step: number, logs: Logs): void;
  epochEnd(logs: Logs): void;
  /** Ends an epoch that was broken off. */
  close(): void;
}

export interface Plan {
  readonly epochs: number;
  readonly steps: number;
}

/** Times an epoch: its length with validation, and a step's without. */
class EpochClock {
  readonly #now: () => number;
  #start = 0;
  #firstStep = 0;
  #lastStep = 0;
  #steps = 0;
  /** The number of the first step: not 1 where training goes on in the midst of an epoch. */
  #first = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  begin(): void {
    this.#start = this.#now();
    this.#firstStep = this.#start;
    this.#lastStep = this.#start;
    this.#steps = 0;
  }

  step(step: number): void {
    this.#lastStep = this.#now();
    if (this.#steps === 0) {
      this.#firstStep = this.#lastStep;
      this.#first = step;
    }
    this.#steps = step;
  }

  get steps(): number {
    return this.#steps;
  }

  get seconds(): number {
    return (this.#now() - this.#start) / 1000;
  }

  /** Mean of the steps so far; the first, which may include compiling, only where it is the only one (as in Keras). */
  get msPerStep(): number {
    if (this.#steps > this.#first) return (this.#lastStep - this.#firstStep) / (this.#steps - this.#first);
    return this.#steps > 0 ? this.#lastStep - this.#start : 0;
  }
}

/** `Epoch 1/10`, and below it Keras's progress line. */
export class TerminalReporter implements Reporter {
  readonly #plan: Plan;
  readonly #terminal: Terminal;
  readonly #clock: EpochClock;
  readonly #line: ProgressLine;

  constructor(plan: Plan, terminal: Terminal, now: () => number = () => performance.now()) {
    this.#plan = plan;
    this.#terminal = terminal;
    this.#clock = new EpochClock(now);
    this.#line = new ProgressLine(terminal, now);
  }

  epochBegin(epoch: number): void {
    this.#clock.begin();
    this.#terminal.write(`Epoch ${epoch}/${this.#plan.epochs}\n`);
  }

  batchEnd(step: number, logs: Logs): void {
    this.#clock.step(step);
    const { steps } = this.#plan;
    const { msPerStep } = this.#clock;
    const time = () => formatRemaining((msPerStep * (steps - step)) / 1000);
    this.#line.update(() => ({ step, steps, time: time(), msPerStep, logs }));
  }

  epochEnd(logs: Logs): void {
    const { msPerStep, seconds, steps: step } = this.#clock;
    this.#line.finish({ step, steps: this.#plan.steps, time: `${seconds.toFixed(0)}s`, msPerStep, logs });
  }

  close(): void {
    this.#line.close();
  }
}

/** `Epoch 1/10 - 12s - 25ms/step - accuracy: 0.9481 - …`, when the epoch has ended. */
export class LineReporter implements Reporter {
  readonly #plan: Plan;
  readonly #write: (text: string) => void;
  readonly #clock: EpochClock;
  #epoch = 0;

  constructor(plan: Plan, write: (text: string) => void, now: () => number = () => performance.now()) {
    this.#plan = plan;
    this.#write = write;
    this.#clock = new EpochClock(now);
  }

  epochBegin(epoch: number): void {
    this.#epoch = epoch;
    this.#clock.begin();
  }

  batchEnd(step: number): void {
    this.#clock.step(step);
  }

  epochEnd(logs: Logs): void {
    const times = `${this.#clock.seconds.toFixed(0)}s - ${formatStepTime(this.#clock.msPerStep)}`;
    this.#write(`Epoch ${this.#epoch}/${this.#plan.epochs} - ${times}${formatMetrics(logs)}\n`);
  }

  close(): void {}
}

/** One JSON object an epoch: its number from 1, the metrics, `seconds` with validation and `ms_per_step` without. */
export class JsonReporter implements Reporter {
  readonly #write: (text: string) => void;
  readonly #clock: EpochClock;
  #epoch = 0;

  constructor(write: (text: string) => void, now: () => number = () => performance.now()) {
    this.#write = write;
    this.#clock = new EpochClock(now);
  }

  epochBegin(epoch: number): void {
    this.#epoch = epoch;
    this.#clock.begin();
  }

  batchEnd(step: number): void {
    this.#clock.step(step);
  }

  epochEnd(logs: Logs): void {
    const { loss, accuracy, val_loss, val_accuracy, ...others } = logs;
    const { seconds, msPerStep } = this.#clock;
    const metrics = { loss, accuracy, val_loss, val_accuracy, ...others };
    this.#write(`${JSON.stringify({ epoch: this.#epoch, ...metrics, seconds, ms_per_step: msPerStep })}\n`);
  }

  close(): void {}
}
