/** What a user can do wrong with a model: each is a UserError of one line that says what, where, expected, received. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import {
  type FitOptions,
  layers,
  loadModel,
  losses,
  NDArray,
  optimizers,
  Sequential,
  toCategorical,
  UserError,
} from "../src/index.ts";
import { compiledNet, images, smallNet } from "./helpers/models.ts";

const { x, y, labels } = images(6);
const input = (shape: number[]) => layers.input({ shape });
const dense = (units: number, name?: string) => layers.dense({ units, ...(name !== undefined && { name }) });

/** The message of the UserError that a call throws or rejects with: one line. */
async function messageOf(run: () => unknown): Promise<string> {
  const failure = await (async () => run())().then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(UserError);
  const { message } = failure as UserError;
  expect(message).not.toContain("\n");
  return message;
}

describe("layers that do not fit", () => {
  test.each<[string, () => unknown, string]>([
    [
      "no input first",
      () => new Sequential([dense(3)]),
      "Sequential: the first layer must be layers.input({ shape }), got Dense.",
    ],
    [
      "an input further on",
      () => new Sequential([input([4]), input([5])]),
      'Sequential: layer "input_layer_1" is an input, which can only be the first layer.',
    ],
    [
      "two of one name",
      () => new Sequential([input([4]), dense(3, "head"), dense(3, "head")]),
      'Sequential: two layers are named "head"; names must be unique.',
    ],
    [
      "a name with a slash",
      () => new Sequential([input([4]), dense(3, "a/b")]),
      'Sequential: a layer\'s name must be text without "/", and not "." or "top_level_model_weights", got "a/b".',
    ],
    [
      "a name that is a dot",
      () => new Sequential([input([4]), dense(3, ".")]),
      'Sequential: a layer\'s name must be text without "/", and not "." or "top_level_model_weights", got ".".',
    ],
    [
      "a model without a name",
      () => new Sequential([], { name: "" }),
      'Sequential: name must be text that can be in a file\'s paths, got "".',
    ],
    [
      "a model's name that leads nowhere",
      () => new Sequential([], { name: "a/./b" }),
      'Sequential: name must be text that can be in a file\'s paths, got "a/./b".',
    ],
    [
      "half a character in a model's name",
      () => new Sequential([], { name: "a\ud800" }),
      'Sequential: name must be text that can be in a file\'s paths, got "a\\ud800".',
    ],
    [
      "an empty name",
      () => new Sequential([input([4]), dense(3, "")]),
      'Sequential: a layer\'s name must be text without "/", and not "." or "top_level_model_weights", got "".',
    ],
    [
      "something that is no layer",
      () => new Sequential([input([4]), { units: 3 } as never]),
      'Sequential: expected a layer, made by one of layers.*, got {"units":3}.',
    ],
    [
      "nothing",
      () => new Sequential([undefined as never]),
      "Sequential: expected a layer, made by one of layers.*, got undefined.",
    ],
    [
      "a dense layer on an image",
      () => new Sequential([input([6, 6, 1]), dense(3)]),
      'layer "dense": expected samples of shape (n,), got (6, 6, 1); put a flatten layer before it.',
    ],
    [
      "a convolution of a vector",
      () => new Sequential([input([4]), layers.conv2d({ filters: 1, kernelSize: 2, name: "c" })]),
      'layer "c": expected images of shape (height, width, channels), got samples of shape (4,).',
    ],
    [
      "a kernel larger than the image",
      () => new Sequential([input([4, 6, 1]), layers.conv2d({ filters: 1, kernelSize: 5 })]),
      'layer "conv2d": a kernel of 5x5 does not fit into an image of 4x6; use a smaller kernel or padding "same".',
    ],
    [
      "a window larger than the image",
      () => new Sequential([input([1, 6, 1]), layers.maxPooling2d()]),
      'layer "max_pooling2d": a window of 2x2 does not fit into an image of 1x6.',
    ],
    [
      "a negative seed",
      () => new Sequential([], { seed: -1 }),
      "Sequential: seed must be an integer of at least 0, got -1.",
    ],
    [
      "half a seed",
      () => new Sequential([], { seed: 0.5 }),
      "Sequential: seed must be an integer of at least 0, got 0.5.",
    ],
    [
      "layers that are no list",
      () => new Sequential("dense" as never),
      'Sequential: layers must be an array of layers, got "dense".',
    ],
    [
      "an initializer that makes too little",
      () => {
        const short = { className: "Short", config: {}, create: () => new Float32Array(1) };
        return new Sequential([input([2]), layers.dense({ units: 2, kernelInitializer: short })]).getWeights();
      },
      "sequential/dense/kernel: its initializer made 1 values for the shape (2, 2).",
    ],
  ])("%s", async (_, make, message) => {
    expect(await messageOf(make)).toBe(message);
  });
});

describe("compile", () => {
  const compile = (options: unknown, model = smallNet()) => model.compile(options as never);
  test.each<[string, () => unknown, string]>([
    [
      "an unknown loss",
      () => compile({ loss: "hinge" }),
      'compile: loss "hinge" is unknown; known are categorical_crossentropy, sparse_categorical_crossentropy, ' +
        "binary_crossentropy, mean_squared_error.",
    ],
    [
      "an unknown optimizer",
      () => compile({ loss: "categorical_crossentropy", optimizer: "lion" }),
      'compile: optimizer "lion" is unknown; known are adam, adamw, sgd, rmsprop, adadelta.',
    ],
    [
      "an unknown metric",
      () => compile({ loss: "categorical_crossentropy", metrics: ["auc"] }),
      'compile: metric "auc" is unknown; known are accuracy, categorical_accuracy, sparse_categorical_accuracy, ' +
        "binary_accuracy, top_k_categorical_accuracy, sparse_top_k_categorical_accuracy, mean_squared_error.",
    ],
    [
      "a metric of other targets",
      () => compile({ loss: "sparse_categorical_crossentropy", metrics: ["top_k_categorical_accuracy"] }),
      "compile: metric top_k_categorical_accuracy does not fit sparse_categorical_crossentropy, which takes class " +
        'numbers; use its sparse twin, or "accuracy".',
    ],
    ["nothing", () => compile(undefined), "compile: the options must be { loss, optimizer, metrics }, got undefined."],
    [
      "metrics that are no list",
      () => compile({ loss: "categorical_crossentropy", metrics: "accuracy" }),
      'compile: metrics must be an array, got "accuracy".',
    ],
    [
      "fromLogits that is neither",
      () => losses.categoricalCrossentropy({ fromLogits: 1 as never }),
      "categorical_crossentropy: fromLogits must be true or false, got 1.",
    ],
    [
      "an output that is an image",
      () => compile({ loss: "categorical_crossentropy" }, new Sequential([input([4, 4, 1]), layers.maxPooling2d()])),
      "categorical_crossentropy: expected a model whose output ends in an axis of two or more classes, got (2, 2, 1); " +
        "end it with a dense layer of as many units, or use binary_crossentropy.",
    ],
    [
      "a model without layers",
      () => compile({ loss: "categorical_crossentropy" }, new Sequential()),
      "compile: the model has no layers; add layers.input(...) and at least one more.",
    ],
  ])("refuses %s", async (_, run, message) => {
    expect(await messageOf(run)).toBe(message);
  });
});

describe("data that does not fit", () => {
  const sparseNet = () => {
    const model = smallNet();
    model.compile({ loss: "sparse_categorical_crossentropy" });
    return model;
  };
  const flat = x.reshape([6, 36]);
  const labelled = (values: number[]) => new NDArray(Float32Array.from(values), [6]);
  const shapeMessage = 'layer "conv2d" expects x of shape (None, 6, 6, 1), got (6, 36); reshape x before.';
  test.each<[string, () => unknown, string]>([
    ["fit", () => compiledNet().fit(flat, y), `fit: ${shapeMessage}`],
    ["evaluate", () => compiledNet().evaluate(flat, y), `evaluate: ${shapeMessage}`],
    ["predict", () => compiledNet().predict(flat), `predict: ${shapeMessage}`],
    ["trainOnBatch", () => compiledNet().trainOnBatch(flat, y), `trainOnBatch: ${shapeMessage}`],
    [
      "validationData",
      () => compiledNet().fit(x, y, { validationData: [flat, y] }),
      `fit: validationData: ${shapeMessage}`,
    ],
    [
      "channels",
      () => compiledNet().fit(new NDArray(new Float32Array(216), [2, 6, 6, 3]), y),
      'fit: layer "conv2d" expects x of shape (None, 6, 6, 1), got (2, 6, 6, 3); reshape x before.',
    ],
    [
      "the classes of the targets",
      () => compiledNet().fit(x, toCategorical(labels, 4)),
      'fit: categorical_crossentropy of layer "dense_1" expects y of shape (None, 3), got (6, 4).',
    ],
    [
      "labels for one-hot targets",
      () => compiledNet().fit(x, labels),
      'fit: categorical_crossentropy of layer "dense_1" expects y of shape (None, 3), got (6,); ' +
        "make it with toCategorical, or use sparse_categorical_crossentropy.",
    ],
    [
      "one-hot targets for labels",
      () => sparseNet().fit(x, y),
      'fit: sparse_categorical_crossentropy of layer "dense_1" expects y of shape (None,), got (6, 3); ' +
        "one-hot targets belong to categorical_crossentropy.",
    ],
    [
      "a label that is too large",
      () => sparseNet().fit(x, labelled([0, 1, 2, 3, 0, 0])),
      'fit: y[3] is 3; layer "dense_1" has 3 classes, so labels must be integers from 0 to 2.',
    ],
    [
      "a negative label",
      () => sparseNet().evaluate(x, new NDArray(Int32Array.of(0, -1, 0, 0, 0, 0), [6])),
      'evaluate: y[1] is -1; layer "dense_1" has 3 classes, so labels must be integers from 0 to 2.',
    ],
    [
      "a label that is no number",
      () => sparseNet().trainOnBatch(x, labelled([Number.NaN, 1, 1, 1, 1, 1])),
      'trainOnBatch: y[0] is NaN; layer "dense_1" has 3 classes, so labels must be integers from 0 to 2.',
    ],
    ["lengths", () => compiledNet().fit(x, y.slice(0, 5)), "fit: x has 6 samples, y has 5; they must be equally many."],
    ["no samples", () => compiledNet().fit(x.slice(0, 0), y.slice(0, 0)), "fit: x has no samples."],
    [
      "a plain array",
      () => compiledNet().fit([[1]] as never, y),
      "fit: x must be an NDArray, got an array; wrap it: new NDArray(Float32Array.from(...), shape).",
    ],
    [
      "a typed array",
      () => compiledNet().fit(x, y.data as never),
      "fit: y must be an NDArray, got Float32Array; wrap it: new NDArray(data, shape).",
    ],
    [
      "validation data that is no pair",
      () =>
        compiledNet()
          .fit(x, y, { validationData: [x] as never })
          .catch((error: Error) => {
            throw new UserError(error.message.slice(0, 92), { cause: error });
          }),
      "fit: validationData must be a pair [x, y], or [x, y, sampleWeight], or batches of them, got ",
    ],
  ])("%s", async (_, run, message) => {
    expect(await messageOf(run)).toBe(message);
  });

  test("toCategorical names the label", async () => {
    const make = () => toCategorical(new NDArray(Int32Array.of(1, 5), [2]), 5);
    expect(await messageOf(make)).toBe("toCategorical: label 1 is 5, expected an integer from 0 to 4.");
  });
});

describe("options out of range", () => {
  test.each<[FitOptions | Record<string, unknown>, string]>([
    [{ batchSize: 0 }, "fit: batchSize must be a positive integer, got 0."],
    [{ batchSize: Number.NaN }, "fit: batchSize must be a positive integer, got NaN."],
    [{ epochs: -1 }, "fit: epochs must be a positive integer, got -1."],
    [{ epochs: 1.5 }, "fit: epochs must be a positive integer, got 1.5."],
    [{ initialEpoch: -1 }, "fit: initialEpoch must be an integer of at least 0, got -1."],
    [{ initialEpoch: 0.5 }, "fit: initialEpoch must be an integer of at least 0, got 0.5."],
    [{ stepsPerEpoch: 0 }, "fit: stepsPerEpoch must be a positive integer, got 0."],
    [{ callbacks: {} }, "fit: callbacks must be an array of objects, got {}."],
    [{ callbacks: [null] }, "fit: callbacks must be an array of objects, got [null]."],
    [{ threads: 0 }, "fit: threads must be a positive integer, got 0."],
    [{ threads: 65 }, "fit: threads must be at most 64, got 65."],
    [{ threads: 2.5 }, "fit: threads must be a positive integer, got 2.5."],
    [{ seed: -3 }, "fit: seed must be an integer of at least 0, got -3."],
    [{ shuffle: "batch" }, 'fit: shuffle must be true or false, got "batch".'],
    [{ batch_size: 8 }, 'fit: option "batch_size" is unknown; did you mean batchSize?'],
    [{ epoch: 3 }, 'fit: option "epoch" is unknown; did you mean epochs?'],
    [
      { validationData: { x, y } },
      'fit: validationData must be a pair [x, y], or [x, y, sampleWeight], or batches of them, got {"x":NDArray of shape (6, 6, 6, 1)',
    ],
    [{ signal: {} }, "fit: signal must be an AbortSignal, got {}."],
  ])("fit refuses %j, and trains nothing", async (options, message) => {
    const model = compiledNet();
    const before = model.getWeights();
    expect(await messageOf(() => model.fit(x, y, options))).toContain(message);
    expect(model.getWeights()).toEqual(before);
    expect(model.optimizer!.iterations).toBe(0);
  });

  test.each<[string, () => unknown, string]>([
    [
      "evaluate",
      () => compiledNet().evaluate(x, y, { batchSize: -2 }),
      "evaluate: batchSize must be a positive integer, got -2.",
    ],
    [
      "evaluate",
      () => compiledNet().evaluate(x, y, { threads: 0 }),
      "evaluate: threads must be a positive integer, got 0.",
    ],
    ["predict", () => smallNet().predict(x, { batchSize: 0 }), "predict: batchSize must be a positive integer, got 0."],
    [
      "predict",
      () => smallNet().predict(x, { threads: Number.POSITIVE_INFINITY }),
      "predict: threads must be a positive integer, got Infinity.",
    ],
    [
      "trainOnBatch",
      () => compiledNet().trainOnBatch(x, y, { threads: -1 }),
      "trainOnBatch: threads must be a positive integer, got -1.",
    ],
  ])("%s: %#", async (_, run, message) => {
    expect(await messageOf(run)).toBe(message);
  });
});

describe("out of order", () => {
  const hint = "the model is not compiled; call model.compile({ loss, optimizer, metrics }) first.";
  test.each<[string, () => unknown, string]>([
    ["fit before compile", () => smallNet().fit(x, y), `fit: ${hint}`],
    ["evaluate before compile", () => smallNet().evaluate(x, y), `evaluate: ${hint}`],
    ["trainOnBatch before compile", () => smallNet().trainOnBatch(x, y), `trainOnBatch: ${hint}`],
    [
      "fit after a layer was added",
      () => {
        const model = compiledNet();
        model.add(dense(2));
        return model.fit(x, y);
      },
      `fit: ${hint}`,
    ],
    [
      "predict without layers",
      () => new Sequential([input([4])]).predict(x),
      "predict: the model has no layers; add layers.input(...) and at least one more.",
    ],
    [
      "save without layers",
      () => new Sequential().toBytes(),
      "save: the model has no layers; add layers.input(...) and at least one more.",
    ],
  ])("%s", async (_, run, message) => {
    expect(await messageOf(run)).toBe(message);
  });
});

describe("setWeights", () => {
  test("refuses another number and other shapes, and then changes none", async () => {
    const model = smallNet();
    const weights = model.getWeights();
    expect(await messageOf(() => model.setWeights(weights.slice(1)))).toBe(
      "setWeights: the model has 8 weights, got 7.",
    );
    const changed = weights.map(
      ({ data, shape }) =>
        new NDArray(
          data.map((value) => value + 1),
          shape,
        ),
    );
    changed[6] = changed[6]!.reshape([3, 9]);
    expect(await messageOf(() => model.setWeights(changed))).toBe(
      "setWeights: sequential/dense_1/kernel has shape (9, 3), got (3, 9) at position 6.",
    );
    expect(model.getWeights()).toEqual(weights);
    expect(await messageOf(() => model.setWeights(weights.map(({ data }) => data) as never))).toMatch(
      /^setWeights: expected an NDArray at position 0, got /,
    );
  });
});

describe("files", () => {
  test("a save that fails leaves the file as it was", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lenet-errors-"));
    try {
      const path = join(folder, "missing", "model.h5");
      expect(await messageOf(() => smallNet().save(path))).toContain(path);
      const file = join(folder, "folder.txt");
      writeFileSync(file, "kept");
      expect(await messageOf(() => smallNet().save(join(file, "model.h5")))).toContain(file);
      expect(readFileSync(file, "utf8")).toBe("kept");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

test("a model that no memory can hold is refused, and stays as it was", async () => {
  const model = new Sequential([input([1000, 1000, 1]), layers.conv2d({ filters: 600, kernelSize: 1 })]);
  const before = model.getWeights();
  const one = new NDArray(new Float32Array(1_000_000), [1, 1000, 1000, 1]);
  expect(await messageOf(() => model.predict(one, { threads: 1 }))).toMatch(/needs \S+ GiB of memory/);
  expect(model.getWeights()).toEqual(before);
});

describe("options that nobody reads", () => {
  test.each<[string, () => unknown, string]>([
    [
      "of a layer",
      () => layers.dense({ units: 3, activaton: "relu" } as never),
      'dense: option "activaton" is unknown; did you mean activation?',
    ],
    ["of another", () => layers.conv2d({ filters: 3, kernel_size: 3 } as never), "did you mean kernelSize?"],
    ["of an input", () => layers.input({ shpe: [3] } as never), 'input: option "shpe" is unknown; did you mean shape?'],
    ["of a loss", () => losses.categoricalCrossentropy({ from_logits: true } as never), "did you mean fromLogits?"],
    [
      "of an optimizer",
      () => optimizers.adam({ lr: 1 } as never),
      "known are learningRate, beta1, beta2, epsilon, amsgrad, weightDecay, clipnorm, globalClipnorm, clipvalue.",
    ],
    ["of another", () => optimizers.sgd({ learning_rate: 1 } as never), "did you mean learningRate?"],
    ["of a model", () => new Sequential([], { sed: 1 } as never), "did you mean seed?"],
    [
      "of compile",
      () => smallNet().compile({ loss: "categorical_crossentropy", metric: [] } as never),
      "did you mean metrics?",
    ],
    ["of evaluate", () => compiledNet().evaluate(x, y, { batchsize: 3 } as never), "did you mean batchSize?"],
    ["of predict", () => compiledNet().predict(x, { epochs: 3 } as never), "known are batchSize, threads, signal."],
    ["of loadModel", () => loadModel("absent.h5", { complie: false } as never), "did you mean compile?"],
    [
      "that are a number",
      () => compiledNet().fit(x, y, 128 as never),
      "fit: the options must be an object with batchSize,",
    ],
    [
      "that are null",
      () => loadModel("absent.h5", null as never),
      "loadModel: the options must be an object with compile,",
    ],
  ])("%s", async (_, run, message) => expect(await messageOf(run)).toContain(message));

  test("whole arrays are named, not written out, and nothing is too strange to be shown", async () => {
    const large = new NDArray(new Float32Array(5_000_000), [5_000_000, 1]);
    const started = performance.now();
    const values = [{ x: large, y: large.data }, [large, [large.data]], Array(1_000_000).fill([{}]), 1n, { a: [1n] }];
    for (const validationData of [...values, Symbol("s"), Object.create(null)]) {
      const message = await messageOf(() => compiledNet().fit(x, y, { validationData } as never));
      expect(message.length).toBeLessThan(200);
    }
    expect(await messageOf(() => compiledNet().setWeights(large as never))).toContain("NDArray of shape (5000000, 1)");
    expect(await messageOf(() => new Sequential(large as never))).toContain("NDArray of shape (5000000, 1)");
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

test("while a model is trained, it can neither be compiled nor added to", async () => {
  const model = compiledNet();
  const refused: unknown[] = [];
  const attempt = (run: () => void) => {
    try {
      run();
    } catch (error) {
      refused.push(error);
    }
  };
  const onBatchEnd = () => {
    attempt(() => model.compile({ loss: "categorical_crossentropy" }));
    attempt(() => model.add(dense(3)));
  };
  await model.fit(x, y, { batchSize: 6, callbacks: [{ onBatchEnd }] });
  expect(refused.map(String)).toEqual([
    expect.stringMatching(/^UserError: compile: the model is being trained/),
    expect.stringMatching(/^UserError: add: the model is being trained/),
  ]);
  model.compile({ loss: "categorical_crossentropy" });
});

test("files are named, read and written as what they are", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lenet-names-"));
  const model = compiledNet();
  try {
    expect(await messageOf(() => model.save(join(folder, "m.onnx")))).toContain(
      "save: expected a file name that ends in .keras or .h5",
    );
    expect(await messageOf(() => model.save(3 as never))).toContain("save: the path must be text or a URL, got 3.");
    expect(await messageOf(() => loadModel(3 as never))).toContain("the source must be a path, a URL or the bytes");
    const url = pathToFileURL(join(folder, "m.h5"));
    await model.save(url);
    const bytes = readFileSync(url);
    const copy = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
    expect((await loadModel(copy)).getWeights()).toEqual((await loadModel(url)).getWeights());
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a loaded model takes the seed of its orders", async () => {
  const bytes = await compiledNet().toBytes();
  const trained = async (seed: number) => {
    const model = await loadModel(bytes, { seed, strict: true });
    await model.fit(x, y, { batchSize: 2, threads: 1 });
    return model.getWeights();
  };
  expect(await trained(1)).toEqual(await trained(1));
  expect(await trained(1)).not.toEqual(await trained(2));
});
