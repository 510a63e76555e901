/** What `fit` with `profile: true` measures: where the time of a training step goes, kernel by kernel. */
import type { KernelInfo } from "../compiler/compile.ts";
import { COUNTERS } from "../wasm/emitter.ts";

/** Where the time of one kernel went. */
export interface KernelProfile {
  readonly phase: KernelInfo["phase"];
  readonly name: string;
  /** Shapes of its inputs and outputs; of one sample where they are batched. */
  readonly inputs: readonly (readonly number[])[];
  readonly outputs: readonly (readonly number[])[];
  /** Milliseconds a step, of the slowest thread, and the share of all kernels' together. */
  readonly milliseconds: number;
  readonly share: number;
  /** Share of the products that were left out because a factor is zero; where the kernel leaves any out. */
  readonly zeros?: number;
  /**
   * Useful GFLOP a second of all threads: products that are not left out, as the plain method counts them. Filtering
   * needs fewer, and may pass the machine's ceiling.
   */
  readonly gigaflops?: number;
  /** Of the machine's ceiling. */
  readonly efficiency?: number;
  /** Milliseconds a step that threads wait, on average, at the barrier behind it; 0 where none stands there. */
  readonly wait: number;
}

/** Where the time of training steps went. */
export interface Profile {
  readonly steps: number;
  readonly threads: number;
  /** Of one step: work and waiting. */
  readonly milliseconds: number;
  readonly wait: number;
  /** What all threads together reach in multiply-adds that need no memory, in GFLOP a second. */
  readonly ceiling: number;
  readonly kernels: readonly KernelProfile[];
}

/** What a session counted of its training steps. */
export interface Counts {
  readonly kernels: readonly KernelInfo[];
  /** Counters of each thread, kernel by kernel. */
  readonly counters: readonly Float64Array[];
  readonly steps: number;
  readonly samples: number;
}

export function profileOf({ kernels, counters, steps, samples }: Counts, ceiling: number): Profile {
  const width = COUNTERS.bytes / 8;
  const perThread = (index: number, counter: number) => counters.map((words) => words[index * width + counter / 8]!);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const own = kernels
    .map((kernel, index) => ({ kernel, index }))
    .filter(({ kernel }) => kernel.program === "trainStep");
  const timed = own.map(({ kernel, index }) => {
    const milliseconds = Math.max(...perThread(index, COUNTERS.work)) / steps;
    const elements = sum(perThread(index, COUNTERS.elements));
    const zeros = elements > 0 ? 1 - sum(perThread(index, COUNTERS.entries)) / elements : undefined;
    const flops = kernel.operations && (2 * kernel.operations * samples * (1 - (zeros ?? 0))) / steps;
    const gigaflops = flops && flops / milliseconds / 1e6;
    const wait = sum(perThread(index, COUNTERS.wait)) / counters.length / steps;
    return { kernel, milliseconds, zeros, gigaflops, wait };
  });
  const total = sum(timed.map(({ milliseconds }) => milliseconds));
  return {
    steps,
    threads: counters.length,
    milliseconds:
      sum(own.flatMap(({ index }) => [COUNTERS.work, COUNTERS.wait].map((c) => perThread(index, c)[0]!))) / steps,
    wait: sum(timed.map(({ wait }) => wait)),
    ceiling,
    kernels: timed.map(({ kernel: { phase, name, inputs, outputs }, milliseconds, zeros, gigaflops, wait }) => ({
      phase,
      name,
      inputs,
      outputs,
      milliseconds,
      share: milliseconds / total,
      ...(zeros !== undefined && { zeros }),
      ...(gigaflops && { gigaflops, efficiency: gigaflops / ceiling }),
      wait,
    })),
  };
}
