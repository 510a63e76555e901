import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { compiledNet, images } from "../../test/helpers/models.ts";
import { NDArray, sizeOf } from "../array.ts";
import { UserError } from "../errors.ts";
import type { NamedTensor, SavedModel } from "../formats/saved-model.ts";
import { activation, dense, depthwiseConv2d, flatten, input } from "../layers/index.ts";
import { sgd } from "../optimizers/index.ts";
import { fromSavedModel } from "./deserialize.ts";
import { Sequential } from "./sequential.ts";
import { toSavedModel } from "./serialize.ts";

const { x, y } = images(8);

async function trained(optimizer?: ReturnType<typeof sgd>): Promise<Sequential> {
  const model = optimizer ? compiledNet(5, optimizer) : compiledNet(5);
  for (let step = 0; step < 3; step++) await model.trainOnBatch(x, y, { threads: 1 });
  return model;
}

let model: Sequential;
let saved: SavedModel;
beforeAll(async () => {
  model = await trained();
  saved = toSavedModel(model);
});

/** A change to what was saved, which the file then holds. */
type Edit = (saved: SavedModel) => Partial<SavedModel>;
const edited = (edit: Edit) => ({ ...saved, ...edit(structuredClone(saved)) });
const load = (edit: Edit) => () => fromSavedModel(edited(edit), "a.h5");

/** What one Keras or another calls the weights and the optimizer's state. `layer` and `weight` are conv2d and kernel. */
interface Names {
  weight(layer: string, weight: string): string;
  slot(layer: string, weight: string, slot: string): string;
  readonly rate?: string;
}

/** Taken from files that these versions wrote. */
const namings: [string, Names][] = [
  [
    "Keras 3.3 and later",
    {
      weight: (layer, weight) => `sequential/${layer}/${weight}`,
      slot: (layer, weight, slot) => `adam/sequential_${layer}_${weight}_${slot}`,
      rate: "adam/learning_rate",
    },
  ],
  [
    "Keras 3.0",
    {
      weight: (_, weight) => weight,
      slot: (layer, weight, slot) => `sequential_${layer}_${weight}_${slot}`,
      rate: "learning_rate",
    },
  ],
  [
    "Keras 2.11",
    {
      weight: (layer, weight) => `${layer}/${weight}:0`,
      slot: (layer, weight, slot) => `Adam/${slot[0]}/${layer}/${weight}:0`,
    },
  ],
  [
    "Keras 2.0",
    {
      weight: (layer, weight) => `${layer}/${weight}:0`,
      slot: (layer, weight, slot) => `training/Adam/${layer}/${weight}/${slot[0]}:0`,
    },
  ],
];

/** `adam/sequential_conv2d_1_kernel_momentum` → conv2d_1, kernel, momentum. */
const partsOf = (name: string) =>
  name.match(/_((?:conv2d|dense)(?:_\d+)?)_(kernel|bias)_(momentum|velocity)$/)!.slice(1);

function renamed({ layers, optimizer }: SavedModel, names: Names): Partial<SavedModel> {
  const slots = optimizer!.weights.flatMap((tensor): NamedTensor[] => {
    if (tensor.name !== "adam/learning_rate") {
      const [layer, weight, slot] = partsOf(tensor.name) as [string, string, string];
      return [{ ...tensor, name: names.slot(layer, weight, slot) }];
    }
    return names.rate ? [{ ...tensor, name: names.rate }] : [];
  });
  return {
    layers: layers.map(({ name, weights }) => ({
      name,
      weights: weights.map((tensor) => ({ ...tensor, name: names.weight(name, tensor.name.split("/").at(-1)!) })),
    })),
    // In another order too: names decide.
    optimizer: { iterations: optimizer!.iterations, weights: slots.reverse() },
  };
}

describe("weights and the optimizer's state are found by the names of", () => {
  test.each(namings)("%s, and training goes on to the same bits", async (_, names) => {
    const loaded = load((saved) => renamed(saved, names))();
    const whole = await trained();
    expect(loaded.getWeights()).toEqual(whole.getWeights());
    expect(loaded.optimizer!.iterations).toBe(3);
    const next = await Promise.all([loaded, whole].map((net) => net.trainOnBatch(x, y, { threads: 1 })));
    expect(next[0]).toEqual(next[1]);
    expect(loaded.getWeights()).toEqual(whole.getWeights());
  });

  test("SGD before Keras 2.11", async () => {
    const whole = await trained(sgd({ learningRate: 0.1, momentum: 0.9 }));
    const state = toSavedModel(whole);
    const weights = state.optimizer!.weights.slice(1).map((tensor) => {
      const [layer, weight] = partsOf(tensor.name);
      return { ...tensor, name: `SGD/${layer}/${weight}/momentum:0` };
    });
    const loaded = fromSavedModel({ ...state, optimizer: { iterations: 3, weights } }, "a.h5");
    await Promise.all([loaded, whole].map((net) => net.trainOnBatch(x, y, { threads: 1 })));
    expect(loaded.getWeights()).toEqual(whole.getWeights());
  });
});

test("layers whose names end alike keep each their own state", () => {
  const net = new Sequential([
    input({ shape: [2] }),
    dense({ units: 2, name: "my_b" }),
    dense({ units: 2, name: "b" }),
  ]);
  net.compile({ loss: "categorical_crossentropy", optimizer: sgd({ momentum: 0.5 }) });
  const state = toSavedModel(net);
  const weights = ["my_b/kernel", "my_b/bias", "b/kernel", "b/bias"].map((weight, i) => {
    const shape = weight.endsWith("kernel") ? [2, 2] : [2];
    return { name: `SGD/${weight}/momentum:0`, shape, data: new Float32Array(sizeOf(shape)).fill(i) };
  });
  const loaded = fromSavedModel({ ...state, optimizer: { iterations: 1, weights } }, "a.h5");
  const found = loaded.compiled!.slots.flat().map((slot) => loaded.variables.read(slot)[0]);
  expect(found).toEqual([0, 1, 2, 3]);
});

test("Keras 2 calls a depthwise kernel otherwise", async () => {
  const small = new Sequential([
    input({ shape: [6, 6, 1] }),
    depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2 }),
    flatten(),
    dense({ units: 3, activation: "softmax" }),
  ]);
  small.compile({ loss: "categorical_crossentropy" });
  await small.trainOnBatch(x, y, { threads: 1 });
  const { layers, optimizer, ...rest } = toSavedModel(small);
  const rename = <Named extends { name: string }>(tensor: Named): Named => {
    const former = "depthwise_conv2d/depthwise_kernel";
    const name = tensor.name
      .replace("sequential/depthwise_conv2d/kernel", `${former}:0`)
      .replace(/adam\/sequential_depthwise_conv2d_kernel_(.).*/, `Adam/$1/${former}:0`);
    return { ...tensor, name };
  };
  const loaded = fromSavedModel(
    {
      ...rest,
      layers: layers.map((layer) => ({ ...layer, weights: layer.weights.map(rename) })),
      optimizer: { ...optimizer!, weights: optimizer!.weights.map(rename) },
    },
    "a.h5",
  );
  expect(toSavedModel(loaded)).toEqual(toSavedModel(small));
});

/** Arrays as Keras 3's own formats have them: with numbers in place of names. */
const inNumbers = (weights: readonly NamedTensor[]) =>
  weights.map((tensor, i) => ({ ...tensor, name: `optimizer/vars/${i + 1}` }));

test("an optimizer's state may be from before a layer was frozen", () => {
  const frozen = load(({ modelConfig, optimizer }) => ({
    modelConfig: put(modelConfig, ["config", "layers", 3, "config", "trainable"], false),
    optimizer: { iterations: 3, weights: inNumbers(optimizer!.weights) },
  }))();
  const expected = toSavedModel(model).optimizer!.weights.filter(({ name }) => !name.includes("conv2d_1"));
  expect(toSavedModel(frozen).optimizer!.weights).toEqual(expected);
});

test("an optimizer without state needs none of a file's", async () => {
  const plain = toSavedModel(await trained(sgd({ learningRate: 0.1 })));
  const weights = inNumbers(toSavedModel(await trained(sgd({ learningRate: 0.1, momentum: 0.9 }))).optimizer!.weights);
  const loaded = fromSavedModel({ ...plain, optimizer: { iterations: 3, weights } }, "a.keras");
  expect(toSavedModel(loaded)).toEqual(plain);
});

test("Keras 2's hard_sigmoid is another than Keras 3's", async () => {
  const net = new Sequential([
    input({ shape: [1] }),
    dense({ units: 1, activation: "hard_sigmoid", kernelInitializer: "ones", name: "first" }),
    activation({ activation: "hard_sigmoid", name: "second" }),
  ]);
  const values = [-9, -2.75, -1, 0, 0.5, 2.25, 2.75, 9];
  const numbers = new NDArray(Float32Array.from(values), [values.length, 1]);
  const hardSigmoid = (slope: number) => (x: number) => Math.min(1, Math.max(0, slope * x + 0.5));
  const outputs = async (kerasVersion: string) => {
    const loaded = fromSavedModel({ ...toSavedModel(net), kerasVersion }, "a.h5");
    const again = fromSavedModel(toSavedModel(loaded), "a.h5");
    expect(await again.predict(numbers)).toEqual(await loaded.predict(numbers));
    return (await loaded.predict(numbers)).data;
  };
  for (const [version, slope] of [
    ["2.15.0", 1 / 5],
    ["3.0.5", 1 / 6],
  ] as const) {
    const found = await outputs(version);
    for (const [i, x] of values.entries()) expect(found[i]).toBeCloseTo(hardSigmoid(slope)(hardSigmoid(slope)(x)), 6);
  }
});

test("the learning rate comes back as it was given, and as the file has it where that differs", () => {
  expect(load(() => ({}))().optimizer!.learningRate).toBe(0.01);
  const changed = load(({ optimizer }) => {
    optimizer!.weights[0]!.data[0] = 0.25;
    return { optimizer: optimizer! };
  })();
  expect(changed.optimizer!.learningRate).toBe(0.25);
});

/** Puts a value at a place in a copy of a JSON document. */
function put(document: unknown, path: readonly (string | number)[], value: unknown): unknown {
  const copy = structuredClone(document);
  let place = copy as Record<string | number, unknown>;
  for (const key of path.slice(0, -1)) place = place[key] as Record<string | number, unknown>;
  place[path.at(-1)!] = value;
  return copy;
}
const inModel =
  (path: (string | number)[], value: unknown): Edit =>
  ({ modelConfig }) => ({ modelConfig: put(modelConfig, path, value) });
const inTraining =
  (path: (string | number)[], value: unknown): Edit =>
  ({ trainingConfig }) => ({ trainingConfig: put(trainingConfig, path, value) });

describe("refused, by name:", () => {
  const layer = (index: number, ...path: string[]) => ["config", "layers", index, ...path];
  const entropy = (config: object) => ({ class_name: "CategoricalCrossentropy", config });
  test.each<[string, Edit, string]>([
    ["a functional model", inModel(["class_name"], "Functional"), "the model is a Functional; only Sequential"],
    ["no layers", inModel(["config", "layers"], null), "the model's config has no list of layers"],
    [
      "an unknown layer",
      inModel(layer(2, "class_name"), "LayerNormalization"),
      'layer "max_pooling2d" is a LayerNormalization, which is not',
    ],
    [
      "a class name that is none",
      inModel(layer(2, "class_name"), { toString: 1 }),
      'is a {"toString":1}, which is not',
    ],
    ["groups", inModel(layer(1, "config", "groups"), 2), 'a.h5: layer "conv2d": Conv2D "conv2d": groups 2 is not'],
    [
      "a regularizer",
      inModel(layer(5, "config", "kernel_regularizer"), "orthogonal"),
      'kernelRegularizer "orthogonal" is unknown; known are L1, L2, L1L2',
    ],
    ["an unknown activation", inModel(layer(5, "config", "activation"), "glu"), 'tanh, tanh_shrink, got "glu"'],
    [
      "another shape",
      inModel(layer(5, "config", "units"), 8),
      "dense/kernel has shape (20, 9), the model's config asks for (20, 8)",
    ],
    ["an unknown loss", inTraining(["loss"], "hinge"), 'loss "hinge" is unknown'],
    ["a sum for a mean", inTraining(["loss"], entropy({ reduction: "sum" })), 'reduction "sum" is not supported'],
    [
      "smoothing that is too much",
      inTraining(["loss"], entropy({ label_smoothing: 2 })),
      "labelSmoothing must be a number",
    ],
    ["another axis", inTraining(["loss"], entropy({ axis: 1 })), "axis 1 is not supported"],
    ["weights of losses", inTraining(["loss_weights"], [2]), "loss_weights [2] is not supported"],
    [
      "weighted metrics",
      inTraining(["weighted_metrics"], ["accuracy"]),
      'weighted_metrics ["accuracy"] is not supported',
    ],
    ["what a layer refuses", inModel(layer(5, "config", "units"), 0), 'a.h5: layer "dense": dense: units must be a'],
    [
      "an unknown metric",
      inTraining(["metrics"], [{ class_name: "AUC", config: { name: "auc" } }]),
      'metric {"class_name":"AUC","config":{"name":"auc"}} is unknown',
    ],
    ["an unknown optimizer", inTraining(["optimizer_config", "class_name"], "Lion"), 'optimizer "Lion" is unknown'],
    ["decay", inTraining(["optimizer_config", "config", "decay"], 0.1), "optimizer adam: decay 0.1 is not supported"],
    ["no weights", () => ({ layers: [] }), 'the file has no weights for layer "conv2d"'],
    [
      "a slot that is missing",
      ({ optimizer }) => ({ optimizer: { iterations: 3, weights: optimizer!.weights.slice(0, -1) } }),
      "the optimizer's state has no adam/sequential_dense_1_bias_velocity; load it with { optimizerState: false }",
    ],
    [
      "a state of too few arrays",
      ({ optimizer }) => ({ optimizer: { iterations: 3, weights: inNumbers(optimizer!.weights).slice(0, -1) } }),
      "the optimizer's state has 15 arrays, the model's weights need 16; load it with { optimizerState: false }",
    ],
  ])("%s", (_, edit, message) => {
    expect(load(edit)).toThrow(UserError);
    expect(load(edit)).toThrow(message);
  });

  test("a learning rate that is none", () => {
    const edit: Edit = ({ optimizer }) => {
      optimizer!.weights[0]!.data[0] = Number.NaN;
      return { optimizer: optimizer! };
    };
    expect(load(edit)).toThrow("a.h5: adam/learning_rate: learningRate must be a number of at least 0, got NaN.");
  });
});

test("what concerns training alone is no matter without it", () => {
  const without = (edit: Edit) => fromSavedModel(edited(edit), "a.h5", { compile: false });
  expect(load(inTraining(["loss"], "hinge"))).toThrow(/^a\.h5: .*Load it with \{ compile: false \}/);
  expect(without(inTraining(["loss"], "hinge")).getWeights()).toEqual(model.getWeights());
});

test("Keras 2's forms: no input layer, metrics in a list for each output, the optimizer's own prefix", () => {
  const loaded = load(({ modelConfig, trainingConfig }) => {
    const config = modelConfig as { config: { layers: { config: object }[] } };
    const [input, first, ...rest] = config.config.layers as [{ config: object }, { config: object }, ...object[]];
    const { batch_input_shape } = input.config as { batch_input_shape: unknown };
    const layers = [{ ...first, config: { ...first.config, batch_input_shape } }, ...rest];
    const accuracy = { class_name: "MeanMetricWrapper", config: { name: "accuracy", fn: "categorical_accuracy" } };
    const training = put(
      put(trainingConfig, ["metrics"], [[accuracy]]),
      ["optimizer_config", "class_name"],
      "Custom>Adam",
    );
    return { modelConfig: put(modelConfig, ["config", "layers"], layers), trainingConfig: training };
  })();
  expect(loaded.inputShape).toEqual([6, 6, 1]);
  expect(loaded.compiled!.metrics.map(({ name }) => name)).toEqual(["accuracy"]);
  expect(loaded.getWeights()).toEqual(model.getWeights());
});

test("a loss and metrics may be given for the one output, in a list or by its name, and metrics as functions", () => {
  const asFunction = { module: "builtins", class_name: "function", config: "categorical_accuracy" };
  for (const [metrics, names] of [
    [[["accuracy", asFunction]], ["accuracy", "categorical_accuracy"]],
    [{ dense_1: "accuracy" }, ["accuracy"]],
    [{ dense_1: ["accuracy", asFunction] }, ["accuracy", "categorical_accuracy"]],
    [null, []],
  ] as const) {
    const { compiled } = load(inTraining(["metrics"], metrics))();
    expect(compiled!.metrics.map(({ name }) => name)).toEqual(names);
  }
  for (const loss of [["mse"], { dense_1: "mse" }, "mse"]) {
    expect(load(inTraining(["loss"], loss))().compiled!.loss.name).toBe("mean_squared_error");
  }
  expect(load(inTraining(["loss"], ["mse", "mse"]))).toThrow('loss ["mse","mse"] is unknown');
});

/** All places in a JSON document. */
function pathsOf(document: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (typeof document !== "object" || document === null) return [path];
  const keys = Array.isArray(document) ? [...document.keys()] : Object.keys(document);
  const below = keys.flatMap((key) => pathsOf((document as Record<string | number, unknown>)[key], [...path, key]));
  return path.length ? [path, ...below] : below;
}

test("whatever stands in a config, it is loaded or refused with a UserError of one line", () => {
  const hostile = fc.oneof(
    fc.constantFrom<unknown>(null, true, -1, 0.5, 2 ** 31, 1e308, "", "\n\u0000", [], {}, [[]], [null, null]),
    fc.constantFrom<unknown>({ toString: 1, valueOf: 1 }, { class_name: "__proto__", config: {} }, "constructor"),
    fc.jsonValue({ maxDepth: 2 }),
  );
  const documents = ["modelConfig", "trainingConfig"] as const;
  const places = documents.flatMap((which) => pathsOf(saved[which]).map((path) => ({ which, path })));
  let refused = 0;
  fc.assert(
    fc.property(fc.constantFrom(...places), hostile, ({ which, path }, value) => {
      try {
        load((saved) => ({ [which]: put(saved[which], path, value) }))();
      } catch (error) {
        expect(error).toBeInstanceOf(UserError);
        expect((error as Error).message).not.toMatch(/[\n\0]/);
        refused++;
      }
    }),
    { seed: 3, numRuns: 600 },
  );
  expect(refused).toBeGreaterThan(200);
});
