import fc from "fast-check";
import { expect, test } from "vitest";
import { recipeNetwork } from "../../test/helpers/networks.ts";
import { elementsOf, type Node, type Op, type Tensor } from "../kernels/op.ts";
import { CONTROL } from "../wasm/barrier.ts";
import { buildPrograms } from "./compile.ts";
import { batchTensor, stateTensor } from "./graph.ts";
import { type MemoryPlan, planMemory } from "./plan.ts";
import { type Rounds, schedule } from "./schedule.ts";

const bytesOf = ({ shape, batched, dtype }: Tensor, batchSize: number) =>
  elementsOf(shape) * (batched ? batchSize : 1) * (dtype === "uint8" ? 1 : 4);

/** From the round that writes a tensor to the last that uses it or a view of it. */
interface Life {
  readonly tensor: Tensor;
  from: number;
  to: number;
}

/** The lives of a program's tensors; a view is part of the life of what it shows. */
function livesOf(rounds: Rounds, persistent: ReadonlySet<Tensor>): Life[] {
  const lives = new Map<Tensor, Life>();
  const steps = rounds.flatMap((nodes, step) => nodes.map((node) => ({ ...node, step })));
  for (const { op, inputs, outputs, step } of steps) {
    for (const input of inputs) {
      const life = lives.get(input);
      if (life) life.to = step;
    }
    for (const output of outputs) {
      const shown = op.isView ? lives.get(inputs[0]!) : undefined;
      const isOfState = op.isView && !shown;
      if (persistent.has(output) || isOfState) continue;
      lives.set(output, shown ?? { tensor: output, from: step, to: step });
    }
  }
  return [...new Set(lives.values())];
}

function expectNoOverlap(plan: MemoryPlan, programs: readonly Rounds[], persistent: Tensor[], batchSize: number) {
  const place = (tensor: Tensor) => {
    const { address } = plan.operands.get(tensor)!;
    return { name: tensor.name, address, end: address + bytesOf(tensor, batchSize) };
  };
  const overlap = (a: ReturnType<typeof place>, b: ReturnType<typeof place>) => a.address < b.end && b.address < a.end;
  const forever = persistent.map(place);
  for (const { address } of plan.operands.values()) {
    expect(address % 64).toBe(0);
    expect(address).toBeGreaterThan(Math.max(...Object.values(CONTROL)));
  }
  for (const rounds of programs) {
    const lives = livesOf(rounds, new Set(persistent)).map(({ tensor, from, to }) => ({ ...place(tensor), from, to }));
    const all = [...forever.map((state) => ({ ...state, from: 0, to: rounds.length })), ...lives];
    for (const [i, one] of all.entries()) {
      expect(one.end).toBeLessThanOrEqual(plan.scratch.address);
      for (const other of all.slice(0, i)) {
        const together = one.from <= other.to && other.from <= one.to;
        if (together && overlap(one, other))
          expect.fail(`${one.name} overlaps ${other.name}, which lives at the same time`);
      }
    }
    for (const { op, inputs, outputs } of rounds.flat()) {
      if (!op.isView || persistent.includes(outputs[0]!)) continue;
      expect(place(outputs[0]!).address).toBe(place(inputs[0]!).address);
    }
  }
}

const opOf = (isView: boolean, scratch: number, changes: readonly number[]): Op<unknown> => ({
  name: "test",
  isView,
  infer: () => [],
  changes: () => changes,
  reference: () => {},
  emit: () => {},
  scratchBytes: () => scratch,
});

/** A random program: each op takes some of the tensors before it and gives none, one or two. */
const program = (states: Tensor[]) =>
  fc
    .array(
      fc.record({
        picks: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
        outputs: fc.array(
          fc.record({
            shape: fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 2 }),
            batched: fc.boolean(),
            dtype: fc.constantFrom("float32" as const, "int32" as const, "uint8" as const),
          }),
          { maxLength: 2 },
        ),
        isView: fc.boolean(),
        scratch: fc.integer({ min: 0, max: 500 }),
      }),
      { minLength: 1, maxLength: 14 },
    )
    .map((steps) => {
      const known = [...states];
      return steps.map(({ picks, outputs, isView, scratch }, step): Node => {
        const inputs = picks.map((pick) => known[pick % known.length]!);
        const made = isView
          ? [{ ...inputs[0]!, name: `view ${step}` }]
          : outputs.map((type, i) => ({ ...type, name: `tensor ${step}.${i}` }));
        known.push(...made);
        return { op: opOf(isView, scratch, made.length > 0 ? [] : [0]), attributes: {}, inputs, outputs: made };
      });
    });

test("no two tensors that live at the same time overlap, whatever the program", () => {
  const states = [batchTensor("input", [7, 3]), stateTensor("weight", [5]), stateTensor("bytes", [3], "uint8")];
  const programs = fc.array(
    program(states).map((nodes) => schedule(nodes, states)),
    { minLength: 1, maxLength: 3 },
  );
  fc.assert(
    fc.property(programs, fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 4 }), (all, batchSize, threads) => {
      const plan = planMemory(all, states, batchSize, threads);
      expectNoOverlap(plan, all, states, batchSize);
      const scratch = Math.max(0, ...all.flat(2).map(({ op }) => op.scratchBytes!({}, [], batchSize)));
      expect(plan.scratch.bytes).toBeGreaterThanOrEqual(scratch);
      expect(plan.scratch.bytes % 64).toBe(0);
      expect(plan.bytes).toBeGreaterThanOrEqual(plan.scratch.address + threads * plan.scratch.bytes);
    }),
    { seed: 2, numRuns: 300 },
  );
});

test("the recipe's tensors do not overlap, and share memory", () => {
  const { network } = recipeNetwork();
  const programs = [...buildPrograms(network).values()].map((nodes) => schedule(nodes, [network.output]));
  const { training } = network;
  const own = [network.input, network.output, ...network.parameters];
  const persistent = [...own, training.targets, training.scalars, training.results, ...training.slots.flat()];
  const plan = planMemory(programs, persistent, 128, 2);
  expectNoOverlap(plan, programs, persistent, 128);
  const sum = (tensors: Iterable<Tensor>) => [...tensors].reduce((bytes, tensor) => bytes + bytesOf(tensor, 128), 0);
  const forever = sum(persistent);
  const passing = sum(plan.operands.keys()) - forever;
  expect(plan.scratch.address - forever).toBeLessThan(0.6 * passing);
});
