import fc from "fast-check";
import { expect, test } from "vitest";
import { networkOf } from "../../test/helpers/networks.ts";
import type { Node, Op, Tensor } from "../kernels/op.ts";
import { conv2d, dense, flatten, maxPooling2d } from "../layers/index.ts";
import { categoricalCrossentropy } from "../losses.ts";
import { adam } from "../optimizers/index.ts";
import { ROUND } from "../wasm/barrier.ts";
import { buildPrograms } from "./compile.ts";
import { stateTensor } from "./graph.ts";
import { schedule } from "./schedule.ts";

const op = (changes: readonly number[]): Op<unknown> => ({
  name: "test",
  infer: () => [],
  changes: () => changes,
  reference: () => {},
  emit: () => {},
});

/** A random program: each op takes some of the tensors before it, may change the first, and gives none or one. */
const program = fc
  .array(
    fc.record({
      picks: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
      changes: fc.boolean(),
      gives: fc.boolean(),
    }),
    {
      maxLength: 30,
    },
  )
  .map((steps) => {
    const known: Tensor[] = ["weight", "results"].map((name) => stateTensor(name, [1]));
    return steps.map(({ picks, changes, gives }, step): Node => {
      const inputs = picks.map((pick) => known[pick % known.length]!);
      const outputs = gives ? [stateTensor(`tensor ${step}`, [1])] : [];
      known.push(...outputs);
      return { op: op(changes ? [0] : []), attributes: {}, inputs, outputs };
    });
  });

const written = ({ op, attributes, inputs, outputs }: Node) => [
  ...outputs,
  ...(op.changes?.(attributes, inputs) ?? []).map((index) => inputs[index]!),
];

/** Whether it matters which of two nodes runs first. */
function depend(before: Node, after: Node): boolean {
  const meet = (some: readonly Tensor[], others: readonly Tensor[]) => some.some((tensor) => others.includes(tensor));
  return (
    meet(written(before), after.inputs) || meet(before.inputs, written(after)) || meet(written(before), written(after))
  );
}

test("whatever the program, what matters to a node is in an earlier round, and no round is too large", () => {
  fc.assert(
    fc.property(program, (nodes) => {
      const rounds = schedule(nodes);
      expect(new Set(rounds.flat())).toEqual(new Set(nodes));
      expect(rounds.flat()).toHaveLength(nodes.length);
      const roundOf = new Map(rounds.flatMap((members, round) => members.map((node) => [node, round] as const)));
      for (const [i, after] of nodes.entries()) {
        for (const before of nodes.slice(0, i)) {
          if (depend(before, after)) expect(roundOf.get(before)).toBeLessThan(roundOf.get(after)!);
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
  const layers = [
    conv2d({ filters: 20, kernelSize: 5, padding: "same", activation: "relu" }),
    maxPooling2d(),
    conv2d({ filters: 50, kernelSize: 5, padding: "same", activation: "relu" }),
    maxPooling2d(),
    flatten(),
    dense({ units: 500, activation: "relu" }),
    dense({ units: 10, activation: "softmax" }),
  ];
  const { network } = networkOf({ input: [28, 28, 1], layers, loss: categoricalCrossentropy(), optimizer: adam() });
  const rounds = schedule(buildPrograms(network).get("trainStep")!);
  const names = rounds.map((nodes) => nodes.map(({ op }) => op.name));
  expect(names.find((round) => round.includes("sparseConv2dInputGradient"))).toContain("sparseConv2dWeightGradient");
  for (const nodes of rounds) {
    for (const [i, node] of nodes.entries()) {
      for (const other of nodes.slice(0, i)) expect(depend(other, node)).toBe(false);
    }
  }
});
