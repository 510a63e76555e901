/** Runs the ops of a graph as one WebAssembly program on one thread. */
import { emitModule } from "../../src/compiler/emit.ts";
import type { Program } from "../../src/compiler/network.ts";
import { planMemory } from "../../src/compiler/plan.ts";
import { type Rounds, schedule } from "../../src/compiler/schedule.ts";
import type { Node, Tensor } from "../../src/kernels/op.ts";
import { probeFeatures } from "../../src/runtime/host.ts";

const features = probeFeatures();

/** A program of `nodes`, and the elements of the tensors in `kept`, which live from run to run. */
export function programOf(nodes: readonly Node[], kept: readonly Tensor[], batch = 1) {
  const plan = planMemory([schedule(nodes)], kept, batch, 1);
  const programs = new Map<Program, Rounds>([["forward", schedule(nodes)]]);
  const module = new WebAssembly.Module(emitModule({ programs, plan, features, threads: 1 }) as BufferSource);
  const pages = Math.ceil(plan.bytes / 65_536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const { module: space, name } = WebAssembly.Module.imports(module)[0]!;
  const { exports } = new WebAssembly.Instance(module, { [space]: { [name]: memory } });
  return {
    run: () => (exports.forward as (thread: number, threads: number, batch: number) => void)(0, 1, batch),
    view(tensor: Tensor) {
      const { shape, batched, dtype } = tensor;
      const length = shape.reduce((size, dimension) => size * dimension, batched ? batch : 1);
      const array = dtype === "int32" ? Int32Array : Float32Array;
      return new array(memory.buffer, plan.operands.get(tensor)!.address, length);
    },
  };
}
