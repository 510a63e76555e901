import { expect, test } from "vitest";
import { i32, importMemory, Module } from "wasmati";
import { CONTROL, ROUND } from "./barrier.ts";
import { buildKernel } from "./emitter.ts";

const UNITS = 10;
const [SLOT, DONE] = [3, 8192];

/** A kernel that writes to each unit's byte which thread has done it, 1 for the first, and to a counter how often it was done. */
function unitKernel() {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const limits = { scratch: { address: 0, bytes: 0 }, batchSize: 1, slot: SLOT };
  const { run } = buildKernel({ relaxedSimd: false, threads: true }, limits, (e) => {
    e.eachUnit(e.i32(UNITS), (unit) => {
      i32.store8({ offset: DONE }, unit, e.i32(i32.add(e.thread, 1)));
      const times = e.i32(i32.add(i32.load8_u({ offset: DONE + UNITS }, unit), 1));
      i32.store8({ offset: DONE + UNITS }, unit, times);
    });
  });
  const bytes = Module({
    memory: importMemory({ min: 1, max: 1, shared: true }, memory),
    exports: { run },
  }).toBytes();
  const module = new WebAssembly.Module(bytes as BufferSource);
  const { module: space, name } = WebAssembly.Module.imports(module)[0]!;
  const instance = new WebAssembly.Instance(module, { [space]: { [name]: memory } });
  const view = new Uint8Array(memory.buffer);
  return {
    run: instance.exports.run as (thread: number, threads: number, batch: number) => void,
    by: () => Array.from(view.subarray(DONE, DONE + UNITS)),
    times: () => Array.from(view.subarray(DONE + UNITS, DONE + 2 * UNITS)),
    /** Makes a thread look as if it had begun so many units of its share. */
    begin: (thread: number, units: number) => {
      new Int32Array(memory.buffer)[(CONTROL.begun + thread * ROUND.counterBytes) / 4 + SLOT] = units;
    },
  };
}

const all = (value: number) => Array.from({ length: UNITS }, () => value);

test("a thread whose others do not come does their units too, each once", () => {
  const kernel = unitKernel();
  kernel.run(1, 3, 1);
  expect(kernel.by()).toEqual(all(2));
  for (const thread of [0, 2]) kernel.run(thread, 3, 1);
  expect(kernel.times()).toEqual(all(1));
});

test("it leaves to others what they have begun, and begins with its own share", () => {
  const kernel = unitKernel();
  kernel.begin(0, 2);
  kernel.begin(1, 5);
  kernel.run(1, 2, 1);
  // Of ten units the first five are thread 0's, which has begun two; its own five have been begun.
  expect(kernel.times()).toEqual([0, 0, 1, 1, 1, 0, 0, 0, 0, 0]);
});

test("more threads than units, and one alone", () => {
  for (const threads of [1, 23]) {
    const kernel = unitKernel();
    for (let thread = threads - 1; thread >= 0; thread--) kernel.run(thread, threads, 1);
    expect(kernel.times()).toEqual(all(1));
  }
});
