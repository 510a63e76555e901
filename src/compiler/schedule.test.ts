import fc from "fast-check";
import { expect, test } from "vitest";
import { networkOf, recipeNetwork } from "../../test/helpers/networks.ts";
import type { Node, Op, Tensor } from "../kernels/op.ts";
import { conv2d, dense, flatten } from "../layers/index.ts";
import { categoricalCrossentropy } from "../losses.ts";
import { adam } from "../optimizers/index.ts";
import { ROUND } from "../wasm/barrier.ts";
import { buildPrograms } from "./compile.ts";
import { stateTensor } from "./graph.ts";
import { schedule } from "./schedule.ts";

const op = (changes: readonly number[], isView = false): Op<unknown> => ({
  name: "test",
  isView,
  infer: () => [],
  changes: () => changes,
  reference: () => {},
  emit: () => {},
});

const states = ["weight", "results"].map((name) => stateTensor(name, [1]));
/** A tensor with a place of its own: a view that is it is a copy. */
const kept = stateTensor("kept", [1]);

/** A random program: each op takes some of the tensors before it, and changes the first, gives a tensor, or is a view of it. */
const program = fc
  .array(
    fc.record({
      picks: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
      kind: fc.constantFrom("changes", "gives", "both", "view" as const),
    }),
    { maxLength: 30 },
  )
  .map((steps) => {
    const known: Tensor[] = [...states];
    return steps.map(({ picks, kind }, step): Node => {
      const inputs = picks.map((pick) => known[pick % known.length]!);
      const own = step === 12 ? kept : stateTensor(`tensor ${step}`, [1]);
      const outputs = kind === "changes" ? [] : [own];
      known.push(...outputs);
      const changes = kind === "changes" || kind === "both" ? [0] : [];
      return { op: op(changes, kind === "view"), attributes: {}, inputs, outputs };
    });
  });

/** The tensors whose memory nodes read and write: views have that of what they show, but for copies. */
function memoryOf(nodes: readonly Node[]) {
  const shown = new Map<Tensor, Tensor>();
  const owner = (tensor: Tensor) => shown.get(tensor) ?? tensor;
  const used = new Map<Node, { readonly read: readonly Tensor[]; readonly written: readonly Tensor[] }>();
  for (const node of nodes) {
    const { op, attributes, inputs, outputs } = node;
    const isFree = op.isView && outputs[0] !== kept;
    if (isFree) shown.set(outputs[0]!, owner(inputs[0]!));
    const changed = (op.changes?.(attributes, inputs) ?? []).map((index) => owner(inputs[index]!));
    used.set(node, { read: inputs.map(owner), written: isFree ? [] : [...outputs, ...changed] });
  }
  return used;
}

/** Whether it matters which of two nodes runs first. */
function depend(used: ReturnType<typeof memoryOf>, first: Node, second: Node): boolean {
  const [before, after] = [used.get(first)!, used.get(second)!];
  const meet = (some: readonly Tensor[], others: readonly Tensor[]) => some.some((tensor) => others.includes(tensor));
  return meet(before.written, after.read) || meet(before.read, after.written) || meet(before.written, after.written);
}

test("whatever the program, what matters to a node is in an earlier round, and no round is too large", () => {
  fc.assert(
    fc.property(program, (nodes) => {
      const rounds = schedule(nodes, [...states, kept]);
      const used = memoryOf(nodes);
      expect(new Set(rounds.flat())).toEqual(new Set(nodes));
      expect(rounds.flat()).toHaveLength(nodes.length);
      const roundOf = new Map(rounds.flatMap((members, round) => members.map((node) => [node, round] as const)));
      for (const [i, after] of nodes.entries()) {
        for (const before of nodes.slice(0, i)) {
          if (depend(used, before, after)) expect(roundOf.get(before)).toBeLessThan(roundOf.get(after)!);
        }
      }
      for (const members of rounds) {
        expect(members.length).toBeGreaterThan(0);
        expect(members.length).toBeLessThanOrEqual(ROUND.kernels);
      }
    }),
    { seed: 4, numRuns: 500 },
  );
});

test("both gradients of the recipe's second convolution are in one round, and no weight is updated where it is read", () => {
  const { network } = recipeNetwork();
  const nodes = buildPrograms(network).get("trainStep")!;
  const rounds = schedule(nodes, [network.output]);
  const used = memoryOf(nodes);
  const names = rounds.map((nodes) => nodes.map(({ op }) => op.name));
  expect(names.find((round) => round.includes("sparseConv2dInputGradient"))).toContain("sparseConv2dWeightGradient");
  for (const members of rounds) {
    for (const [i, node] of members.entries()) {
      for (const other of members.slice(0, i)) expect(depend(used, other, node)).toBe(false);
    }
  }
});

test("kernels are turned and transformed right before the convolution that needs them", () => {
  const layers = [
    conv2d({ filters: 16, kernelSize: 3, padding: "same", activation: "tanh" }),
    conv2d({ filters: 16, kernelSize: 3, padding: "same", activation: "tanh" }),
    conv2d({ filters: 16, kernelSize: 3, padding: "same", activation: "tanh" }),
    flatten(),
    dense({ units: 3, activation: "softmax" }),
  ];
  const { network } = networkOf({ input: [12, 12, 4], layers, loss: categoricalCrossentropy(), optimizer: adam() });
  const rounds = schedule(buildPrograms(network).get("trainStep")!, [network.output]);
  const roundOf = (tensor: Tensor) =>
    rounds.findIndex((nodes) => nodes.some(({ outputs }) => outputs.includes(tensor)));
  const filtered = rounds.flatMap((nodes, round) =>
    nodes.filter(({ op }) => op.name === "filteredConv2d").map(({ inputs }) => ({ round, inputs })),
  );
  expect(filtered).toHaveLength(3 + 2);
  for (const { round, inputs } of filtered) expect(roundOf(inputs[2]!)).toBe(round - 1);
  // The two of gradients have their kernels turned.
  const turned = filtered.filter(({ inputs }) => roundOf(inputs[1]!) >= 0);
  expect(turned).toHaveLength(2);
  for (const { round, inputs } of turned) expect(roundOf(inputs[1]!)).toBe(round - 2);
});
