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
  /** Called while the system compiles the module. */
  readonly meanwhile?: (() => void) | undefined;
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
    const { threads, programs, control, meanwhile } = options;
    const pages = Math.ceil(options.memoryBytes / 65_536);
    const memory = allocate({ initial: pages, maximum: pages, shared: threads > 1 });
    const words = new Int32Array(memory.buffer);
    const workers: HostWorker[] = [];
    try {
      // Workers start, and the caller does what it has to, while the system compiles.
      const starting = Array.from({ length: threads - 1 }, (_, index) => {
        const worker = startWorker();
        workers.push(worker);
        // One that dies later cannot say so itself, and a run would wait for it at the next barrier.
        worker.onError(() => void Atomics.compareExchange(words, control.abort / 4, 0, index + 2));
        return isReady(worker);
      });
      const compiling = WebAssembly.compile(options.module as BufferSource);
      // Where `meanwhile` throws, nobody waits for it any more.
      compiling.catch(() => {});
      meanwhile?.();
      const module = await compiling;
      const instance = await WebAssembly.instantiate(module, bindImports(module, memory));
      for (const [index, worker] of workers.entries()) {
        const start: WorkerStart = { module, memory, threads, programs, control, thread: index + 1 };
        worker.postMessage(start);
      }
      await Promise.all(starting);
      for (const worker of workers) worker.unref();
      return new Machine(memory, instance, workers, options);
    } catch (error) {
      for (const worker of workers) worker.terminate();
      throw error;
    }
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

/** Settles when the worker has instantiated its module, or failed. */
function isReady(worker: HostWorker): Promise<void> {
  const ready = new Promise<void>((resolve, reject) => {
    worker.onMessage(() => resolve());
    worker.onError(reject);
  });
  // It may fail before anybody waits for it.
  ready.catch(() => {});
  return ready;
}
