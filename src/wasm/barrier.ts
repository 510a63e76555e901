/**
 * The barrier between kernels, and the words at the start of memory through which threads speak.
 *
 * A barrier counts the threads that arrive; the last one starts the next generation and wakes the others, which look
 * for it a while before they sleep. A thread that fails sets the abort word; whoever waits then traps instead of
 * waiting for ever.
 */
import { block, br, br_if, call, drop, func, i32, i64, if_, local, loop, memory, return_, unreachable } from "wasmati";

/** Byte offsets of the control words. Those that threads look at while they wait are on cache lines of their own. */
export const CONTROL = {
  /** Threads that have arrived at the barrier. */
  arrived: 0,
  /** Counts the barriers passed. */
  generation: 64,
  /** Not 0 once a thread has failed: its number plus 1. */
  abort: 128,
  /** Counts the commands given to the workers; then program, batch size. */
  command: 192,
  program: 196,
  batch: 200,
  /**
   * How many units of each thread's share of the work have been begun, of each of the kernels between two barriers, a
   * cache line a thread; the barrier sets them back.
   */
  begun: 256,
} as const;

/** Kernels between two barriers, at most, and the bytes from one thread's counters to the next one's. */
export const ROUND = { kernels: 8, counterBytes: 64 } as const;

/** Each thread has memory of its own, and counters; more than this help no batch. */
export const MOST_THREADS = 64;

/** Bytes at the start of memory for all of these words. */
export const CONTROL_BYTES = CONTROL.begun + MOST_THREADS * ROUND.counterBytes;

/** Looks at the generation before sleeping: about a millisecond. To wake a sleeper may take as long as a small kernel. */
const SPINS = 500_000;

/** A sleeper looks at the abort word this often, in nanoseconds. */
const SLEEP_NANOSECONDS = 20_000_000n;

/**
 * Builds the function (generation) → () that sleeps until the next one starts, or for a while. The generation has 64 bits
 * because wasmati types `wait32` wrongly; `wait64` is right.
 *
 * It stands alone to have no locals that matter: V8's baseline compiler of Node 20 saves the address of a wait, eight bytes,
 * where there is room for four, and so clears half of the local that was declared last. In the barrier that was the
 * generation, and a thread that had slept its time out went on by itself.
 */
function buildSleep() {
  return func({ in: [i64], locals: [i32], out: [] }, ([generation], [zero]) => {
    memory.atomic.wait64({ offset: CONTROL.generation }, zero, generation, SLEEP_NANOSECONDS);
    drop();
  });
}

/** Builds the function (threads) → () that returns once all threads have called it. */
export function buildBarrier() {
  const sleep = buildSleep();
  return func(
    { in: [i32], locals: [i32, i32, i32, i64], out: [] },
    ([threads], [zero, spins, counters, generation]) => {
      i32.eq(threads, 1);
      if_(null, () => return_());
      local.set(generation, i64.atomic.load({ offset: CONTROL.generation }, zero));
      i32.eq(i32.add(i32.atomic.rmw.add({ offset: CONTROL.arrived }, zero, 1), 1), threads);
      if_(null, () => {
        i32.atomic.store({ offset: CONTROL.arrived }, zero, 0);
        // Whoever sees the next generation sees these, too.
        local.set(counters, i32.mul(threads, ROUND.counterBytes));
        loop(null, (again) => {
          local.set(counters, i32.sub(counters, ROUND.counterBytes));
          for (let kernel = 0; kernel < ROUND.kernels; kernel++) {
            i32.store({ offset: CONTROL.begun + kernel * 4 }, counters, 0);
          }
          local.get(counters);
          br_if(again);
        });
        i64.atomic.store({ offset: CONTROL.generation }, zero, i64.add(generation, 1n));
        memory.atomic.notify({ offset: CONTROL.generation }, zero, -1);
        drop();
        return_();
      });
      block(null, (passed) => {
        loop(null, (again) => {
          i64.ne(i64.atomic.load({ offset: CONTROL.generation }, zero), generation);
          br_if(passed);
          i32.atomic.load({ offset: CONTROL.abort }, zero);
          if_(null, () => unreachable());
          local.set(spins, i32.add(spins, 1));
          i32.lt_u(spins, SPINS);
          br_if(again);
          call(sleep, [generation]);
          br(again);
        });
      });
    },
  );
}
