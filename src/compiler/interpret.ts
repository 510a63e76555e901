/** The slow twin of a compiled network: runs the same programs by the ops' plain references. Tests compare the two. */
import { type Buffer, elementsOf, type Tensor, type Value } from "../kernels/op.ts";
import { buildPrograms } from "./compile.ts";
import type { Network, Program } from "./network.ts";

export class Interpreter {
  readonly batchSize: number;
  readonly #programs: ReturnType<typeof buildPrograms>;
  readonly #buffers = new Map<Tensor, Buffer>();

  constructor(network: Network, batchSize: number) {
    this.batchSize = batchSize;
    this.#programs = buildPrograms(network);
  }

  /** The elements of a tensor, for `batchSize` samples where it is batched; zeros at first. */
  view(tensor: Tensor): Buffer {
    const found = this.#buffers.get(tensor);
    if (found) return found;
    const length = elementsOf(tensor.shape) * (tensor.batched ? this.batchSize : 1);
    const buffer = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array }[tensor.dtype];
    const created = new buffer(length);
    this.#buffers.set(tensor, created);
    return created;
  }

  /** Runs a program on the first `batch` samples. */
  async run(program: Program, batch: number): Promise<void> {
    if (program !== "trainStep" && program !== "prepare" && this.#programs.has("prepare"))
      await this.run("prepare", batch);
    const value = (tensor: Tensor): Value => ({ ...tensor, data: this.view(tensor) });
    for (const { op, attributes, inputs, outputs } of this.#programs.get(program)!) {
      op.reference(attributes, inputs.map(value), outputs.map(value), batch);
    }
  }

  close(): void {}
}
