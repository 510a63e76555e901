import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { expectClose, randomData } from "../../test/helpers/kernels.ts";
import { type BuiltNetwork, type NetworkOptions, networkOf, recipeNetwork } from "../../test/helpers/networks.ts";
import { type FilteredConv2dAttributes, filteredConv2d } from "../kernels/filtered-conv2d.ts";
import { elementsOf, type Op, type Tensor } from "../kernels/op.ts";
import {
  activation,
  batchNormalization,
  conv2d,
  dense,
  dropout,
  flatten,
  leakyReLU,
  maxPooling2d,
  reLU,
} from "../layers/index.ts";
import { categoricalCrossentropy, sparseCategoricalCrossentropy } from "../losses.ts";
import { Session } from "../model/session.ts";
import { adam, rmsprop, sgd } from "../optimizers/index.ts";
import { buildPrograms } from "./compile.ts";
import { Interpreter } from "./interpret.ts";
import type { Program } from "./network.ts";

const CLASSES = 3;
const BATCH = 6;

/** Whatever runs a network's programs: a session or the interpreter. */
type Runner = Pick<Session, "view" | "run">;

const sessions: Session[] = [];
afterAll(() => {
  for (const session of sessions) session.close();
});

async function sessionFor({ network }: BuiltNetwork, threads = 1): Promise<Session> {
  const session = await Session.create(network, { batchSize: BATCH, threads });
  sessions.push(session);
  return session;
}

/** Fills in weights, images, targets, and what the optimizer knows. */
function fillIn(runner: Runner, { network, initial }: BuiltNetwork): void {
  for (const [tensor, values] of initial) runner.view(tensor).set(values);
  runner.view(network.input).set(randomData(BATCH * elementsOf(network.input.shape), 3));
  const { targets } = network.training;
  const isSparse = targets.shape.length === 0;
  for (let n = 0; n < BATCH; n++) {
    const label = (n * 2 + 1) % CLASSES;
    if (isSparse) runner.view(targets)[n] = label;
    else runner.view(targets)[n * CLASSES + label] = 1;
  }
}

/** Runs all programs, the training step twice, on `batch` samples; what each leaves behind. */
async function runAll(runner: Runner, built: BuiltNetwork, batch: number): Promise<Record<string, Float32Array>> {
  const { network } = built;
  const { results, scalars, slots, step } = network.training;
  const found: Record<string, Float32Array> = {};
  const keep = (name: string, tensor: Tensor, length?: number) => {
    found[name] = runner.view(tensor).slice(0, length) as Float32Array;
  };
  fillIn(runner, built);
  const run = async (program: Program) => {
    await runner.run(program, batch);
    if (program === "forward") keep("output", network.output, batch * elementsOf(network.output.shape));
    else keep(`results of ${program}`, results);
  };
  await run("forward");
  await run("evaluateStep");
  for (const iterations of [0, 1]) {
    runner.view(scalars).set({ ...built.optimizer, iterations }.stepScalars());
    runner.view(step)[0] = iterations;
    await run("trainStep");
  }
  for (const tensor of [...network.parameters, ...slots.flat()]) keep(tensor.name, tensor);
  return found;
}

function expectAlike(actual: Record<string, Float32Array>, expected: Record<string, Float32Array>, tolerance: number) {
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  for (const [name, values] of Object.entries(expected)) {
    try {
      expectClose(actual[name]!, values, tolerance);
    } catch (error) {
      throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
    }
  }
}

// Rates near 1 for gradients to be seen in the weights; Adam's would blow small ones up to signs.
const optimizers = { sgd: () => sgd({ learningRate: 0.5, momentum: 0.9 }), adam: () => adam({ epsilon: 0.1 }) };
const dense_ = categoricalCrossentropy();
const end = [flatten(), dense({ units: CLASSES, activation: "softmax" })];

const networks: Record<string, Omit<NetworkOptions, "optimizer">> = {
  LeNet: {
    input: [8, 9, 1],
    layers: [
      conv2d({ filters: 5, kernelSize: 3, padding: "same", activation: "relu" }),
      maxPooling2d(),
      conv2d({ filters: 6, kernelSize: 2, activation: "relu" }),
      maxPooling2d(),
      flatten(),
      dense({ units: 7, activation: "relu" }),
      dense({ units: CLASSES, activation: "softmax" }),
    ],
    loss: dense_,
  },
  "strides, ReLU without pooling": {
    input: [9, 11, 3],
    layers: [
      conv2d({ filters: 9, kernelSize: 3, strides: 2, padding: "same", activation: "relu" }),
      conv2d({ filters: 10, kernelSize: 3, strides: 2, padding: "same", activation: "relu" }),
      ...end,
    ],
    loss: dense_,
  },
  "dropout behind each kind of layer": {
    input: [7, 6, 2],
    layers: [
      conv2d({ filters: 4, kernelSize: 3, activation: "relu" }),
      dropout({ rate: 0.3, seed: 1 }),
      maxPooling2d(),
      dropout({ rate: 0.2, seed: 2 ** 40 + 3 }),
      flatten(),
      dense({ units: 7, activation: "relu" }),
      dropout({ rate: 0.5, seed: 3 }),
      dense({ units: CLASSES, activation: "softmax" }),
    ],
    loss: dense_,
  },
  "strides, overlapping pools, no biases": {
    input: [7, 8, 2],
    layers: [
      conv2d({ filters: 4, kernelSize: [3, 2], strides: [1, 2], padding: "same", useBias: false, activation: "tanh" }),
      maxPooling2d({ poolSize: 3, strides: 1, padding: "same" }),
      ...end,
    ],
    loss: dense_,
  },
  "functions that rise, and one that falls, before poolings": {
    input: [10, 9, 2],
    layers: [
      conv2d({ filters: 5, kernelSize: 3, padding: "same", activation: "tanh" }),
      maxPooling2d(),
      conv2d({ filters: 4, kernelSize: 2, padding: "same" }),
      leakyReLU({ negativeSlope: 0.2 }),
      maxPooling2d({ poolSize: [1, 2] }),
      conv2d({ filters: 4, kernelSize: 2, padding: "same", activation: "gelu" }),
      maxPooling2d(),
      ...end,
    ],
    loss: dense_,
  },
  "normalization, and convolutions that are filtered both ways": {
    input: [8, 8, 4],
    layers: [
      conv2d({ filters: 16, kernelSize: 3, padding: "same", useBias: false }),
      batchNormalization(),
      reLU(),
      conv2d({ filters: 32, kernelSize: 3, padding: "same", activation: "relu" }),
      conv2d({ filters: 8, kernelSize: 5, padding: "same", activation: "tanh" }),
      conv2d({ filters: 8, kernelSize: 3, strides: 2, padding: "same" }),
      conv2d({ filters: 4, kernelSize: 1, activation: "relu" }),
      ...end,
    ],
    loss: dense_,
  },
  "layers of their own for activations, labels": {
    input: [6],
    layers: [
      dense({ units: 5 }),
      activation({ activation: "relu" }),
      dense({ units: 9, activation: "sigmoid", useBias: false }),
      dense({ units: CLASSES }),
      activation({ activation: "softmax" }),
    ],
    loss: sparseCategoricalCrossentropy(),
  },
  "dense layers behind ReLUs": {
    input: [8, 6, 2],
    layers: [
      conv2d({ filters: 6, kernelSize: 3, padding: "same", activation: "relu" }),
      maxPooling2d(),
      flatten(),
      dense({ units: 36, activation: "relu" }),
      dense({ units: 33, activation: "relu" }),
      dense({ units: CLASSES, activation: "softmax" }),
    ],
    loss: dense_,
  },
  "logits, a softmax in the middle": {
    input: [5, 5, 1],
    layers: [conv2d({ filters: 3, kernelSize: 2, activation: "softmax" }), flatten(), dense({ units: CLASSES })],
    loss: categoricalCrossentropy({ fromLogits: true }),
  },
  "probabilities that no softmax made": {
    input: [4],
    layers: [dense({ units: 5, activation: "relu" }), dense({ units: CLASSES, activation: "sigmoid" })],
    loss: dense_,
  },
  "pooling first, one layer of weights": { input: [5, 7, 2], layers: [maxPooling2d(), ...end], loss: dense_ },
};

describe.each(Object.entries(networks))("%s", (_, options) => {
  test.each(Object.entries(optimizers))("computes what the plain references compute, with %s", async (__, make) => {
    const built = networkOf({ ...options, optimizer: make() });
    for (const batch of [BATCH, 1]) {
      const expected = await runAll(new Interpreter(built.network, BATCH), built, batch);
      const single = await runAll(await sessionFor(built), built, batch);
      expectAlike(single, expected, 2e-5);
      expect(await runAll(await sessionFor(built, 2), built, batch)).toEqual(single);
    }
  });

  test("is the same without fusion", async () => {
    // The loss sees no softmax behind a view: it is given the logits.
    const layers = [...options.layers.slice(0, -1), dense({ units: CLASSES })];
    const loss = categoricalCrossentropy({ fromLogits: true });
    const [fused, split] = [false, true].map((apart) => {
      return networkOf({ ...options, layers, loss, optimizer: sgd({ learningRate: 0.5 }), split: apart });
    }) as [BuiltNetwork, BuiltNetwork];
    const count = ({ network }: BuiltNetwork) =>
      buildPrograms(network)
        .get("trainStep")!
        .filter(({ op }) => !op.isView).length;
    expect(count(fused)).toBeLessThan(count(split));
    const [one, other] = [await sessionFor(fused), await sessionFor(split)];
    expectAlike(await runAll(one, fused, BATCH), await runAll(other, split, BATCH), 1e-5);
  });
});

test("convolution, bias, ReLU and pooling become one op", () => {
  const { network } = networkOf({ ...networks.LeNet!, optimizer: sgd() });
  const names = (program: Program) =>
    buildPrograms(network)
      .get(program)!
      .map(({ op }) => op.name);
  expect(names("forward")).toEqual(["decodeInput", "conv2d", "conv2d", "reshape", "matmul", "matmul", "softmax"]);
  // Evaluating computes no gradients and updates nothing.
  expect(names("evaluateStep").filter((name) => /gradient|update/i.test(name))).toEqual([]);
  // Nor do poolings tell their winners there.
  const outputs = (program: Program) =>
    buildPrograms(network)
      .get(program)!
      .filter(({ op }) => op.name === "conv2d")
      .map(({ outputs }) => outputs.length);
  for (const program of ["forward", "evaluateStep"] as const) expect(outputs(program)).toEqual([1, 1]);
  expect(outputs("trainStep")).toEqual([2, 2]);
  // Two of the eight weights are updated behind their gradients.
  expect(names("trainStep").filter((name) => name === "sgdUpdate")).toHaveLength(6);
  const gradients = buildPrograms(network)
    .get("trainStep")!
    .filter(({ op }) => op.name === "matmulWeightGradient");
  expect(gradients.map(({ outputs }) => outputs)).toEqual([[], []]);
});

test("dense gradients of convolutions are filtered, those that strides part gather", () => {
  const layers = networks["normalization, and convolutions that are filtered both ways"]!;
  const names = buildPrograms(networkOf({ ...layers, optimizer: sgd() }).network)
    .get("trainStep")!
    .map(({ op }) => op.name);
  const count = (wanted: string) => names.filter((name) => name === wanted).length;
  // Three convolutions with stride 1, and the input gradients of the second and the third.
  expect(count("filteredConv2d")).toBe(3 + 2);
  expect(count("filteredConv2dWeightGradient")).toBe(3);
  // With the kernel of one pixel there is nothing to save, and behind its ReLU zeros to leave out.
  expect([count("sparseConv2dInputGradient"), count("sparseConv2dWeightGradient")]).toEqual([2, 1]);
  expect([count("turnKernel"), count("conv2dWeightGradient")]).toEqual([2, 1]);
  expect(names.filter((name) => name === "relu")).toEqual([]);
});

test("poolings come before functions that never fall", () => {
  const layers = networks["functions that rise, and one that falls, before poolings"]!;
  const names = buildPrograms(networkOf({ ...layers, optimizer: sgd() }).network)
    .get("forward")!
    .map(({ op }) => op.name);
  const [rising, falling] = [
    ["tanh", "maxPool2d", "boundedRelu"],
    ["gelu", "maxPool2d"],
  ];
  expect(names.filter((name) => [...rising, ...falling].includes(name))).toEqual([...rising, ...falling]);
});

test("filtered convolutions settle what ReLU and pooling choose where gradients go the way of the choice", () => {
  const programs = buildPrograms(recipeNetwork().network);
  const settles = (program: Program) =>
    programs
      .get(program)!
      .filter(({ op }) => op === (filteredConv2d as Op<unknown>))
      .map(({ attributes }) => (attributes as FilteredConv2dAttributes).settles);
  expect(settles("trainStep")).toEqual([true]);
  for (const program of ["forward", "evaluateStep"] as const) expect(settles(program)).toEqual([false]);
});

describe("both gradients of a dense layer behind a ReLU become one op", () => {
  const dense = networks["dense layers behind ReLUs"]!;
  const outputsOf = ({ network }: BuiltNetwork) =>
    buildPrograms(network)
      .get("trainStep")!
      .filter(({ op }) => op.name === "matmulWeightGradient")
      .map(({ outputs }) => outputs.map(({ shape }) => shape));

  test("with the update of its weight", () => {
    // The last layer is too narrow.
    expect(outputsOf(networkOf({ ...dense, optimizer: sgd() }))).toEqual([[[36]], [[72]], []]);
  });

  test("or without it, where all gradients are needed first", async () => {
    const built = networkOf({ ...dense, optimizer: rmsprop({ epsilon: 0.1, globalClipnorm: 0.1 }) });
    expect(outputsOf(built)).toEqual([[[33, CLASSES]], [[36], [36, 33]], [[72], [72, 36]]]);
    const expected = await runAll(new Interpreter(built.network, BATCH), built, BATCH);
    const single = await runAll(await sessionFor(built), built, BATCH);
    expectAlike(single, expected, 2e-5);
    expect(await runAll(await sessionFor(built, 2), built, BATCH)).toEqual(single);
  });
});

describe("clipping by norm makes the step one of two halves", () => {
  const optimizer = () => rmsprop({ epsilon: 0.1, globalClipnorm: 0.1, weightDecay: 0.01 });
  const built = networkOf({ ...networks.LeNet!, optimizer: optimizer() });

  test("no update comes before the last gradient, and clipping by value keeps updates behind their gradients", () => {
    const names = (network: BuiltNetwork["network"]) =>
      buildPrograms(network)
        .get("trainStep")!
        .map(({ op }) => op.name);
    const found = names(built.network);
    expect(found.slice(found.indexOf("squareSums"))).toEqual([
      "squareSums",
      "clipFactors",
      ...Array.from({ length: 8 }, () => "rmspropUpdate"),
    ]);
    const byValue = networkOf({ ...networks.LeNet!, optimizer: rmsprop({ clipvalue: 0.1, weightDecay: 0.01 }) });
    expect(names(byValue.network).filter((name) => name === "rmspropUpdate")).toHaveLength(6);
  });

  test("and computes what the plain references compute, with the same bits for any number of threads", async () => {
    const expected = await runAll(new Interpreter(built.network, BATCH), built, BATCH);
    const single = await runAll(await sessionFor(built), built, BATCH);
    expectAlike(single, expected, 2e-5);
    for (const threads of [2, 3]) expect(await runAll(await sessionFor(built, threads), built, BATCH)).toEqual(single);
  });
});

test("dropout does nothing but in training, and takes nothing then", () => {
  const { network } = networkOf({ ...networks["dropout behind each kind of layer"]!, optimizer: sgd() });
  const names = (program: Program) =>
    buildPrograms(network)
      .get(program)!
      .map(({ op }) => op.name)
      .filter((name) => name.startsWith("dropout"));
  expect([names("forward"), names("evaluateStep")]).toEqual([[], []]);
  expect(names("trainStep")).toEqual([...Array(3).fill("dropout"), ...Array(3).fill("dropoutGradient")]);
});

test("evaluating and predicting leave weights and optimizer state alone", async () => {
  const built = networkOf({ ...networks.LeNet!, optimizer: optimizers.sgd() });
  const session = await sessionFor(built);
  fillIn(session, built);
  const state = () =>
    [...built.network.parameters, ...built.network.training.slots.flat()].map((t) => session.view(t).slice());
  const before = state();
  await session.run("forward", BATCH);
  await session.run("evaluateStep", BATCH);
  expect(state()).toEqual(before);
  session.view(built.network.training.scalars).fill(0.5);
  await session.run("trainStep", BATCH);
  expect(state()).not.toEqual(before);
});

test("samples beyond the batch are neither read nor written", async () => {
  const built = networkOf({ ...networks.LeNet!, optimizer: optimizers.sgd() });
  const [clean, dirty] = [await sessionFor(built), await sessionFor(built)];
  const expected = await runAll(clean, built, 4);
  const { input, output } = built.network;
  fillIn(dirty, built);
  dirty.view(input).fill(Number.NaN, 4 * elementsOf(input.shape));
  dirty.view(output).fill(7);
  await dirty.run("forward", 4);
  expect(dirty.view(output).slice(0, 4 * CLASSES)).toEqual(expected.output);
  expect([...dirty.view(output).slice(4 * CLASSES)]).toEqual(Array(2 * CLASSES).fill(7));
});

test("random networks compute what the plain references compute", async () => {
  const size = fc.integer({ min: 1, max: 3 });
  const activations = fc.constantFrom("linear", "relu", "tanh", "sigmoid");
  const padding = fc.constantFrom("same", "valid");
  const layer = fc.oneof(
    fc
      .record({
        filters: fc.integer({ min: 1, max: 9 }),
        kernelSize: size,
        strides: size,
        padding,
        useBias: fc.boolean(),
        activation: activations,
      })
      .map((options) => conv2d(options as never)),
    fc.record({ poolSize: size, strides: size, padding }).map((options) => maxPooling2d(options as never)),
    activations.map((name) => activation({ activation: name as never })),
    fc.record({ rate: fc.constantFrom(0, 0.25, 1), seed: fc.nat() }).map(dropout),
  );
  const shape = fc.tuple(fc.integer({ min: 5, max: 9 }), fc.integer({ min: 5, max: 9 }), size);
  await fc.assert(
    fc.asyncProperty(
      shape,
      fc.array(layer, { maxLength: 3 }),
      fc.integer({ min: 1, max: BATCH }),
      async (input, middle, batch) => {
        const layers = [...middle, ...end];
        try {
          layers.reduce<readonly number[]>((at, one) => one.outputShape(at, ""), input);
        } catch {
          fc.pre(false);
        }
        const built = networkOf({ input, layers, loss: dense_, optimizer: optimizers.sgd() });
        const expected = await runAll(new Interpreter(built.network, BATCH), built, batch);
        const session = await Session.create(built.network, { batchSize: BATCH, threads: 1 });
        expectAlike(await runAll(session, built, batch), expected, 5e-5);
        session.close();
      },
    ),
    { seed: 4, numRuns: 40 },
  );
});
