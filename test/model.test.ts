/** What one does with a model, through the public API. */
import { describe, expect, test } from "vitest";
import { type FitOptions, type History, layers, NDArray, optimizers, Sequential } from "../src/index.ts";
import { permutation } from "../src/random.ts";
import { compiledNet, images, rowsOf, smallNet } from "./helpers/models.ts";

// 22 samples in batches of 8: the last has 6.
const { x, y, labels } = images(22);
const validation = images(10, 2);
const options = { batchSize: 8, threads: 1 } satisfies FitOptions;

/** Trains on batches of 8 in a given order, one by one; returns their losses. */
async function trainByHand(model: Sequential, order?: ArrayLike<number>): Promise<number[]> {
  const [inputs, targets] = order ? [rowsOf(x, order), rowsOf(y, order)] : [x, y];
  const found: number[] = [];
  for (let start = 0; start < x.length; start += 8) {
    const batch = [inputs.slice(start, start + 8), targets.slice(start, start + 8)] as const;
    found.push((await model.trainOnBatch(...batch, { threads: 1 })).loss!);
  }
  return found;
}

describe("fit", () => {
  test("learns, and returns the history of loss, accuracy and their val_ twins", async () => {
    const model = compiledNet();
    const callOptions = { ...options, epochs: 30, validationData: validation.dataset };
    const { epoch, history } = await model.fit(x, y, callOptions);
    expect(epoch).toEqual(Array.from({ length: 30 }, (_, i) => i));
    expect(Object.keys(history)).toEqual(["loss", "accuracy", "val_loss", "val_accuracy"]);
    for (const values of Object.values(history)) expect(values).toHaveLength(30);
    expect(history.loss![0]).toBeGreaterThan(0.7);
    expect(history.loss![29]).toBeLessThan(0.2);
    expect(history.accuracy![29]).toBeGreaterThan(0.9);
    const { loss, accuracy } = await model.evaluate(...validation.dataset, options);
    expect([history.val_loss![29], history.val_accuracy![29]]).toEqual([loss, accuracy]);
  });

  test("without shuffling makes the steps of trainOnBatch; the mean is weighted by samples", async () => {
    const [fitted, byHand] = [compiledNet(), compiledNet()];
    const { history } = await fitted.fit(x, y, { ...options, shuffle: false });
    const [first, second, last] = (await trainByHand(byHand)) as [number, number, number];
    expect(fitted.getWeights()).toEqual(byHand.getWeights());
    expect(fitted.optimizer!.iterations).toBe(3);
    expect(history.loss![0]).toBeCloseTo((8 * first + 8 * second + 6 * last) / 22, 6);
    expect(history.loss![0]).not.toBeCloseTo((first + second + last) / 3, 5);
  });

  test("shuffles by the seed and the epoch's number", async () => {
    const [fitted, byHand] = [compiledNet(), compiledNet()];
    await fitted.fit(x, y, { ...options, epochs: 3, seed: 77 });
    for (const epoch of [0, 1, 2]) await trainByHand(byHand, permutation(22, 77, epoch));
    expect(fitted.getWeights()).toEqual(byHand.getWeights());
  });

  test("takes the model's seed where none is given; another seed gives other weights", async () => {
    const trained = async (model: Sequential, seed?: number) => {
      await model.fit(x, y, { ...options, epochs: 2, ...(seed !== undefined && { seed }) });
      return model.getWeights();
    };
    const first = await trained(compiledNet(5));
    expect(await trained(compiledNet(5))).toEqual(first);
    expect(await trained(compiledNet(5), 5)).toEqual(first);
    expect(await trained(compiledNet(5), 6)).not.toEqual(first);
    expect(smallNet(6).getWeights()).not.toEqual(smallNet(5).getWeights());
  });

  test("stepsPerEpoch cuts the epoch short", async () => {
    const [fitted, byHand] = [compiledNet(), compiledNet()];
    const { history } = await fitted.fit(x, y, { ...options, shuffle: false, stepsPerEpoch: 1 });
    const { loss } = await byHand.trainOnBatch(x.slice(0, 8), y.slice(0, 8), { threads: 1 });
    expect(history.loss).toEqual([loss]);
    expect(fitted.getWeights()).toEqual(byHand.getWeights());
    await fitted.fit(x, y, { ...options, stepsPerEpoch: 100 });
    expect(fitted.optimizer!.iterations).toBe(1 + 3);
  });

  test("with stepsPerEpoch an epoch goes on where the one before ended, and ends where the data does, as in Keras", async () => {
    const steps = { batchSize: 8, shuffle: false, threads: 1 };
    const [fitted, byHand] = [compiledNet(), compiledNet()];
    const seen: number[][] = [];
    const callback = {
      onEpochBegin: () => void seen.push([]),
      onBatchEnd: (batch: number) => void seen.at(-1)!.push(batch),
    };
    // Three batches are two epochs, of two and of one; the third begins with the data.
    await fitted.fit(x, y, { ...steps, epochs: 3, stepsPerEpoch: 2, callbacks: [callback] });
    expect(seen).toEqual([[0, 1], [0], [0, 1]]);
    await byHand.fit(x, y, { ...steps });
    await byHand.fit(x.slice(0, 16), y.slice(0, 16), { ...steps });
    expect(fitted.getWeights()).toEqual(byHand.getWeights());
  });

  test("shuffled, too, every sample has its turn before any has it again", async () => {
    const [parts, whole] = [compiledNet(), compiledNet()];
    const steps = { batchSize: 8, threads: 1, seed: 3 };
    await parts.fit(x, y, { ...steps, epochs: 3, stepsPerEpoch: 1 });
    await whole.fit(x, y, { ...steps, epochs: 1 });
    expect(parts.getWeights()).toEqual(whole.getWeights());
  });

  test("initialEpoch goes on where another fit ended", async () => {
    const [whole, halves] = [compiledNet(), compiledNet()];
    const all = await whole.fit(x, y, { ...options, epochs: 4 });
    await halves.fit(x, y, { ...options, epochs: 2 });
    const rest = await halves.fit(x, y, { ...options, initialEpoch: 2, epochs: 4 });
    expect(rest.epoch).toEqual([2, 3]);
    expect(rest.history.loss).toEqual(all.history.loss!.slice(2));
    expect(halves.getWeights()).toEqual(whole.getWeights());
  });

  test("takes batches larger than the data, labels for a sparse loss, and bytes for images", async () => {
    const bytes = new NDArray<"uint8">(
      Uint8Array.from(x.data, (value) => Math.abs(value) * 100),
      x.shape,
    );
    const floats = new NDArray<"float32">(Float32Array.from(bytes.data), x.shape);
    const [dense, sparse] = [compiledNet(), smallNet()];
    const optimizer = optimizers.adam({ learningRate: 0.01 });
    sparse.compile({ loss: "sparse_categorical_crossentropy", optimizer, metrics: ["accuracy"] });
    const expected = await dense.fit(floats, y, { ...options, batchSize: 1000 });
    expect(await sparse.fit(bytes, labels, { ...options, batchSize: 1000 })).toEqual(expected);
    expect(sparse.getWeights()).toEqual(dense.getWeights());
  });
});

describe("evaluate and predict", () => {
  test("evaluate gives the mean cross-entropy and the share of right answers of what predict gives", async () => {
    const model = compiledNet();
    await model.fit(x, y, { ...options, epochs: 3 });
    const outputs = await model.predict(x, options);
    expect(outputs.shape).toEqual([22, 3]);
    let [loss, right] = [0, 0];
    for (let n = 0; n < 22; n++) {
      const row = outputs.slice(n, n + 1).data;
      expect(row.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
      loss -= Math.log(row[labels.data[n]!]!) / 22;
      if (row.indexOf(Math.max(...row)) === labels.data[n]) right++;
    }
    const logs = await model.evaluate(x, y, options);
    expect(Object.keys(logs)).toEqual(["loss", "accuracy"]);
    expect(logs.loss).toBeCloseTo(loss, 5);
    expect(logs.accuracy).toBeCloseTo(right / 22, 6);
    expect(right).toBeLessThan(22);
    const whole = await model.evaluate(x, y, { batchSize: 22, threads: 1 });
    expect(whole.loss).toBeCloseTo(logs.loss!, 5);
    expect(whole.accuracy).toBeCloseTo(logs.accuracy!, 6);
  });

  test("neither changes the weights, and batches do not change predictions", async () => {
    const model = compiledNet();
    const before = model.getWeights();
    const outputs = await model.predict(x, { batchSize: 22, threads: 1 });
    await model.evaluate(x, y, options);
    expect(model.getWeights()).toEqual(before);
    for (const batchSize of [1, 5, 8, 1000]) expect(await model.predict(x, { batchSize, threads: 1 })).toEqual(outputs);
    expect((await model.predict(x.slice(3, 4), options)).data).toEqual(outputs.slice(3, 4).data);
  });

  test("a model that is not compiled predicts as it does once it is", async () => {
    const model = smallNet();
    const outputs = await model.predict(x, options);
    model.compile({ loss: "categorical_crossentropy" });
    expect(await model.predict(x, options)).toEqual(outputs);
    await model.evaluate(x, y, options);
    expect(await model.predict(x, options)).toEqual(outputs);
  });

  test("models of layers that only pass things on", async () => {
    const none = new Sequential([layers.input({ shape: [6, 6, 1] }), layers.activation({ activation: "linear" })]);
    expect((await none.predict(x, options)).data.join()).toBe(x.data.join());
    const flat = new Sequential([layers.input({ shape: [6, 6, 1] }), layers.flatten()]);
    expect((await flat.predict(x, options)).data.join()).toBe(x.data.join());
  });

  test("calls on one model at the same time do not disturb each other", async () => {
    const model = compiledNet();
    const outputs = await model.predict(x, options);
    const logs = await model.evaluate(x, y, options);
    const fresh = compiledNet();
    const rows = Array.from({ length: 22 }, (_, n) => x.slice(n, n + 1));
    for (const net of [fresh, model]) {
      const [evaluated, ...found] = await Promise.all([
        net.evaluate(x, y, options),
        ...rows.map((row) => net.predict(row, options)),
      ]);
      expect(evaluated).toEqual(logs);
      for (const [n, { data }] of found.entries()) expect(data).toEqual(outputs.slice(n, n + 1).data);
    }
  });

  test("evaluating while training leaves the training as it is", async () => {
    const [alone, disturbed] = [compiledNet(), compiledNet()];
    const expected = await alone.fit(x, y, { ...options, epochs: 3 });
    const [found] = await Promise.all([
      disturbed.fit(x, y, { ...options, epochs: 3 }),
      disturbed.evaluate(x, y, { batchSize: 5, threads: 1 }),
      disturbed.predict(x, { batchSize: 20, threads: 1 }),
    ]);
    expect(found).toEqual(expected);
    expect(disturbed.getWeights()).toEqual(alone.getWeights());
  });
});

describe("callbacks", () => {
  test("are called in Keras's order and awaited, with the means so far", async () => {
    const told: string[] = [];
    const pause = () => new Promise((resolve) => setTimeout(resolve, 2));
    const tell = async (what: string) => {
      await pause();
      told.push(what);
    };
    const losses: number[] = [];
    const model = compiledNet();
    const history = await model.fit(x, y, {
      ...options,
      batchSize: 11,
      epochs: 2,
      validationData: validation.dataset,
      callbacks: [
        {
          onTrainBegin: () => tell("train"),
          onEpochBegin: (epoch) => tell(`epoch ${epoch}`),
          onBatchBegin: (batch) => tell(`batch ${batch}`),
          onBatchEnd: async (batch, logs) => {
            losses.push(logs.loss!);
            await tell(`batch ${batch} done: ${Object.keys(logs)}`);
          },
          onEpochEnd: (epoch, logs) => tell(`epoch ${epoch} done: ${Object.keys(logs)}`),
          onTrainEnd: () => tell("train done"),
        },
        { onEpochEnd: (epoch) => void told.push(`second ${epoch}`) },
        {},
      ],
    });
    const epoch = (number: number) => [
      `epoch ${number}`,
      "batch 0",
      "batch 0 done: loss,accuracy",
      "batch 1",
      "batch 1 done: loss,accuracy",
      `epoch ${number} done: loss,accuracy,val_loss,val_accuracy`,
      `second ${number}`,
    ];
    expect(told).toEqual(["train", ...epoch(0), ...epoch(1), "train done"]);
    expect([losses[1], losses[3]]).toEqual(history.history.loss);
  });

  test("an error in one ends training with that error", async () => {
    const model = compiledNet();
    const error = new Error("enough");
    const callbacks = [
      {
        onBatchEnd: async () => {
          throw error;
        },
      },
    ];
    await expect(model.fit(x, y, { ...options, callbacks })).rejects.toBe(error);
    expect(model.optimizer!.iterations).toBe(1);
  });

  test("may predict, evaluate and save, with any batch, without changing what is trained", async () => {
    const [plain, watched] = [compiledNet(), compiledNet()];
    const expected = await plain.fit(x, y, { ...options, epochs: 2 });
    const wide = images(30, 3);
    const found: unknown[] = [];
    const callbacks = [
      {
        onBatchEnd: async () => {
          found.push(await watched.predict(wide.x, { batchSize: 30, threads: 1 }));
          found.push(await watched.evaluate(wide.x, wide.y, { batchSize: 30, threads: 1 }));
          found.push(await watched.toBytes());
        },
      },
    ];
    expect(await watched.fit(x, y, { ...options, epochs: 2, callbacks })).toEqual(expected);
    expect(found).toHaveLength(18);
    expect(watched.getWeights()).toEqual(plain.getWeights());
  });

  test("may change the learning rate", async () => {
    const model = compiledNet();
    const before = model.getWeights();
    const callbacks = [{ onTrainBegin: () => void Object.assign(model.optimizer!, { learningRate: 0 }) }];
    await model.fit(x, y, { ...options, callbacks });
    expect(model.getWeights()).toEqual(before);
  });

  test.each([
    ["onTrainBegin", 0, []],
    ["onEpochBegin", 1, [0]],
    ["onBatchEnd", 1, [0]],
    ["onEpochEnd", 3, [0]],
  ] as const)("stopTraining set in %s ends training after the step", async (name, steps, epochs) => {
    const model = compiledNet();
    let ended = 0;
    const callbacks = [
      { [name]: () => void Object.assign(model, { stopTraining: true }) },
      { onTrainEnd: () => void ended++ },
    ];
    const { epoch, history } = await model.fit(x, y, { ...options, epochs: 5, callbacks });
    expect(model.optimizer!.iterations).toBe(steps);
    expect(epoch).toEqual(epochs);
    for (const loss of history.loss ?? []) expect(loss).toBeGreaterThan(0);
    expect(ended).toBe(1);
    // The next fit begins afresh.
    await model.fit(x, y, options);
    expect(model.optimizer!.iterations).toBe(steps + 3);
  });
});

describe("an AbortSignal", () => {
  const reason = new Error("the user has had enough");

  test("ends fit after the step, with its reason; the model goes on from there", async () => {
    const [model, byHand] = [compiledNet(), compiledNet()];
    const controller = new AbortController();
    const callbacks = [{ onBatchBegin: (batch: number) => batch === 1 && controller.abort(reason) }];
    const fitted = model.fit(x, y, {
      ...options,
      shuffle: false,
      callbacks: callbacks as never,
      signal: controller.signal,
    });
    await expect(fitted).rejects.toBe(reason);
    for (const start of [0, 8]) {
      await byHand.trainOnBatch(x.slice(start, start + 8), y.slice(start, start + 8), { threads: 1 });
    }
    expect(model.optimizer!.iterations).toBe(2);
    expect(model.getWeights()).toEqual(byHand.getWeights());
    const outcomes = await Promise.all([model, byHand].map((net) => net.fit(x, y, options)));
    expect(outcomes[0]).toEqual(outcomes[1]);
  });

  test("that comes from a timer is heard, however short the epochs", async () => {
    const signal = AbortSignal.timeout(60);
    const fitted = compiledNet().fit(x, y, { ...options, epochs: 1_000_000, signal });
    await expect(fitted).rejects.toThrow(/timeout/);
  });

  test("that has come already lets nothing begin", async () => {
    const model = compiledNet();
    const before = model.getWeights();
    const signal = AbortSignal.abort(reason);
    await expect(model.fit(x, y, { ...options, signal })).rejects.toBe(reason);
    await expect(model.trainOnBatch(x, y, { threads: 1, signal })).rejects.toBe(reason);
    await expect(model.evaluate(x, y, { ...options, signal })).rejects.toBe(reason);
    await expect(model.predict(x, { ...options, signal })).rejects.toBe(reason);
    expect(model.getWeights()).toEqual(before);
    expect(model.optimizer!.iterations).toBe(0);
  });
});

describe("a loss that is not a number", () => {
  /** Trains one good epoch, then with a rate that breaks everything. */
  async function fitUntilNaN(restoreOnNaN: boolean) {
    const model = compiledNet(5, optimizers.sgd({ learningRate: 0.01, momentum: 0.9 }));
    let good: NDArray[] = [];
    const onEpochEnd = () => {
      good = model.getWeights();
      model.optimizer!.learningRate = 1e30;
    };
    const failure = await model
      .fit(x, y, { ...options, epochs: 3, restoreOnNaN, callbacks: [{ onEpochEnd }] })
      .catch((error: unknown) => error);
    return { model, good, failure };
  }

  test("ends fit and tells where", async () => {
    const { failure, model, good } = await fitUntilNaN(false);
    expect(failure).toMatchObject({ name: "UserError" });
    expect(String(failure)).toMatch(
      /^UserError: fit: at epoch 2, step \d, the loss became \S+; lower the learning rate/,
    );
    expect(model.getWeights()).not.toEqual(good);
  });

  test("gives the last good state back on request, and the model goes on", async () => {
    const { failure, model, good } = await fitUntilNaN(true);
    expect(failure).toMatchObject({ name: "UserError" });
    expect(model.getWeights()).toEqual(good);
    expect(model.optimizer!.iterations).toBe(3);
    model.optimizer!.learningRate = 0.01;
    const twin = compiledNet(5, optimizers.sgd({ learningRate: 0.01, momentum: 0.9 }));
    await twin.fit(x, y, options);
    const again = (net: Sequential): Promise<History> => net.fit(x, y, { ...options, initialEpoch: 1, epochs: 2 });
    expect(await again(model)).toEqual(await again(twin));
  });

  test("is foreseen where the last update of an epoch breaks the weights", async () => {
    const model = compiledNet(5, optimizers.sgd({ learningRate: 1e38 }));
    const before = model.getWeights();
    const bright = new NDArray(
      x.data.map((value) => value * 1000),
      x.shape,
    );
    const fitted = model.fit(bright, y, { ...options, stepsPerEpoch: 1, restoreOnNaN: true });
    await expect(fitted).rejects.toThrow(/^fit: at the end of epoch 1, a weight became -?(Infinity|NaN); lower/);
    expect(model.getWeights()).toEqual(before);
    expect(model.optimizer!.iterations).toBe(0);
  });

  test("ends trainOnBatch too", async () => {
    const model = compiledNet();
    const broken = new NDArray(x.data.slice().fill(Number.NaN, 40, 41), x.shape);
    await expect(model.trainOnBatch(broken, y, { threads: 1 })).rejects.toThrow(
      /^trainOnBatch: the loss became NaN; the update is made, so set/,
    );
  });
});

test("layers may stand among the options, as in TF.js", () => {
  const list = [layers.input({ shape: [2] }), layers.dense({ units: 3 })];
  const [one, other] = [
    new Sequential(list, { name: "a", seed: 4 }),
    new Sequential({ layers: list, name: "a", seed: 4 }),
  ];
  expect(other.name).toBe("a");
  expect(other.getWeights()).toEqual(one.getWeights());
});

describe("compile", () => {
  test("again lets the same optimizer begin anew", async () => {
    const optimizer = optimizers.adam({ learningRate: 0.01 });
    const [again, fresh] = [compiledNet(5, optimizer), compiledNet(5)];
    const weights = again.getWeights();
    await again.fit(x, y, options);
    again.compile({ loss: "categorical_crossentropy", optimizer, metrics: ["accuracy"] });
    again.setWeights(weights);
    expect(await again.fit(x, y, options)).toEqual(await fresh.fit(x, y, options));
    expect(again.getWeights()).toEqual(fresh.getWeights());
    expect(optimizer.iterations).toBe(3);
  });

  test("refuses the optimizer of another model", () => {
    const optimizer = optimizers.adam();
    compiledNet(1, optimizer);
    expect(() => compiledNet(2, optimizer)).toThrow(/^compile: the optimizer belongs to another model/);
  });
});

describe("weights", () => {
  test("come as copies, go back, and stay through compile", async () => {
    const [model, other] = [compiledNet(1), compiledNet(2)];
    const taken = model.getWeights();
    expect(taken.map(({ shape }) => shape)).toEqual([[3, 3, 1, 4], [4], [2, 2, 4, 5], [5], [20, 9], [9], [9, 3], [3]]);
    taken[0]!.data.fill(9);
    expect(model.getWeights()[0]!.data).not.toContain(9);
    other.setWeights(model.getWeights());
    expect(await other.predict(x, options)).toEqual(await model.predict(x, options));
    await other.fit(x, y, options);
    const trained = other.getWeights();
    expect(trained).not.toEqual(model.getWeights());
    other.compile({ loss: "categorical_crossentropy", optimizer: "sgd" });
    expect(other.getWeights()).toEqual(trained);
    other.setWeights(model.getWeights());
    expect(await other.predict(x, options)).toEqual(await model.predict(x, options));
  });
});

test("compile begins with a new optimizer state, and forgets the old one", async () => {
  const [model, twin] = [compiledNet(), compiledNet()];
  await model.fit(x, y, options);
  model.setWeights(twin.getWeights());
  const optimizer = optimizers.adam({ learningRate: 0.01 });
  model.compile({ loss: "categorical_crossentropy", optimizer, metrics: ["accuracy"] });
  expect(await model.fit(x, y, options)).toEqual(await twin.fit(x, y, options));
  expect(model.getWeights()).toEqual(twin.getWeights());
});

test("a layer may be added to a model that was trained", async () => {
  const model = compiledNet();
  await model.fit(x, y, options);
  const before = await model.predict(x, options);
  model.add(layers.activation({ activation: "relu" }));
  // Probabilities are positive already.
  expect(await model.predict(x, options)).toEqual(before);
  expect(model.optimizer).toBeUndefined();
});
