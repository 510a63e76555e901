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

/**
 * Each node in the first round behind all that it depends on: what it reads, and what must be read before it writes.
 *
 * @param persistent tensors that have a place of their own: a view that is one of them is a copy
 */
export function schedule(nodes: readonly Node[], persistent: Iterable<Tensor> = []): Rounds {
  const copies = new Set(persistent);
  const owners = viewOwners(nodes);
  const owner = (tensor: Tensor) => owners.get(tensor) ?? tensor;
  const rounds: Node[][] = [];
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
  return rounds;
}
