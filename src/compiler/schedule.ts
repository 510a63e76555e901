/**
 * Which kernels stand between two barriers. Those of one round need nothing of each other, so that a thread that has done
 * its part of one goes on with the next, and what it would have waited for the others it works. A pure function.
 */
import { InternalError } from "../errors.ts";
import type { Node, Tensor } from "../kernels/op.ts";
import { ROUND } from "../wasm/barrier.ts";

/** The nodes of a program in the order in which they run; a barrier stands behind each round. */
export type Rounds = readonly (readonly Node[])[];

/** For each tensor that is a view of another the tensor whose memory it is. */
export function viewOwners(nodes: readonly Node[]): Map<Tensor, Tensor> {
  const owners = new Map<Tensor, Tensor>();
  for (const { op, inputs, outputs } of nodes) {
    if (op.isView) owners.set(outputs[0]!, owners.get(inputs[0]!) ?? inputs[0]!);
  }
  return owners;
}

/** The memory that a node reads and writes, by the tensors that own it. */
interface Access {
  readonly read: readonly Tensor[];
  readonly written: readonly Tensor[];
}

/**
 * Each node in the first round behind all that it depends on: what it reads, and what must be read before it writes. But what
 * is made of state alone, such as transforms of kernels, comes as late as it can: until then nothing has to hold it.
 *
 * @param persistent tensors that have a place of their own: a view that is one of them is a copy
 */
export function schedule(nodes: readonly Node[], persistent: Iterable<Tensor> = []): Rounds {
  const copies = new Set(persistent);
  const owners = viewOwners(nodes);
  const owner = (tensor: Tensor) => owners.get(tensor) ?? tensor;
  const rounds: Node[][] = [];
  const accesses = new Map<Node, Access>();
  /** The first round that may read, or write, a tensor. */
  const readable = new Map<Tensor, number>();
  const writable = new Map<Tensor, number>();
  const raise = (rounds: Map<Tensor, number>, tensor: Tensor, round: number) =>
    rounds.set(tensor, Math.max(rounds.get(tensor) ?? 0, round));
  for (const node of nodes) {
    const { op, attributes, inputs, outputs } = node;
    const read = inputs.map(owner);
    const changed = op.changes?.(attributes, inputs).map((index) => read[index]!) ?? [];
    if (outputs.length + changed.length === 0) throw new InternalError(`${op.name} gives nothing and changes nothing`);
    const isFree = op.isView === true && !copies.has(outputs[0]!);
    const written = isFree ? [] : [...changed, ...outputs.map(owner)];
    accesses.set(node, { read, written });
    let round = Math.max(
      0,
      ...[...inputs, ...read].map((tensor) => readable.get(tensor) ?? 0),
      ...written.map((tensor) => writable.get(tensor) ?? 0),
    );
    while (rounds[round]?.length === ROUND.kernels) round++;
    rounds[round] = [...(rounds[round] ?? []), node];
    for (const tensor of [...read, ...written]) raise(writable, tensor, round + 1);
    for (const tensor of written) raise(readable, tensor, round + 1);
    // Nothing is computed, but what it is a view of must be known first.
    if (isFree) raise(readable, outputs[0]!, round);
  }
  delay(rounds, accesses);
  return rounds.filter((members) => members.length > 0);
}

/** Moves nodes that are made of state alone, and change none, to the last round before one that depends on them. */
function delay(rounds: Node[][], accesses: ReadonlyMap<Node, Access>): void {
  const roundOf = new Map(rounds.flatMap((members, round) => members.map((node) => [node, round] as const)));
  const nodes = [...accesses.keys()];
  const made = new Set<Tensor>();
  const early = nodes.filter((node) => {
    const { read, written } = accesses.get(node)!;
    const isOfState = read.every((tensor) => !tensor.batched && !made.has(tensor));
    const isEarly = isOfState && !node.op.isView && !written.some((tensor) => read.includes(tensor));
    if (!isEarly) for (const tensor of written) made.add(tensor);
    return isEarly;
  });
  for (const node of early.reverse()) {
    const { read, written } = accesses.get(node)!;
    const later = nodes.slice(nodes.indexOf(node) + 1).filter((other) => {
      const next = accesses.get(other)!;
      const reads = next.read.some((tensor) => written.includes(tensor));
      return reads || next.written.some((tensor) => read.includes(tensor) || written.includes(tensor));
    });
    if (later.length === 0) continue;
    const from = roundOf.get(node)!;
    let to = Math.min(...later.map((other) => roundOf.get(other)!)) - 1;
    while (to > from && rounds[to]!.length === ROUND.kernels) to--;
    if (to <= from) continue;
    rounds[from] = rounds[from]!.filter((member) => member !== node);
    rounds[to]!.push(node);
    roundOf.set(node, to);
  }
}
