/** Emission: planned programs become one WebAssembly module. A pure function from data to bytes. */
import { call, func, i32, importMemory, Module } from "wasmati";
import type { Node } from "../kernels/op.ts";
import { buildBarrier } from "../wasm/barrier.ts";
import { buildKernel, type HostFeatures, type KernelFunction } from "../wasm/emitter.ts";
import type { Program } from "./network.ts";
import type { MemoryPlan } from "./plan.ts";

export interface ModuleOptions {
  readonly programs: ReadonlyMap<Program, readonly Node[]>;
  readonly plan: MemoryPlan;
  readonly features: HostFeatures;
  readonly threads: number;
}

/**
 * One exported function a program, (thread, threads, batch) → (). Every thread calls the same one; between its kernels
 * stands a barrier.
 */
export function emitModule({ programs, plan, features, threads }: ModuleOptions): Uint8Array {
  const isShared = threads > 1;
  // WebAssembly counts memory in pages of 64 KiB.
  const pages = Math.ceil(plan.bytes / 65_536);
  // wasmati would allocate the memory here and now; the runtime brings its own.
  const memory = importMemory({ min: pages, max: pages, shared: isShared }, {} as WebAssembly.Memory);
  const barrier = isShared ? buildBarrier() : undefined;
  const exports: Record<string, KernelFunction> = {};
  for (const [name, nodes] of programs) {
    const kernels = nodes.filter((node) => !isFree(node, plan)).map((node) => emitNode(node, plan, features));
    exports[name] = func({ in: [i32, i32, i32], out: [] }, ([thread, count, batch]) => {
      for (const kernel of kernels) {
        call(kernel, [thread, count, batch]);
        if (barrier) call(barrier, [count]);
      }
    });
  }
  return Module({ memory, exports }).toBytes();
}

/** A view whose output has its input's memory: nothing to do. */
function isFree({ op, inputs, outputs }: Node, { operands }: MemoryPlan): boolean {
  return op.isView === true && operands.get(inputs[0]!)!.address === operands.get(outputs[0]!)!.address;
}

function emitNode({ op, attributes, inputs, outputs }: Node, plan: MemoryPlan, features: HostFeatures): KernelFunction {
  const place = (tensor: (typeof inputs)[number]) => plan.operands.get(tensor)!;
  return buildKernel(features, plan, (emitter) => {
    op.emit(emitter, attributes, inputs.map(place), outputs.map(place));
  });
}
