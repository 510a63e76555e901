/** Ends the process when a case does not end: code that hangs cannot be stopped otherwise, nor tell which it was. */
import { Worker } from "node:worker_threads";

const PROGRAM = `
  const { workerData: { beats, seconds } } = require("node:worker_threads");
  const { writeSync } = require("node:fs");
  for (let last = -1; ; ) {
    const now = Atomics.load(beats, 0);
    if (now === last && Atomics.load(beats, 1) === 1) {
      writeSync(2, "fuzz: a case did not end within " + seconds + " s: number " + now + "\\n");
      process.kill(process.pid, "SIGKILL");
    }
    last = now;
    Atomics.wait(beats, 2, 0, seconds * 1000);
    if (Atomics.load(beats, 2) === 1) break;
  }
`;

export class Watchdog {
  readonly #beats = new Int32Array(new SharedArrayBuffer(12));

  constructor(seconds: number) {
    new Worker(PROGRAM, { eval: true, workerData: { beats: this.#beats, seconds } }).unref();
  }

  /** Runs one case, which has to end before the watchdog looks twice. */
  async watch<Result>(seed: number, run: () => Promise<Result>): Promise<Result> {
    Atomics.store(this.#beats, 0, seed);
    Atomics.store(this.#beats, 1, 1);
    try {
      return await run();
    } finally {
      Atomics.store(this.#beats, 1, 0);
    }
  }

  stop(): void {
    Atomics.store(this.#beats, 2, 1);
    Atomics.notify(this.#beats, 2);
  }
}
