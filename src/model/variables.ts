/**
 * The model's state, wherever it is: on the JavaScript side as long as nothing has run, in the memory of the session
 * once something has. Sessions are made when they are needed, for the batch and the programs that are asked for, and
 * carry the state over.
 */
import { formatShape } from "../array.ts";
import type { Network } from "../compiler/network.ts";
import { UserError } from "../errors.ts";
import { elementsOf, type Tensor } from "../kernels/op.ts";
import { availableParallelism } from "../runtime/host.ts";
import type { Profile } from "./profile.ts";
import { Session } from "./session.ts";

/** At most so many where none are asked for: more do not help batches of the usual size. */
const DEFAULT_THREADS = 16;

/** Weights of no more are made ahead, all together. */
const MADE_AHEAD_BYTES = 2 ** 26;

/** The value of a tensor whose elements the session has: one copy is enough. */
const IN_SESSION = new Float32Array(0);

export interface SessionRequest {
  readonly network: Network;
  readonly batchSize: number;
  /** Undefined: as many as there are processors. */
  readonly threads?: number | undefined;
  /** Count times and zeros. */
  readonly profile?: boolean;
}

export class Variables {
  readonly strict: boolean;
  /** Values, or how to make them: a model that is loaded never draws its first weights. */
  readonly #values = new Map<Tensor, Float32Array | (() => Float32Array)>();
  #session: Session | undefined;
  #made: { network: Network; threads: number | undefined; profile: boolean } | undefined;
  /** Settled when nobody uses a session. */
  #idle: Promise<void> = Promise.resolve();

  /** @param strict see `SessionOptions` */
  constructor(strict: boolean) {
    this.strict = strict;
  }

  /** Adds a state tensor; its first value is made when it is needed. */
  add(tensor: Tensor, create: () => Float32Array): void {
    this.#values.set(tensor, create);
  }

  remove(tensor: Tensor): void {
    this.#values.delete(tensor);
  }

  /** A copy of a tensor's present value. */
  read(tensor: Tensor): Float32Array {
    return this.view(tensor).slice();
  }

  write(tensor: Tensor, value: Float32Array): void {
    if (this.#session?.holds(tensor)) this.view(tensor).set(value);
    else this.#values.set(tensor, value.slice());
  }

  /** A tensor's present value where it lies: to read, until the next step. */
  view(tensor: Tensor): Float32Array {
    const session = this.#session;
    if (session?.holds(tensor)) return session.view(tensor) as Float32Array;
    const value = this.#values.get(tensor)!;
    if (value instanceof Float32Array) return value;
    const created = value();
    if (created.length !== elementsOf(tensor.shape)) {
      const shape = formatShape(tensor.shape);
      throw new UserError(`${tensor.name}: its initializer made ${created.length} values for the shape ${shape}.`);
    }
    this.#values.set(tensor, created);
    return created;
  }

  /** Whether the present session has a network's programs, for the batch and threads that are asked for. */
  serves({ network, batchSize, threads, profile }: SessionRequest): boolean {
    const session = this.#session;
    if (profile && !this.#made?.profile) return false;
    if (!session?.isUsable || this.#made?.network !== network || batchSize > session.batchSize) return false;
    return threads === undefined || threads === this.#made.threads;
  }

  /**
   * Runs `body` on the session that `ask` asks for. Whoever comes meanwhile waits: calls at the same time must neither
   * write over each other's batch nor carry the state into two sessions.
   */
  use<Result>(ask: () => SessionRequest, body: (session: Session) => Promise<Result>): Promise<Result> {
    const result = this.#idle.then(async () => body(await this.#sessionFor(ask())));
    this.#idle = result.then(
      () => {},
      () => {},
    );
    return result;
  }

  /** The present session where it serves, else a new one with the state carried over. */
  async #sessionFor(request: SessionRequest): Promise<Session> {
    if (this.#session && this.serves(request)) return this.#session;
    const { network, batchSize, threads, profile = false } = request;
    this.release();
    const count = threads ?? Math.min(availableParallelism(), DEFAULT_THREADS);
    const options = { batchSize, threads: count, strict: this.strict, profile };
    const session = await Session.create(network, { ...options, meanwhile: () => this.#makeFirstValues(network) });
    for (const tensor of this.#values.keys()) {
      if (!session.holds(tensor)) continue;
      session.view(tensor).set(this.view(tensor));
      this.#values.set(tensor, IN_SESSION);
    }
    this.#session = session;
    this.#made = { network, threads, profile };
    return session;
  }

  /** Makes the first values of a network's weights, unless these are large: they then are made and let go one by one. */
  #makeFirstValues({ parameters, untrained = [] }: Network): void {
    const weights = [...parameters, ...untrained];
    const bytes = weights.reduce((sum, { shape }) => sum + elementsOf(shape) * 4, 0);
    if (bytes <= MADE_AHEAD_BYTES) for (const tensor of weights) this.view(tensor);
  }

  /** What the present session counted of its training steps. */
  async profile(): Promise<Profile | undefined> {
    await this.#idle;
    return this.#session?.profile();
  }

  /** Takes the state back from the session and ends it. */
  release(): void {
    for (const tensor of this.#values.keys()) {
      if (this.#session?.holds(tensor)) this.#values.set(tensor, this.read(tensor));
    }
    this.#session?.close();
    this.#session = undefined;
  }

  /** The first value in any of the tensors that is not finite. */
  firstNotFinite(tensors: readonly Tensor[]): number | undefined {
    for (const tensor of tensors) {
      const values = this.view(tensor);
      // Five times as fast as `for … of`, and it is done for each checkpoint.
      for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return values[i];
    }
    return undefined;
  }

  /** Copies of all values, to go back to. */
  snapshot(): ReadonlyMap<Tensor, Float32Array> {
    return new Map([...this.#values.keys()].map((tensor) => [tensor, this.read(tensor)]));
  }

  restore(snapshot: ReadonlyMap<Tensor, Float32Array>): void {
    for (const [tensor, value] of snapshot) this.write(tensor, value);
  }
}
