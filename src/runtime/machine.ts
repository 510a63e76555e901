/**
 * A machine: one module on one memory, run by a fixed number of threads. The caller's own thread is number 0; the others
 * are workers that sleep between programs and never keep the process alive.
 */
import { type HostWorker, startWorker } from "./host.ts";
import { bindImports } from "./imports.js";

/** Byte offsets of the words at the start of memory through which threads speak. */
export interface ControlWords {
  readonly abort: number;
  readonly command: number;
  readonly program: number;
  readonly batch: number;
}

export interface MachineOptions {
  /** Bytes of a module that imports its memory and exports `programs`, each (thread, threads, batch) → (). */
  readonly module: Uint8Array;
  readonly programs: readonly string[];
  readonly memoryBytes: number;
  readonly threads: number;
  readonly control: ControlWords;
}

/** What a worker is told when it starts. */
export interface WorkerStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly thread: number;
  readonly threads: number;
  readonly programs: readonly string[];
  readonly control: ControlWords;
}

/** The system does not give the memory. */
export class NoMemoryError extends Error {}

/** Ends the workers of machines that nobody holds any more. */
const abandoned = new FinalizationRegistry<readonly HostWorker[]>((workers) => {
  for (const worker of workers) worker.terminate();
});

export class Machine {
  /**
   * Compiles the module and starts the workers.
   *
   * @throws NoMemoryError where the system does not give the memory
   */
  static async create(options: MachineOptions): Promise<Machine> {
    const { threads, programs, control } = options;
    const pages = Math.ceil(options.memoryBytes / 65_536);
    const memory = allocate({ initial: pages, maximum: pages, shared: threads > 1 });
    const module = await WebAssembly.compile(options.module as BufferSource);
    const instance = await WebAssembly.instantiate(module, bindImports(module, memory));
    const start = { module, memory, threads, programs, control };
    const started = await Promise.allSettled(
      Array.from({ length: threads - 1 }, (_, index) => startThread({ ...start, thread: index + 1 })),
    );
    const workers = started.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    const failed = started.find((result) => result.status === "rejected");
    if (failed) {
      for (const worker of workers) worker.terminate();
      throw failed.reason;
    }
    return new Machine(memory, instance, workers, options);
  }

  readonly memory: WebAssembly.Memory;
  readonly #instance: WebAssembly.Instance;
  readonly #workers: readonly HostWorker[];
  readonly #options: MachineOptions;
  readonly #words: Int32Array;
  #failure: Error | undefined;

  private constructor(
    memory: WebAssembly.Memory,
    instance: WebAssembly.Instance,
    workers: readonly HostWorker[],
    options: MachineOptions,
  ) {
    this.memory = memory;
    this.#instance = instance;
    this.#workers = workers;
    this.#options = options;
    this.#words = new Int32Array(memory.buffer);
    abandoned.register(this, workers, this);
  }

  /** False once a thread has failed or the machine is closed. */
  get isUsable(): boolean {
    return this.#failure === undefined;
  }

  /**
   * Runs a program on the first `batch` samples, on all threads, and returns when it is done.
   *
   * @throws the error of the thread that failed; the machine then is of no more use.
   */
  run(program: string, batch: number): void {
    if (this.#failure) throw this.#failure;
    const { control, programs, threads } = this.#options;
    this.#words[control.program / 4] = programs.indexOf(program);
    this.#words[control.batch / 4] = batch;
    if (threads > 1) {
      Atomics.add(this.#words, control.command / 4, 1);
      Atomics.notify(this.#words, control.command / 4);
    }
    try {
      (this.#instance.exports[program] as (thread: number, threads: number, batch: number) => void)(0, threads, batch);
    } catch (error) {
      const failed = Atomics.compareExchange(this.#words, control.abort / 4, 0, 1);
      const thread = failed === 0 ? 0 : failed - 1;
      this.#failure = new Error(`thread ${thread} failed in ${program}: ${String(error)}`);
      this.close();
      throw this.#failure;
    }
  }

  /** Ends the workers. */
  close(): void {
    this.#failure ??= new Error("the machine is closed");
    abandoned.unregister(this);
    for (const worker of this.#workers) worker.terminate();
  }
}

function allocate(size: WebAssembly.MemoryDescriptor): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory(size);
  } catch (error) {
    throw new NoMemoryError((error as Error).message, { cause: error });
  }
}

/** Starts one worker and waits until it has instantiated the module. */
async function startThread(start: WorkerStart): Promise<HostWorker> {
  const worker = startWorker();
  try {
    await new Promise<void>((resolve, reject) => {
      worker.onMessage(() => resolve());
      worker.onError(reject);
      worker.postMessage(start);
    });
  } catch (error) {
    worker.terminate();
    throw error;
  }
  // A worker that dies later cannot say so itself, and a run would wait for it at the next barrier.
  worker.onError(() => {
    Atomics.compareExchange(new Int32Array(start.memory.buffer), start.control.abort / 4, 0, start.thread + 1);
  });
  worker.unref();
  return worker;
}
