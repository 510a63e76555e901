/** What Node and browsers do differently: workers, processors, turns of the event loop, V8's flags. */

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

/** Starts a module worker. */
export async function startWorker(url: URL): Promise<HostWorker> {
  if (isNode) {
    const { Worker } = await import("node:worker_threads");
    // Options of the process may not fit a worker: --input-type ends it.
    const worker = new Worker(url, { execArgv: [] });
    return {
      postMessage: (message) => worker.postMessage(message),
      onMessage: (listener) => worker.on("message", listener),
      onError: (listener) => worker.on("error", listener),
      unref: () => worker.unref(),
      terminate: () => void worker.terminate(),
    };
  }
  const worker = new Worker(url, { type: "module" });
  return {
    postMessage: (message) => worker.postMessage(message),
    onMessage: (listener) => worker.addEventListener("message", ({ data }) => listener(data)),
    onError: (listener) => worker.addEventListener("error", ({ message }) => listener(new Error(message))),
    unref: () => {},
    terminate: () => worker.terminate(),
  };
}

/** Number of processors that this process may use. */
export async function availableParallelism(): Promise<number> {
  if (isNode) return (await import("node:os")).availableParallelism();
  return navigator.hardwareConcurrency ?? 1;
}

/** Lets timers, signals and input run. */
export function yieldToEventLoop(): Promise<void> {
  return new Promise((resolve) => {
    if (isNode) setImmediate(resolve);
    else setTimeout(resolve, 0);
  });
}

export interface HostFeatures {
  readonly threads: boolean;
  readonly relaxedSimd: boolean;
}

/** A module of one function that adds with `f32x4.relaxed_madd`. */
const RELAXED_SIMD_MODULE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 8, 1, 96, 3, 123, 123, 123, 1, 123, 3, 2, 1, 0, 10, 13, 1, 11, 0, 32, 0, 32, 1, 32, 2,
  253, 133, 2, 11,
]);

/** Finds out what the host offers, by trying it. */
export async function probeFeatures(): Promise<HostFeatures> {
  if (isNode && !WebAssembly.validate(RELAXED_SIMD_MODULE)) {
    // Node 20 has it behind a flag, which can be set until the first module that uses it is compiled.
    (await import("node:v8")).setFlagsFromString("--experimental-wasm-relaxed-simd");
  }
  return {
    threads: typeof SharedArrayBuffer !== "undefined",
    relaxedSimd: WebAssembly.validate(RELAXED_SIMD_MODULE),
  };
}
