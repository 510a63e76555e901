/** The machine's ceiling: multiply-adds that need no memory, on all threads at once. */
import { type CompileOptions, compileKernel } from "../compiler/compile.ts";
import { multiplyAdd, multiplyAddFlops } from "../kernels/multiply-add.ts";
import { Machine } from "../runtime/machine.ts";
import { CONTROL } from "../wasm/barrier.ts";

/** Some 5 milliseconds a run. */
const LENGTH = 1_500_000;
const RUNS = 20;

/** In GFLOP a second; the best of some runs, of which the first are of code that is not optimized yet. */
export async function measureCeiling({ threads, features }: Omit<CompileOptions, "batchSize">): Promise<number> {
  const attributes = { length: LENGTH };
  const compiled = compileKernel(multiplyAdd, attributes, { batchSize: 1, threads, features });
  const machine = await Machine.create({ ...compiled, threads, control: CONTROL });
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) {
    const began = performance.now();
    machine.run("forward", 1);
    best = Math.min(best, performance.now() - began);
  }
  machine.close();
  return (threads * multiplyAddFlops(attributes)) / best / 1e6;
}
