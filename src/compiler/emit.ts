/** Emission: planned programs become one WebAssembly module. A pure function from data to bytes. */
import { call, f64, func, i32, importFunc, importMemory, local, Module } from "wasmati";
import type { Node } from "../kernels/op.ts";
import { buildBarrier } from "../wasm/barrier.ts";
import {
  buildKernel,
  COUNTERS,
  type HostFeatures,
  type KernelFunction,
  type RunLimits,
  type Scratch,
} from "../wasm/emitter.ts";
import { encodeModule } from "../wasm/encode.ts";
import type { Program } from "./network.ts";
import type { MemoryPlan } from "./plan.ts";
import type { Rounds } from "./schedule.ts";

/** Where kernels count: each thread's counters, and the number of each kernel's among them. */
export interface Counters extends Scratch {
  readonly numbers: ReadonlyMap<Node, number>;
}

export interface ModuleOptions {
  readonly programs: ReadonlyMap<Program, Rounds>;
  readonly plan: MemoryPlan;
  readonly features: HostFeatures;
  readonly threads: number;
  /** None unless profiling. */
  readonly counters?: Counters | undefined;
}

/** Bytes of the module's memory: all that is planned and, behind it, each thread's counters. */
export const memoryBytesOf = ({ plan, threads, counters }: Omit<ModuleOptions, "programs" | "features">) =>
  plan.bytes + (counters ? threads * counters.bytes : 0);

/** The kernels of a program: those nodes that compute something. */
export function kernelsOf(nodes: readonly Node[], plan: Pick<MemoryPlan, "operands">): readonly Node[] {
  return nodes.filter((node) => !isFree(node, plan));
}

/**
 * One exported function a program, (thread, threads, batch) → (). Every thread calls the same one; behind each round of
 * kernels stands a barrier.
 */
export function emitModule(options: ModuleOptions): Uint8Array {
  const { programs, plan, features, threads, counters } = options;
  const isShared = threads > 1;
  // WebAssembly counts memory in pages of 64 KiB.
  const pages = Math.ceil(memoryBytesOf(options) / 65_536);
  // wasmati would allocate the memory here and now; the runtime brings its own.
  const memory = importMemory({ min: pages, max: pages, shared: isShared }, {} as WebAssembly.Memory);
  const barrier = isShared ? buildBarrier() : undefined;
  const clock = counters && importFunc({ in: [], out: [f64] }, () => 0);
  const exports: Record<string, KernelFunction> = {};
  for (const [name, rounds] of programs) {
    const emitted = rounds.map((nodes) => emitRound(kernelsOf(nodes, plan), { plan, features, isShared, counters }));
    const locals = clock ? ([f64, f64, i32] as const) : [];
    exports[name] = func(
      { in: [i32, i32, i32], locals: locals as [typeof f64, typeof f64, typeof i32], out: [] },
      (parameters, [began, now, address]) => {
        const [thread, count, batch] = parameters;
        /** Adds the time since the last lap to a counter. */
        const lap = (own: Scratch | undefined, offset: number) => {
          if (!clock) return;
          call(clock);
          local.set(now);
          if (own) {
            local.set(address, i32.add(own.address, i32.mul(thread, own.bytes)));
            f64.store({ offset }, address, f64.add(f64.load({ offset }, address), f64.sub(now, began)));
          }
          local.set(began, now);
        };
        lap(undefined, 0);
        for (const kernels of emitted) {
          for (const { run, counters: own } of kernels) {
            call(run, [thread, count, batch]);
            lap(own, COUNTERS.work);
          }
          if (barrier && kernels.length > 0) call(barrier, [count]);
          lap(kernels.at(-1)?.counters, COUNTERS.wait);
        }
      },
    );
  }
  return encodeModule(Module({ memory, exports }));
}

/** A view whose output has its input's memory: nothing to do. */
function isFree({ op, inputs, outputs }: Node, { operands }: Pick<MemoryPlan, "operands">): boolean {
  return op.isView === true && operands.get(inputs[0]!)!.address === operands.get(outputs[0]!)!.address;
}

/**
 * The kernels of a round, those whose work threads take unit by unit last: whoever was done early with the others takes
 * more of it.
 */
function emitRound(
  nodes: readonly Node[],
  { plan, features, isShared, counters }: Pick<ModuleOptions, "plan" | "features" | "counters"> & { isShared: boolean },
) {
  const kernels = nodes.map((node, slot) => {
    const own = counters && { ...counters, address: counters.address + counters.numbers.get(node)! * COUNTERS.bytes };
    const limits = { ...plan, ...(isShared && { slot }), ...(own && { counters: own }) };
    return { ...emitNode(node, limits, features), counters: own };
  });
  return [...kernels.filter(({ hasUnits }) => !hasUnits), ...kernels.filter(({ hasUnits }) => hasUnits)];
}

function emitNode(
  { op, attributes, inputs, outputs }: Node,
  plan: MemoryPlan & RunLimits,
  features: HostFeatures,
): ReturnType<typeof buildKernel> {
  const place = (tensor: (typeof inputs)[number]) => plan.operands.get(tensor)!;
  return buildKernel(features, plan, (emitter) => {
    op.emit(emitter, attributes, inputs.map(place), outputs.map(place));
  });
}
