/**
 * The model's state, wherever it is: on the JavaScript side as long as nothing has run, in the memory of the session
 * once something has. Sessions are made when they are needed, for the batch and the programs that are asked for, and
 * carry the state over.
 */
import type { Network } from "../compiler/network.ts";
import type { Tensor } from "../kernels/op.ts";
import { availableParallelism } from "../runtime/host.ts";
import { Session } from "./session.ts";

/** More threads than this do not help batches of the usual size. */
const MOST_THREADS = 16;

export interface SessionRequest {
  readonly batchSize: number;
  /** Undefined: as many as there are processors. */
  readonly threads?: number | undefined;
}

export class Variables {
  readonly #strict: boolean;
  readonly #values = new Map<Tensor, Float32Array>();
  #session: Session | undefined;
  #made: { network: Network; threads: number | undefined } | undefined;

  /** @param strict see `SessionOptions` */
  constructor(strict: boolean) {
    this.#strict = strict;
  }

  /** Adds a state tensor with its first value. */
  add(tensor: Tensor, value: Float32Array): void {
    this.#values.set(tensor, value);
  }

  /** A copy of a tensor's present value. */
  read(tensor: Tensor): Float32Array {
    return this.#live(tensor).slice();
  }

  write(tensor: Tensor, value: Float32Array): void {
    this.#live(tensor).set(value);
  }

  #live(tensor: Tensor): Float32Array {
    const session = this.#session;
    return session?.holds(tensor) ? (session.view(tensor) as Float32Array) : this.#values.get(tensor)!;
  }

  /** Whether the present session has a network's programs, for the batch and threads that are asked for. */
  serves(network: Network, { batchSize, threads }: SessionRequest): boolean {
    const session = this.#session;
    if (!session?.isUsable || this.#made?.network !== network || batchSize > session.batchSize) return false;
    return threads === undefined || threads === this.#made.threads;
  }

  /** The session for a network: the present one where it serves, else a new one with the state carried over. */
  async session(network: Network, request: SessionRequest): Promise<Session> {
    if (this.#session && this.serves(network, request)) return this.#session;
    const { batchSize, threads } = request;
    this.release();
    const count = threads ?? Math.min(await availableParallelism(), MOST_THREADS);
    const session = await Session.create(network, { batchSize, threads: count, strict: this.#strict });
    for (const [tensor, value] of this.#values) if (session.holds(tensor)) session.view(tensor).set(value);
    this.#session = session;
    this.#made = { network, threads };
    return session;
  }

  /** Takes the state back from the session and ends it. */
  release(): void {
    for (const tensor of this.#values.keys()) this.#values.set(tensor, this.read(tensor));
    this.#session?.close();
    this.#session = undefined;
  }

  /** Copies of all values, to go back to. */
  snapshot(): ReadonlyMap<Tensor, Float32Array> {
    return new Map([...this.#values.keys()].map((tensor) => [tensor, this.read(tensor)]));
  }

  restore(snapshot: ReadonlyMap<Tensor, Float32Array>): void {
    for (const [tensor, value] of snapshot) this.write(tensor, value);
  }
}
