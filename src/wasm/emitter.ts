/**
 * The thin layer over `wasmati` that kernels are written with: locals on demand, counted loops, address arithmetic, and
 * the few choices that depend on the host. It knows WebAssembly; it knows nothing of tensors.
 */
import {
  block,
  br,
  br_if,
  f32,
  f32x4,
  f64,
  func,
  type Input,
  i8x16,
  i32,
  i64,
  if_,
  type Local,
  local,
  loop,
  type StackVar,
  v128,
} from "wasmati";
import { CONTROL, ROUND } from "./barrier.ts";

/** What the host offers; probed once, see `runtime/features.ts`. */
export interface HostFeatures {
  /** Shared memory and atomics. */
  readonly threads: boolean;
  /** `f32x4.relaxed_madd`, one rounding; without it a multiplication and an addition, two roundings. */
  readonly relaxedSimd: boolean;
}

export type I32 = Local<"i32">;
export type V128 = Local<"v128">;
export type F32 = Local<"f32">;
export type F64 = Local<"f64">;
export type I64 = Local<"i64">;

/** One term of an address: a local times a constant number of bytes. */
export type Term = readonly [index: I32, bytes: number];

/** More than any kernel takes at a time: those that are not used cost nothing. */
const poolSizes = { i32: 120, v128: 120, f32: 20, f64: 20, i64: 10 } as const;

type LocalType = keyof typeof poolSizes;

type Pools = { [T in LocalType]: Local<T>[] };

/** In an order of bytes: none, but zero. Relaxed SIMD leaves open what numbers from 16 to 127 give. */
export const ZERO_BYTE = 255;

/** Memory that each thread has for itself: `bytes` a thread, one after another from `address`. */
export interface Scratch {
  readonly address: number;
  readonly bytes: number;
}

/** Lays out a thread's scratch memory, in whole cache lines; `slack` bytes are left behind each of its parts. */
export function scratchParts(slack = 0) {
  let end = 0;
  return {
    /** Gives where a part of so many bytes begins. */
    take(bytes: number): number {
      const start = end;
      end += Math.ceil(bytes / 64) * 64 + slack;
      return start;
    },
    /** Bytes of all parts so far. */
    bytes: () => end,
  };
}

/** A WebAssembly function of (thread, threads, batch). */
export type KernelFunction = ReturnType<typeof buildKernel>["run"];

/** What is known of a run beforehand. */
export interface RunLimits {
  readonly scratch: Scratch;
  /** The largest batch. */
  readonly batchSize: number;
  /** Where several threads run the kernel at the same time: its number among the kernels between two barriers. */
  readonly slot?: number;
  /** Where this kernel's counters of a profile are; each thread has its own. None unless profiling. */
  readonly counters?: Scratch;
}

/** A kernel's counters in a profile, each a float64: milliseconds of work and of waiting, list entries and elements. */
export const COUNTERS = { work: 0, wait: 8, entries: 16, elements: 24, bytes: 64 } as const;

/** Builds one kernel function; `body` writes its instructions. Also tells whether it has units: see `eachUnit`. */
export function buildKernel(features: HostFeatures, limits: RunLimits, body: (emitter: Emitter) => void) {
  const types = { i32, v128, f32, f64, i64 };
  const locals = Object.entries(poolSizes).flatMap(([type, count]) => Array(count).fill(types[type as LocalType]));
  let hasUnits = false;
  const run = func(
    { in: [i32, i32, i32], locals: locals as unknown as [typeof i32], out: [] },
    ([thread, threads, batch], all) => {
      const taken = (all as Local[]).values();
      const pools = Object.entries(poolSizes).map(([type, count]) => [
        type,
        Array.from({ length: count }, () => taken.next().value),
      ]);
      const emitter = new Emitter(features, limits, thread, threads, batch, Object.fromEntries(pools) as Pools);
      body(emitter);
      hasUnits = emitter.hasUnits;
    },
  );
  return { run, hasUnits };
}

export class Emitter {
  readonly features: HostFeatures;
  /** Number of the running thread, from 0. */
  readonly thread: I32;
  readonly threads: I32;
  /** Number of samples in this run. */
  readonly batch: I32;
  /** The largest batch that the program takes. */
  readonly batchSize: number;
  readonly #scratch: Scratch;
  readonly #counters: Scratch | undefined;
  readonly #slot: number | undefined;
  #hasUnits = false;
  readonly #pools: Pools;
  readonly #used: Record<LocalType, number> = { i32: 0, v128: 0, f32: 0, f64: 0, i64: 0 };

  constructor(features: HostFeatures, limits: RunLimits, thread: I32, threads: I32, batch: I32, pools: Pools) {
    this.features = features;
    this.batchSize = limits.batchSize;
    this.#scratch = limits.scratch;
    this.#counters = limits.counters;
    this.#slot = limits.slot;
    this.thread = thread;
    this.threads = threads;
    this.batch = batch;
    this.#pools = pools;
  }

  /** Whether the kernel's work is taken unit by unit. */
  get hasUnits(): boolean {
    return this.#hasUnits;
  }

  #take<T extends LocalType>(type: T): Local<T> {
    const taken = this.#pools[type][this.#used[type]++];
    if (!taken) throw new Error(`emitter: a kernel needs more than ${poolSizes[type]} locals of type ${type}`);
    return taken;
  }

  /** A new local, set to `initial` where given. Until then it holds anything. */
  i32(initial?: Input<"i32">): I32 {
    const variable = this.#take("i32");
    if (initial !== undefined) local.set(variable, initial);
    return variable;
  }

  f32(initial?: Input<"f32">): F32 {
    const variable = this.#take("f32");
    if (initial !== undefined) local.set(variable, initial);
    return variable;
  }

  f64(initial?: Input<"f64">): F64 {
    const variable = this.#take("f64");
    if (initial !== undefined) local.set(variable, initial);
    return variable;
  }

  i64(initial?: Input<"i64">): I64 {
    const variable = this.#take("i64");
    if (initial !== undefined) local.set(variable, initial);
    return variable;
  }

  v128(initial?: Input<"v128">): V128 {
    const variable = this.#take("v128");
    if (initial !== undefined) local.set(variable, initial);
    return variable;
  }

  /** Locals taken inside `body` are free again after it. */
  scope<Result>(body: () => Result): Result {
    const before = { ...this.#used };
    const result = body();
    Object.assign(this.#used, before);
    return result;
  }

  /** `for (index = from; index < to; index += step) body()`, signed; `to` must not change in the body. */
  for(index: I32, from: Input<"i32">, to: I32 | number, step: number, body: () => void): void {
    local.set(index, from);
    block(null, (exit) => {
      loop(null, (again) => {
        i32.ge_s(index, to);
        br_if(exit);
        this.scope(body);
        local.set(index, i32.add(index, step));
        br(again);
      });
    });
  }

  /** As `for`, but tested after the body: the range must not be empty. For innermost loops. */
  doFor(index: I32, from: Input<"i32">, to: I32, step: number, body: () => void): void {
    local.set(index, from);
    loop(null, (again) => {
      this.scope(body);
      local.set(index, i32.add(index, step));
      i32.lt_s(index, to);
      br_if(again);
    });
  }

  /** Runs `then` where the condition is not zero. */
  if(_condition: StackVar<"i32">, then: () => void, otherwise?: () => void): void {
    const scoped = (body: () => void) => () => this.scope(body);
    if (otherwise) if_(null, scoped(then), scoped(otherwise));
    else if_(null, scoped(then));
  }

  /** Raises a signed value to `least` where it is less. */
  atLeast(value: I32, least: number): void {
    this.if(i32.lt_s(value, least), () => local.set(value, i32.const(least)));
  }

  /** Lowers a signed value to `most` where it is more. Kernels do not use `gt_s`: wasmati 0.2 writes it as `gt_u`. */
  atMost(value: I32, most: I32 | number): void {
    this.if(i32.lt_s(most, value), () => local.set(value, typeof most === "number" ? i32.const(most) : most));
  }

  /** Pushes `constant + Σ index * bytes`. */
  address(constant: number, ...terms: Term[]): StackVar<"i32"> {
    let sum = i32.const(constant);
    for (const [index, bytes] of terms) sum = i32.add(sum, bytes === 1 ? index : i32.mul(index, bytes));
    return sum;
  }

  /** This thread's share of `total` pieces of equal work, as [from, to). */
  share(total: I32 | number): { from: I32; to: I32 } {
    return this.#shareOf(this.thread, total);
  }

  #shareOf(thread: I32, total: I32 | number): { from: I32; to: I32 } {
    const bound = (numerator: Input<"i32">) => this.i32(i32.div_u(i32.mul(numerator, total), this.threads));
    const from = bound(thread);
    return { from, to: bound(i32.add(thread, 1)) };
  }

  /**
   * Runs `body` for each of `total` units of work. A thread begins with its share, which is that of every kernel, so that
   * what it wrote is in its own cache; then it takes from the shares of others what they have not begun: they finish
   * together, however unequal the units and the cores. Which thread has which must not matter to the results. Once a kernel.
   */
  eachUnit(total: I32, body: (unit: I32) => void): void {
    if (this.#hasUnits) throw new Error("emitter: the units of a kernel's work are counted once");
    this.#hasUnits = true;
    const unit = this.i32();
    if (this.#slot === undefined) {
      const { from, to } = this.share(total);
      this.for(unit, from, to, 1, () => body(unit));
      return;
    }
    const counters = CONTROL.begun + this.#slot * 4;
    const owner = this.i32(this.thread);
    this.for(this.i32(), 0, this.threads, 1, () => {
      const { from, to } = this.#shareOf(owner, total);
      const counter = this.i32(i32.mul(owner, ROUND.counterBytes));
      block(null, (exit) => {
        loop(null, (again) => {
          local.set(unit, i32.add(from, i32.atomic.rmw.add({ offset: counters }, counter, 1)));
          i32.ge_s(unit, to);
          br_if(exit);
          this.scope(() => body(unit));
          br(again);
        });
      });
      local.set(owner, i32.add(owner, 1));
      this.if(i32.eq(owner, this.threads), () => local.set(owner, i32.const(0)));
    });
  }

  /**
   * Of work numbered `group * members + member`: pushes whether the share has some of `member`.
   */
  isShared({ from, to }: { from: I32; to: I32 }, member: I32, members: I32 | number): StackVar<"i32"> {
    // The first of this member that is not before the share.
    const ahead = this.i32(i32.rem_u(i32.add(member, i32.sub(members, i32.rem_u(from, members))), members));
    return i32.lt_u(i32.add(from, ahead), to);
  }

  /** This thread's share of the batch. */
  samples(): { from: I32; to: I32 } {
    return this.share(this.batch);
  }

  /** Address of this thread's scratch memory, of the size that the op asked for. */
  scratch(): I32 {
    return this.i32(this.address(this.#scratch.address, [this.thread, this.#scratch.bytes]));
  }

  /** Whether entries are counted. */
  get isProfiling(): boolean {
    return this.#counters !== undefined;
  }

  /** Where profiling, counts a list's entries, from `from` to `end`, among the elements that it was made of. */
  countEntries(from: I32, end: I32, elements: I32 | number): void {
    const counters = this.#counters;
    if (!counters) return;
    this.scope(() => {
      const address = this.i32(this.address(counters.address, [this.thread, counters.bytes]));
      const add = (offset: number, count: I32 | number) => {
        const added = this.f64(f64.convert_i32_u(count));
        f64.store({ offset }, address, f64.add(f64.load({ offset }, address), added));
      };
      add(COUNTERS.entries, this.i32(i32.shr_u(i32.sub(end, from), 2)));
      add(COUNTERS.elements, elements);
    });
  }

  /** Runs `body` on thread 0 only. */
  onFirstThread(body: () => void): void {
    this.if(i32.eqz(this.thread), body);
  }

  /** `sum = a * b + sum`, with one rounding where the host has it. */
  accumulate(sum: V128, a: Input<"v128">, b: Input<"v128">): void {
    local.set(sum, this.madd(a, b, sum));
  }

  /** Pushes `a * b + c`. */
  madd(a: Input<"v128">, b: Input<"v128">, c: Input<"v128">): StackVar<"v128"> {
    if (this.features.relaxedSimd) return f32x4.relaxed_madd(a, b, c);
    return f32x4.add(f32x4.mul(a, b), c);
  }

  /** Pushes `c - a * b`. */
  nmadd(a: Input<"v128">, b: Input<"v128">, c: Input<"v128">): StackVar<"v128"> {
    if (this.features.relaxedSimd) return f32x4.relaxed_nmadd(a, b, c);
    return f32x4.sub(c, f32x4.mul(a, b));
  }

  /** Pushes the bytes of `vector` in another order: for each the number of the byte that it becomes, 0 to 15, or `ZERO_BYTE`. */
  swizzle(vector: Input<"v128">, order: Input<"v128">): StackVar<"v128"> {
    return this.features.relaxedSimd ? i8x16.relaxed_i8x16_swizzle(vector, order) : i8x16.swizzle(vector, order);
  }

  /** Stores the first `lanes` (1 to 4) lanes of a vector at `address + offset`. */
  storeLanes(address: I32, offset: number, vector: V128, lanes: number): void {
    if (lanes >= 4) v128.store({ offset, align: 4 }, address, vector);
    else {
      if (lanes >= 2) v128.store64_lane({ offset, align: 4 }, 0, address, vector);
      if (lanes % 2) v128.store32_lane({ offset: offset + (lanes - 1) * 4 }, lanes - 1, address, vector);
    }
  }
}
