/**
 * A worker thread: instantiates the module that it is given on the shared memory, then waits for commands and runs the
 * program that each names, for ever. JavaScript, because it is loaded as it lies, from source and from the build.
 *
 * @typedef {import("./machine.ts").WorkerStart} WorkerStart
 */
import { bindImports } from "./imports.js";

/** Looks for a command before sleeping: about as long as the caller takes to bring the next batch. */
const SPINS = 200_000;

/** @param {WorkerStart} start @param {(message: unknown) => void} reply */
function work({ module, memory, thread, threads, programs, control }, reply) {
  const words = new Int32Array(memory.buffer);
  const word = (/** @type {number} */ offset) => offset / 4;
  const instance = new WebAssembly.Instance(module, bindImports(module, memory));
  const run = programs.map((name) => /** @type {Function} */ (instance.exports[name]));
  let seen = Atomics.load(words, word(control.command));
  reply({ ready: true });
  for (;;) {
    for (let i = 0; i < SPINS && Atomics.load(words, word(control.command)) === seen; i++);
    while (Atomics.load(words, word(control.command)) === seen) Atomics.wait(words, word(control.command), seen);
    seen = Atomics.load(words, word(control.command));
    try {
      const program = Atomics.load(words, word(control.program));
      const batch = Atomics.load(words, word(control.batch));
      run[program]?.(thread, threads, batch);
    } catch (error) {
      // Whoever waits at a barrier looks at this word; the caller then reports the failure.
      Atomics.compareExchange(words, word(control.abort), 0, thread + 1);
      reply({ failed: String(error) });
      return;
    }
  }
}

if (typeof process !== "undefined" && process.versions?.node) {
  const { parentPort } = process.getBuiltinModule("node:worker_threads");
  parentPort?.once("message", (start) => work(start, (message) => parentPort.postMessage(message)));
} else {
  addEventListener("message", ({ data }) => work(data, (message) => postMessage(message)), { once: true });
}
