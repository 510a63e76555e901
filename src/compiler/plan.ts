/**
 * The memory plan: one arena, each tensor placed once. State lives for ever; what a program computes shares memory with
 * whatever is no longer, or not yet, needed. What is needed in one round lives in all of it. A pure function from programs
 * to addresses.
 */
import { elementsOf, type Operand, type Tensor } from "../kernels/op.ts";
import { CONTROL_BYTES } from "../wasm/barrier.ts";
import { type Rounds, viewOwners } from "./schedule.ts";

/** Cache line: no two tensors share one, so that threads that write different tensors do not disturb each other. */
const ALIGNMENT = 64;

/** Kernels may read, and at the end of a tensor write, a vector past the last element. */
const SLACK_BYTES = 64;

export interface MemoryPlan {
  readonly operands: ReadonlyMap<Tensor, Operand>;
  /** Where each thread's scratch memory begins, and how much of it each has. */
  readonly scratch: { readonly address: number; readonly bytes: number };
  /** The largest batch that there is room for. */
  readonly batchSize: number;
  /** Size of the whole. */
  readonly bytes: number;
}

const alignUp = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** Bytes of a tensor, for the whole batch, with the slack that kernels need behind it. */
function placeBytes(tensor: Tensor, batchSize: number): number {
  const elementBytes = tensor.dtype === "uint8" ? 1 : 4;
  const bytes = elementsOf(tensor.shape) * (tensor.batched ? batchSize : 1) * elementBytes;
  return alignUp(bytes + SLACK_BYTES);
}

/**
 * Places all tensors of all programs.
 *
 * @param programs the rounds of each program.
 * @param persistent tensors that keep their contents from run to run: weights, slots, inputs, outputs, results.
 */
export function planMemory(
  programs: readonly Rounds[],
  persistent: readonly Tensor[],
  batchSize: number,
  threads: number,
): MemoryPlan {
  const operands = new Map<Tensor, Operand>();
  let end = CONTROL_BYTES;
  for (const tensor of new Set(persistent)) {
    operands.set(tensor, { ...tensor, address: end });
    end += placeBytes(tensor, batchSize);
  }
  let arenaEnd = end;
  for (const rounds of programs) arenaEnd = Math.max(arenaEnd, placeProgram(rounds, operands, end, batchSize));
  const scratchBytes = alignUp(
    Math.max(
      0,
      ...programs.flat(2).map(({ op, attributes, inputs }) => op.scratchBytes?.(attributes, inputs, batchSize) ?? 0),
    ),
  );
  const scratch = { address: arenaEnd, bytes: scratchBytes && scratchBytes + SLACK_BYTES };
  return { operands, scratch, batchSize, bytes: arenaEnd + threads * scratch.bytes + SLACK_BYTES * 16 };
}

interface Place {
  readonly address: number;
  readonly end: number;
  /** The last round that needs it. */
  readonly lastUse: number;
}

/** Places one program's tensors from `start` on, each at the first gap that is free while it lives. Returns the end. */
function placeProgram(rounds: Rounds, operands: Map<Tensor, Operand>, start: number, batchSize: number): number {
  const owners = viewOwners(rounds.flat());
  const owner = (tensor: Tensor) => owners.get(tensor) ?? tensor;
  const lastUse = new Map<Tensor, number>();
  rounds.forEach((nodes, round) => {
    for (const tensor of nodes.flatMap(({ inputs, outputs }) => [...inputs, ...outputs])) {
      lastUse.set(owner(tensor), round);
    }
  });
  let live: Place[] = [];
  let end = start;
  rounds.forEach((nodes, round) => {
    live = live.filter((place) => place.lastUse >= round);
    for (const output of nodes.flatMap(({ outputs }) => outputs)) {
      if (operands.has(output)) continue;
      const original = operands.get(owner(output));
      if (original) {
        operands.set(output, { ...output, address: original.address });
        continue;
      }
      const bytes = placeBytes(output, batchSize);
      const address = firstGap(live, start, bytes);
      live.push({ address, end: address + bytes, lastUse: lastUse.get(output)! });
      operands.set(output, { ...output, address });
      end = Math.max(end, address + bytes);
    }
  });
  return end;
}

function firstGap(live: readonly Place[], start: number, bytes: number): number {
  let address = start;
  for (const place of [...live].sort((a, b) => a.address - b.address)) {
    if (place.address - address >= bytes) break;
    address = Math.max(address, place.end);
  }
  return address;
}
