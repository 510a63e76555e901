/** A compiled network with its memory and threads: what `fit`, `evaluate` and `predict` run on. */
import {
  type CompiledNetwork,
  type CompileOptions,
  compile,
  formatBytes,
  notEnoughMemory,
} from "../compiler/compile.ts";
import type { Network, Program } from "../compiler/network.ts";
import { InternalError, UserError } from "../errors.ts";
import type { Buffer, Operand, Tensor } from "../kernels/op.ts";
import { elementsOf } from "../kernels/op.ts";
import { freeMemory, isThreadRefused, probeFeatures } from "../runtime/host.ts";
import { Machine, NoMemoryError } from "../runtime/machine.ts";
import { CONTROL } from "../wasm/barrier.ts";
import { measureCeiling } from "./ceiling.ts";
import { type Profile, profileOf } from "./profile.ts";

export interface SessionOptions {
  /** The largest batch that the programs take. */
  readonly batchSize: number;
  /** Number of threads; the caller's own thread is one of them. */
  readonly threads: number;
  /** Round after each multiplication and addition, for the same bits on every machine. Slower. */
  readonly strict?: boolean;
  /** Count times and zeros of the training steps, kernel by kernel. */
  readonly profile?: boolean;
  /** Called once the memory is there, while the system compiles the engine's code. */
  readonly meanwhile?: () => void;
}

/**
 * Systems promise memory that they do not have, and end the process that uses it: so what is free is asked first.
 *
 * @throws UserError where the system does not have the memory or the threads
 */
async function startMachine(compiled: CompiledNetwork, options: SessionOptions): Promise<Machine> {
  const { batchSize, threads, meanwhile } = options;
  const { memoryBytes } = compiled;
  const free = freeMemory();
  if (free !== undefined && memoryBytes > free) {
    throw notEnoughMemory(memoryBytes, batchSize, `${formatBytes(free)} are free`);
  }
  try {
    return await Machine.create({ ...compiled, threads, control: CONTROL, meanwhile });
  } catch (error) {
    if (error instanceof NoMemoryError) {
      throw notEnoughMemory(memoryBytes, batchSize, "the system does not give so much");
    }
    if (!isThreadRefused(error)) throw error;
    const reason = `the system starts no more threads, and ${threads} are asked for`;
    throw new UserError(`${reason}; ask for fewer, or end other programs.`, { cause: error });
  }
}

export class Session {
  /** Compiles the network and starts the threads. Where the host has no shared memory there is one thread. */
  static async create(network: Network, options: SessionOptions): Promise<Session> {
    const { batchSize, threads, strict = false, profile = false } = options;
    const probed = probeFeatures();
    const features = { threads: probed.threads, relaxedSimd: probed.relaxedSimd && !strict };
    const count = features.threads ? threads : 1;
    const compiled = compile(network, { batchSize, threads: count, features, profile });
    const machine = await startMachine(compiled, { ...options, threads: count });
    return new Session(machine, compiled, { batchSize, threads: count, features });
  }

  readonly batchSize: number;
  readonly #machine: Machine;
  readonly #operands: ReadonlyMap<Tensor, Operand>;
  readonly #compiled: CompiledNetwork;
  readonly #options: CompileOptions;
  /** Whether what `prepare` makes is of the present weights. */
  #isPrepared: boolean;
  #steps = 0;
  #samples = 0;

  private constructor(machine: Machine, compiled: CompiledNetwork, options: CompileOptions) {
    this.#machine = machine;
    this.#compiled = compiled;
    this.#operands = compiled.operands;
    this.#isPrepared = compiled.preparedWeights.size === 0;
    this.#options = options;
    this.batchSize = options.batchSize;
  }

  /** Whether a tensor has its place in this session's memory. */
  holds(tensor: Tensor): boolean {
    return this.#operands.has(tensor);
  }

  /** False once a thread has failed or the session is closed. */
  get isUsable(): boolean {
    return this.#machine.isUsable;
  }

  /**
   * A live view of a tensor's memory: a state tensor's elements, or those of `batchSize` samples of a batched input,
   * targets or output. Write inputs and weights through it, at once, read outputs and results.
   */
  view(tensor: Tensor): Buffer {
    const operand = this.#operands.get(tensor);
    if (!operand) throw new InternalError(`tensor ${tensor.name} has no place in memory`);
    if (this.#compiled.preparedWeights.has(tensor)) this.#isPrepared = false;
    const length = elementsOf(tensor.shape) * (tensor.batched ? this.batchSize : 1);
    const { buffer } = this.#machine.memory;
    if (operand.dtype === "float32") return new Float32Array(buffer, operand.address, length);
    if (operand.dtype === "int32") return new Int32Array(buffer, operand.address, length);
    return new Uint8Array(buffer, operand.address, length);
  }

  /** Runs a program on the first `batch` samples. Rejects with an InternalError when a thread fails. */
  async run(program: Program, batch: number): Promise<void> {
    try {
      if (program !== "trainStep" && !this.#isPrepared) {
        this.#machine.run("prepare", batch);
        this.#isPrepared = true;
      }
      this.#machine.run(program, batch);
      if (program === "trainStep") {
        this.#isPrepared = this.#compiled.preparedWeights.size === 0;
        this.#steps++;
        this.#samples += batch;
      }
    } catch (error) {
      throw new InternalError(`the engine failed: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Where the time of the training steps went; none without the option, or before the first step. */
  async profile(): Promise<Profile | undefined> {
    const { counters, kernels } = this.#compiled;
    if (!counters || !kernels || this.#steps === 0) return undefined;
    const { threads } = this.#options;
    const words = Array.from({ length: threads }, (_, thread) => {
      return new Float64Array(
        this.#machine.memory.buffer,
        counters.address + thread * counters.bytes,
        counters.bytes / 8,
      );
    });
    const counts = { kernels, counters: words, steps: this.#steps, samples: this.#samples };
    return profileOf(counts, await measureCeiling(this.#options));
  }

  /** Ends the threads and lets the memory go. */
  close(): void {
    this.#machine.close();
  }
}
