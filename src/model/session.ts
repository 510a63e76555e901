/** A compiled network with its memory and threads: what `fit`, `evaluate` and `predict` run on. */
import { compile } from "../compiler/compile.ts";
import type { Network, Program } from "../compiler/network.ts";
import { InternalError } from "../errors.ts";
import type { Buffer, Operand, Tensor } from "../kernels/op.ts";
import { elementsOf } from "../kernels/op.ts";
import { probeFeatures } from "../runtime/host.ts";
import { Machine } from "../runtime/machine.ts";
import { CONTROL } from "../wasm/barrier.ts";

export interface SessionOptions {
  /** The largest batch that the programs take. */
  readonly batchSize: number;
  /** Number of threads; the caller's own thread is one of them. */
  readonly threads: number;
  /** Round after each multiplication and addition, for the same bits on every machine. Slower. */
  readonly strict?: boolean;
}

export class Session {
  /** Compiles the network and starts the threads. Where the host has no shared memory there is one thread. */
  static async create(network: Network, { batchSize, threads, strict = false }: SessionOptions): Promise<Session> {
    const probed = await probeFeatures();
    const features = { threads: probed.threads, relaxedSimd: probed.relaxedSimd && !strict };
    const count = features.threads ? threads : 1;
    const compiled = compile(network, { batchSize, threads: count, features });
    const machine = await Machine.create({ ...compiled, threads: count, control: CONTROL });
    return new Session(machine, compiled.operands, batchSize);
  }

  readonly batchSize: number;
  readonly #machine: Machine;
  readonly #operands: ReadonlyMap<Tensor, Operand>;

  private constructor(machine: Machine, operands: ReadonlyMap<Tensor, Operand>, batchSize: number) {
    this.#machine = machine;
    this.#operands = operands;
    this.batchSize = batchSize;
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
   * targets or output. Write inputs and weights through it, read outputs and results.
   */
  view(tensor: Tensor): Buffer {
    const operand = this.#operands.get(tensor);
    if (!operand) throw new InternalError(`tensor ${tensor.name} has no place in memory`);
    const length = elementsOf(tensor.shape) * (tensor.batched ? this.batchSize : 1);
    const { buffer } = this.#machine.memory;
    if (operand.dtype === "float32") return new Float32Array(buffer, operand.address, length);
    if (operand.dtype === "int32") return new Int32Array(buffer, operand.address, length);
    return new Uint8Array(buffer, operand.address, length);
  }

  /** Runs a program on the first `batch` samples. Rejects with an InternalError when a thread fails. */
  async run(program: Program, batch: number): Promise<void> {
    try {
      this.#machine.run(program, batch);
    } catch (error) {
      throw new InternalError(`the engine failed: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Ends the threads and lets the memory go. */
  close(): void {
    this.#machine.close();
  }
}
