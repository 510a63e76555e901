/** Whatever is passed to the library is used, or refused as the user's mistake; the same for command lines. */
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { runCommandLine } from "../../src/cli/program.ts";
import {
  callbacks,
  classScores,
  confusionMatrix,
  datasets,
  layers,
  loadModel,
  losses,
  metrics,
  NDArray,
  optimizers,
  regularizers,
  Sequential,
  toCategorical,
  toLabels,
} from "../../src/index.ts";
import { faultOf } from "./faults.ts";

const RUNS = Number(process.env.FUZZ_CASES ?? 300);
const seed = Number(process.env.FUZZ_SEED ?? 1);

/** Values that are often nearly right. */
const value: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(
    undefined,
    null,
    true,
    false,
    "",
    "same",
    "relu",
    "adam",
    "mse",
    "accuracy",
    Number.NaN,
    1n,
    Symbol.iterator,
  ),
  fc.integer({ min: -3, max: 9 }),
  fc.double(),
  fc.string({ maxLength: 8 }),
  fc.array(fc.oneof(fc.integer({ min: -2, max: 5 }), fc.double(), fc.constant(null), fc.string({ maxLength: 3 })), {
    maxLength: 4,
  }),
  fc.constantFrom(() => 1, new Map(), new Date(0), new Float32Array(3), new NDArray(new Float32Array(6), [2, 3]), {}),
  fc.object({ maxDepth: 1, maxKeys: 3 }),
);

/** Options: names that some call knows, with any values. */
const NAMES = [
  ...[
    "units",
    "filters",
    "kernelSize",
    "strides",
    "padding",
    "dilationRate",
    "activation",
    "useBias",
    "name",
    "shape",
    "rate",
  ],
  ...[
    "seed",
    "targetShape",
    "poolSize",
    "scale",
    "offset",
    "momentum",
    "epsilon",
    "axis",
    "trainable",
    "learningRate",
    "beta1",
  ],
  ...[
    "clipnorm",
    "weightDecay",
    "loss",
    "optimizer",
    "metrics",
    "batchSize",
    "epochs",
    "validationSplit",
    "verbose",
    "monitor",
  ],
  ...[
    "patience",
    "factor",
    "l1",
    "l2",
    "fromLogits",
    "labelSmoothing",
    "k",
    "depthMultiplier",
    "kernelRegularizer",
    "negativeSlope",
    "heightFactor",
    "widthFactor",
    "fillMode",
    "fillValue",
  ],
];
const options = fc.oneof(
  fc.dictionary(fc.constantFrom(...NAMES), value, { maxKeys: 4 }),
  fc.dictionary(fc.string({ maxLength: 6 }), value, { maxKeys: 2 }),
  value,
);
const args = fc.array(fc.oneof(options, value), { maxLength: 3 });

/** What the groups share with the model; its callers check. */
const INTERNAL = /^to(Optimizer|Loss|Metric|Regularizer)$|^regularizerConfig$/;

const callable = (group: string, members: object) =>
  Object.entries(members)
    .filter(([name, member]) => typeof member === "function" && !INTERNAL.test(name))
    .map(([name, member]) => [`${group}.${name}`, member as (...given: unknown[]) => unknown] as const);

const functions = [
  ...callable("layers", layers),
  ...callable("optimizers", optimizers),
  ...callable("losses", losses),
  ...callable("metrics", metrics),
  ...callable("callbacks", callbacks),
  ...callable("regularizers", regularizers),
  ...callable("", { toCategorical, toLabels, confusionMatrix, classScores, loadModel }),
  ...callable("datasets", { loadNpy: datasets.loadNpy, loadNpz: datasets.loadNpz, imageFolder: datasets.imageFolder }),
  ["new Sequential", (...given: unknown[]) => new Sequential(...(given as []))] as const,
  ["new NDArray", (...given: unknown[]) => new NDArray(...(given as unknown as [Float32Array, number[]]))] as const,
];

test.each(functions)("%s refuses what it cannot use", { timeout: 600_000 }, async (_, call) => {
  await fc.assert(
    fc.asyncProperty(args, async (given) => {
      expect(await faultOf(() => call(...given))).toBeUndefined();
    }),
    { numRuns: RUNS, seed },
  );
});

/** A small model, and its methods with anything for arguments. */
const x = new NDArray(new Float32Array(24), [4, 6]);
const y = toCategorical(new NDArray(Uint8Array.of(0, 1, 2, 1), [4]), 3);
const methods = [
  "compile",
  "fit",
  "evaluate",
  "predict",
  "trainOnBatch",
  "setWeights",
  "getLayer",
  "add",
  "summary",
  "save",
] as const;

test.each(methods)("a model's %s refuses what it cannot use", { timeout: 600_000 }, async (name) => {
  await fc.assert(
    fc.asyncProperty(args, fc.boolean(), async (given, withData) => {
      const model = new Sequential([layers.input({ shape: [6] }), layers.dense({ units: 3, activation: "softmax" })]);
      model.compile({ loss: "categorical_crossentropy" });
      const all = withData ? [x, y, ...given] : given;
      const silent = name === "summary" ? [{ print: () => {}, ...(all[0] as object) }] : all;
      expect(await faultOf(() => (model[name] as (...given: unknown[]) => unknown)(...silent))).toBeUndefined();
      model.variables.release();
    }),
    { numRuns: Math.ceil(RUNS / 6), seed },
  );
});

const written: string[] = [];
beforeAll(() => {
  for (const stream of [process.stdout, process.stderr]) {
    vi.spyOn(stream, "write").mockImplementation((text) => {
      written.push(String(text));
      return true;
    });
  }
});
afterAll(() => {
  vi.restoreAllMocks();
});

const word = fc.oneof(
  fc.constantFrom(
    "train",
    "evaluate",
    "predict",
    "summary",
    "--json",
    "--epochs",
    "--data",
    "--out",
    "--model",
    "--seed",
  ),
  fc.constantFrom(
    "--threads",
    "--batch-size",
    "--learning-rate",
    "--optimizer",
    "--input-shape",
    "--log",
    "--profile",
    "--",
    "-h",
  ),
  fc.constantFrom(
    "0",
    "1",
    "-1",
    "1e9",
    "NaN",
    "0x10",
    "1.5",
    "28x28x1",
    "no such file",
    "/",
    ".",
    "",
    "adam",
    "valid",
    "--help",
    "-V",
  ),
  fc.string({ maxLength: 6 }),
);

test("a command line ends with a code and, where it is refused, with one line", { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(word, { maxLength: 6 }), async (words) => {
      written.length = 0;
      // There is no such data: nothing is trained for long.
      const given = ["train", "evaluate"].includes(words[0] ?? "") ? [...words, "--data", "/no/such/folder"] : words;
      const exitCode = await runCommandLine(given);
      expect([0, 2]).toContain(exitCode);
      if (exitCode === 2) expect(written.join("")).toMatch(/^lenet: [^\n]*[.?]\n$/);
    }),
    { numRuns: RUNS, seed },
  );
});
