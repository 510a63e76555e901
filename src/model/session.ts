/** A compiled network with its memory and threads: what `fit`, `evaluate` and `predict` run on. */
import type { Network, Program } from "../compiler/network.ts";
import { InternalError } from "../errors.ts";
import type { Buffer, Tensor } from "../kernels/op.ts";

export interface SessionOptions {
  /** The largest batch that the programs take. */
  readonly batchSize: number;
  /** Number of threads; the caller's own thread is one of them. */
  readonly threads: number;
}

export class Session {
  /** Compiles the network and starts the threads. */
  static async create(_network: Network, _options: SessionOptions): Promise<Session> {
    throw new InternalError("not yet");
  }

  readonly batchSize: number = 0;

  /**
   * A live view of a tensor's memory: a state tensor's elements, or those of `batchSize` samples of a batched input,
   * targets or output. Write inputs and weights through it, read outputs and results.
   */
  view(_tensor: Tensor): Buffer {
    throw new InternalError("not yet");
  }

  /** Runs a program on the first `batch` samples. Rejects with an InternalError when a thread fails. */
  async run(_program: Program, _batch: number): Promise<void> {
    throw new InternalError("not yet");
  }

  /** Ends the threads and lets the memory go. */
  close(): void {}
}
