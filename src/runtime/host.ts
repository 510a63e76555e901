/** What Node and browsers do differently: workers, processors, memory, turns of the event loop, V8's flags. */
import { UserError } from "../errors.ts";

/** The part of a worker that the machine needs. */
export interface HostWorker {
  postMessage(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  onError(listener: (error: Error) => void): void;
  /** From here on the worker does not keep the process alive. */
  unref(): void;
  terminate(): void;
}

export const isNode = typeof process !== "undefined" && typeof process.versions?.node === "string";

/** Starts the worker that runs a machine's threads. */
export function startWorker(): HostWorker {
  if (isNode) {
    const { Worker } = process.getBuiltinModule("node:worker_threads");
    // Options of the process may not fit a worker: --input-type ends it.
    const worker = new Worker(new URL("./worker.js", import.meta.url), { execArgv: [] });
    return {
      postMessage: (message) => worker.postMessage(message),
      onMessage: (listener) => worker.on("message", listener),
      onError: (listener) => worker.on("error", listener),
      unref: () => worker.unref(),
      terminate: () => void worker.terminate(),
    };
  }
  // Bundlers find the worker by this expression, which must stand in one piece.
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  return {
    postMessage: (message) => worker.postMessage(message),
    onMessage: (listener) => worker.addEventListener("message", ({ data }) => listener(data)),
    onError: (listener) => worker.addEventListener("error", ({ message }) => listener(new Error(message))),
    unref: () => {},
    terminate: () => worker.terminate(),
  };
}

/** Whether an error says that the system starts no more threads. */
export function isThreadRefused(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === "ERR_WORKER_INIT_FAILED" || code === "ERR_WORKER_OUT_OF_MEMORY";
}

/** Number of processors that this process may use. */
export function availableParallelism(): number {
  if (isNode) return process.getBuiltinModule("node:os").availableParallelism();
  return navigator.hardwareConcurrency ?? 1;
}

/** Bytes that the system can still give this process, or more; undefined where nobody knows. */
export function freeMemory(): number | undefined {
  if (!isNode) return undefined;
  // What a container may have in all; 0 or beyond all numbers where there is no bound.
  const most = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  return Math.min(process.getBuiltinModule("node:os").freemem(), most - process.memoryUsage.rss());
}

/** Lets timers, signals and input run. */
export function yieldToEventLoop(): Promise<void> {
  return new Promise((resolve) => {
    if (isNode) return void setImmediate(resolve);
    // Browsers make timers that follow each other wait for 4 ms, messages not.
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

export interface HostFeatures {
  readonly threads: boolean;
  readonly relaxedSimd: boolean;
}

/** A module of one function that makes a vector. */
const SIMD_MODULE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

/** A module of one function that adds with `f32x4.relaxed_madd`. */
const RELAXED_SIMD_MODULE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 8, 1, 96, 3, 123, 123, 123, 1, 123, 3, 2, 1, 0, 10, 13, 1, 11, 0, 32, 0, 32, 1, 32, 2,
  253, 133, 2, 11,
]);

/**
 * Whether this thread can share memory and wait in it. A page that is not cross-origin isolated has no shared memory, and
 * a browser's main thread must not wait.
 */
function canWait(): boolean {
  if (typeof SharedArrayBuffer === "undefined") return false;
  try {
    // The word is not the value that is waited for: where waiting is allowed this returns at once.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1);
    return true;
  } catch {
    return false;
  }
}

/** @throws UserError where what is computed in cannot be had. */
function checkEngine(): void {
  const needs = "lenet needs Node 20.19 or later or a browser of 2023 or later, with WebAssembly not switched off";
  if (typeof WebAssembly === "undefined") throw new UserError(`this host has no WebAssembly; ${needs}.`);
  if (WebAssembly.validate(SIMD_MODULE)) return;
  throw new UserError(
    `this processor or host has no WebAssembly with SIMD; ${needs}, and of x86 processors one with SSE 4.1.`,
  );
}

/**
 * Finds out what the host offers, by trying it.
 *
 * @throws UserError where there is no WebAssembly with SIMD.
 */
export function probeFeatures(): HostFeatures {
  checkEngine();
  if (isNode && !WebAssembly.validate(RELAXED_SIMD_MODULE)) {
    // Node 20 has it behind a flag, which can be set until the first module that uses it is compiled.
    process.getBuiltinModule("node:v8").setFlagsFromString("--experimental-wasm-relaxed-simd");
  }
  return {
    threads: canWait(),
    relaxedSimd: WebAssembly.validate(RELAXED_SIMD_MODULE),
  };
}
