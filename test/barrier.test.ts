/**
 * The barrier in the code of V8's baseline compiler, which runs until the other compiler's is there. A file, and so a process,
 * of its own, for it sets V8's flags.
 */
import { setFlagsFromString } from "node:v8";
import { expect, test } from "vitest";
import { call, drop, func, i32, if_, importMemory, local, Module, memory, unreachable } from "wasmati";
import { Machine } from "../src/runtime/machine.ts";
import { buildBarrier, CONTROL } from "../src/wasm/barrier.ts";

const THREADS = 3;

/** How late a thread comes, in nanoseconds: the others no longer look for it, they sleep. */
const LATE = 50_000_000n;

/**
 * A machine whose program passes barriers, to each of which thread number `batch` comes late. A thread traps that has passed
 * more than another has come to.
 */
async function startLate(): Promise<Machine> {
  const shared = importMemory({ min: 1, max: 1, shared: true }, {} as WebAssembly.Memory);
  const barrier = buildBarrier();
  const [quiet, arrivals] = [1024, 2048];
  const late = func({ in: [i32, i32, i32], locals: [i32, i32], out: [] }, ([thread, count, latecomer], [own, zero]) => {
    for (let round = 0; round < 3; round++) {
      i32.eq(thread, latecomer);
      if_(null, () => {
        memory.atomic.wait64({ offset: quiet }, zero, 0n, LATE);
        drop();
      });
      local.set(own, i32.add(i32.atomic.rmw.add({ offset: arrivals }, i32.mul(thread, 4), 1), 1));
      call(barrier, [count]);
      for (let other = 0; other < THREADS; other++) {
        i32.lt_u(i32.atomic.load({ offset: arrivals + other * 4 }, zero), own);
        if_(null, () => unreachable());
      }
    }
  });
  const module = Module({ memory: shared, exports: { late } }).toBytes();
  return Machine.create({ module, programs: ["late"], memoryBytes: 65_536, threads: THREADS, control: CONTROL });
}

test("threads wait for one that comes late", async () => {
  // Else looking for the latecomer brings the other compiler's code before anyone sleeps.
  setFlagsFromString("--liftoff-only");
  const machine = await startLate();
  for (const latecomer of [0, 1, 2]) expect(() => machine.run("late", latecomer)).not.toThrow();
  machine.close();
});
