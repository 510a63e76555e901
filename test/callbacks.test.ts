import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  type Callback,
  callbacks,
  type Logs,
  layers,
  loadModel,
  NDArray,
  Sequential,
  type TrainedModel,
  UserError,
} from "../src/index.ts";
import { sgd } from "../src/optimizers/index.ts";
import { randomData } from "./helpers/kernels.ts";

interface Golden {
  readonly name: "earlyStopping" | "reduceLROnPlateau";
  readonly course: string;
  readonly values: readonly number[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly epochs: number;
  readonly rates: readonly number[];
  readonly weights: number;
}

const golden = JSON.parse(readFileSync(new URL("golden/callbacks.json", import.meta.url), "utf8")) as Golden[];
const folder = () => mkdtempSync(join(tmpdir(), "lenet-callbacks-"));

/** Tells a callback of epochs with these values; the model's weights are the number of the epoch. */
async function drive(callback: Callback, values: readonly number[]) {
  let weights: NDArray[] = [];
  const optimizer = sgd({ learningRate: 0.5 });
  const model: TrainedModel = {
    stopTraining: false,
    optimizer,
    getWeights: () => weights,
    setWeights: (given) => {
      weights = [...given];
    },
    save: async () => {},
    saveWeights: async () => {},
  };
  callback.setModel?.(model);
  await callback.onTrainBegin?.();
  const rates: number[] = [];
  for (const [epoch, value] of values.entries()) {
    weights = [new NDArray(Float32Array.of(epoch), [1])];
    await callback.onEpochEnd?.(epoch, { val_loss: value });
    rates.push(optimizer.learningRate);
    if (model.stopTraining) break;
  }
  await callback.onTrainEnd?.();
  return { epochs: rates.length, rates, weights: weights[0]!.data[0]! };
}

test.each(golden)("$name $options does what Keras does where a value $course", async (expected) => {
  const camel = (name: string) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  const options = Object.fromEntries(Object.entries(expected.options).map(([name, value]) => [camel(name), value]));
  const found = await drive(callbacks[expected.name](options), expected.values);
  expect(found.epochs).toBe(expected.epochs);
  expect(found.weights).toBe(expected.weights);
  for (const [i, rate] of found.rates.entries()) expect(rate).toBeCloseTo(expected.rates[i]!, 6);
});

function small() {
  const model = new Sequential([layers.input({ shape: [4] }), layers.dense({ units: 2 })], { seed: 1 });
  model.compile({ loss: "mse", optimizer: sgd({ learningRate: 0.1 }) });
  return model;
}

const x = new NDArray(randomData(80, 1), [20, 4]);
const y = new NDArray(randomData(40, 2), [20, 2]);

describe("in training", () => {
  test("what callbacks add to the logs is in the history", async () => {
    const seen: number[] = [];
    const schedule = callbacks.learningRateScheduler((epoch, rate) => {
      seen.push(rate);
      return 0.2 / (epoch + 1);
    });
    const { history } = await small().fit(x, y, { epochs: 3, callbacks: [schedule] });
    expect(history.learning_rate).toEqual([0.2, 0.1, 0.2 / 3]);
    expect(seen).toEqual([0.1, 0.2, 0.1]);
  });

  test("the best weights come back", async () => {
    const model = small();
    const best: { loss: number; weights: NDArray[] } = { loss: Number.POSITIVE_INFINITY, weights: [] };
    const watch: Callback = {
      onEpochEnd(epoch, logs) {
        if (logs.loss! < best.loss) Object.assign(best, { loss: logs.loss, weights: model.getWeights() });
        // From the third epoch on it gets worse.
        if (epoch === 2) model.optimizer!.learningRate = 3;
      },
    };
    const stop = callbacks.earlyStopping({ monitor: "loss", patience: 2, restoreBestWeights: true });
    const { epoch } = await model.fit(x, y, { epochs: 30, shuffle: false, callbacks: [watch, stop] });
    expect(epoch.length).toBeLessThan(30);
    expect(model.getWeights()).toEqual(best.weights);
  });

  test("a value that is not there is named, with those that are", async () => {
    const train = (callback: Callback) => small().fit(x, y, { callbacks: [callback] });
    const message =
      'earlyStopping: there is no "val_loss" to monitor, but loss; pass validationData or validationSplit.';
    await expect(train(callbacks.earlyStopping())).rejects.toThrow(new UserError(message));
    const unsure = 'reduceLROnPlateau: whether more of "speed" is better is not known; pass mode "min" or "max".';
    expect(() => callbacks.reduceLROnPlateau({ monitor: "speed" })).toThrow(new UserError(unsure));
  });

  test("checkpoints have the epoch and values in their names, or are the best so far", async () => {
    const place = folder();
    const model = small();
    const every = callbacks.modelCheckpoint({ filepath: join(place, "sub/{epoch:02d}-{loss:.3f}.h5") });
    const best = callbacks.modelCheckpoint({ filepath: join(place, "best.h5"), monitor: "loss", saveBestOnly: true });
    const losses: number[] = [];
    const log: Callback = { onEpochEnd: (_, { loss }) => void losses.push(loss!) };
    await model.fit(x, y, { epochs: 3, callbacks: [every, best, log] });
    expect(readdirSync(join(place, "sub"))).toEqual(losses.map((loss, i) => `0${i + 1}-${loss.toFixed(3)}.h5`));
    expect((await loadModel(join(place, "best.h5"))).getWeights()).toEqual(model.getWeights());
  });

  test("a checkpoint after so many steps", async () => {
    const place = folder();
    const callback = callbacks.modelCheckpoint({ filepath: join(place, "{epoch}-{batch:02d}.h5"), saveFreq: 7 });
    await small().fit(x, y, { epochs: 3, batchSize: 4, callbacks: [callback] });
    expect(readdirSync(place)).toEqual(["2-02.h5", "3-04.h5"]);
  });

  test("epochs without a validation are not watched", async () => {
    const place = folder();
    const filename = join(place, "log.csv");
    const every = { validationSplit: 0.5, validationFreq: 2, epochs: 9, shuffle: false };
    const { epoch, history } = await small().fit(x, y, {
      ...every,
      callbacks: [
        callbacks.earlyStopping({ minDelta: 100, patience: 2 }),
        callbacks.reduceLROnPlateau({ minDelta: 100, patience: 1, factor: 0.5 }),
        callbacks.modelCheckpoint({ filepath: join(place, "{epoch}-{val_loss}.h5"), saveBestOnly: true }),
        callbacks.csvLogger({ filename }),
      ],
    });
    // Validated after epochs 2, 4 and 6; the first is the best.
    expect(epoch.length).toBe(6);
    expect(history.learning_rate!.map((rate) => rate / 0.1)).toEqual([1, 1, 1, 1, 0.5, 0.5]);
    const saved = history.val_loss!.map((loss, i) => `${2 * i + 2}-${loss}.h5`);
    expect(readdirSync(place).sort()).toEqual([...saved, "log.csv"].sort());
    const rows = readFileSync(filename, "utf8").split("\n");
    expect(rows[0]).toBe("epoch,learning_rate,loss,val_learning_rate,val_loss");
    expect(rows[1]).toMatch(/^0,0\.1,[\d.]+,NA,NA$/);
    expect(rows[2]).toMatch(/^1,0\.1,[\d.]+,NA,[\d.]+$/);
    const never = small().fit(x, y, { validationFreq: 2, epochs: 2, callbacks: [callbacks.earlyStopping()] });
    await expect(never).rejects.toThrow('there is no "val_loss" to monitor');
  });

  test("a loss that is not a number ends training quietly where that is asked for", async () => {
    const broken = new NDArray(Float32Array.from(x.data).fill(Number.NaN, 40, 44), [20, 4]);
    const train = (own: Callback[]) =>
      small().fit(broken, y, { epochs: 5, batchSize: 5, shuffle: false, callbacks: own });
    await expect(train([])).rejects.toThrow("the loss became NaN");
    const { epoch, history } = await train([callbacks.terminateOnNaN()]);
    expect(epoch).toEqual([0]);
    expect(history.loss).toEqual([Number.NaN]);
  });
});

describe("csvLogger", () => {
  const train = (options: Parameters<typeof callbacks.csvLogger>[0], epochs = 2) =>
    small().fit(x, y, { epochs, shuffle: false, validationSplit: 0.25, callbacks: [callbacks.csvLogger(options)] });

  test("writes the columns that Keras writes, and goes on with a file", async () => {
    const filename = join(folder(), "log.csv");
    const { history } = await train({ filename });
    const row = (i: number) => `${i},${history.loss![i]},${history.val_loss![i]}\n`;
    const text = `epoch,loss,val_loss\n${row(0)}${row(1)}`;
    expect(readFileSync(filename, "utf8")).toBe(text);
    await train({ filename, append: true }, 1);
    expect(readFileSync(filename, "utf8")).toBe(text + row(0));
    await train({ filename, separator: ";" }, 1);
    expect(readFileSync(filename, "utf8")).toBe(`epoch;loss;val_loss\n${row(0).replaceAll(",", ";")}`);
  });

  test("fails where it cannot write, before anything is trained", async () => {
    await expect(train({ filename: join(folder(), "absent", "log.csv") })).rejects.toThrow("no such file or folder");
  });
});

describe("data", () => {
  const losses = async (train: (model: Sequential) => Promise<{ history: Record<string, number[]> }>) =>
    (await train(small())).history;

  test("validationSplit takes the last samples, before they are shuffled", async () => {
    const parted = await losses((model) => model.fit(x, y, { epochs: 2, seed: 5, validationSplit: 0.3 }));
    const head = [x.slice(0, 14), y.slice(0, 14)] as const;
    const validationData = [x.slice(14, 20), y.slice(14, 20)] as const;
    expect(parted).toEqual(await losses((model) => model.fit(...head, { epochs: 2, seed: 5, validationData })));
    const all = small().fit(x, y, { validationSplit: 0.99 });
    await expect(all).rejects.toThrow("fit: validationSplit 0.99 of 20 samples leaves one part empty.");
  });

  test("validationFreq leaves validations out", async () => {
    const logs: Logs[] = [];
    const callback: Callback = { onEpochEnd: (_, values) => void logs.push({ ...values }) };
    await small().fit(x, y, { epochs: 4, validationData: [x, y], validationFreq: 2, callbacks: [callback] });
    expect(logs.map((values) => "val_loss" in values)).toEqual([false, true, false, true]);
  });

  const batches = () => [0, 8, 16].map((from) => [x.slice(from, from + 8), y.slice(from, from + 8)] as const);

  test("batches of somebody else's train and score as arrays do, from any iterable", async () => {
    const expected = await losses((model) => model.fit(x, y, { epochs: 2, batchSize: 8, shuffle: false }));
    expect(await losses((model) => model.fit(batches(), { epochs: 2 }))).toEqual(expected);
    async function* generate() {
      for (const batch of [...batches(), ...batches()]) yield batch;
    }
    expect(await losses((model) => model.fit(generate(), { epochs: 2, stepsPerEpoch: 3 }))).toEqual(expected);
    const model = small();
    expect(await model.evaluate(batches())).toEqual(await model.evaluate(x, y, { batchSize: 8 }));
  });

  test("batches validate as arrays do, at each validation from the first on", async () => {
    const options = { epochs: 2, seed: 1, batchSize: 8 };
    const expected = await losses((model) => model.fit(x, y, { ...options, validationData: [x, y] }));
    for (const validationData of [
      batches(),
      {
        [Symbol.asyncIterator]: async function* () {
          yield* batches();
        },
      },
    ]) {
      expect(await losses((model) => model.fit(x, y, { ...options, validationData }))).toEqual(expected);
    }
  });

  test("batches that end too early, or are none, are named", async () => {
    const none = "there are no batches; an iterator that has ended gives none again, an array does.";
    await expect(small().evaluate([])).rejects.toThrow(`evaluate: ${none}`);
    const spent = small().fit(x, y, { epochs: 2, validationData: batches().values() });
    await expect(spent).rejects.toThrow(`fit: validationData: ${none}`);
    const bad = small().fit(x, y, { validationData: [[x]] as never });
    await expect(bad).rejects.toThrow("fit: validationData: a batch must be [x, y] or [x, y, sampleWeight], got");
    const once = (function* () {
      yield* batches();
    })();
    const run = small().fit(once, { epochs: 2 });
    await expect(run).rejects.toThrow("fit: there are no batches left for epoch 2; give fewer epochs.");
    const wrong = small().fit([x] as never);
    await expect(wrong).rejects.toThrow("fit: a batch must be [x, y] or [x, y, sampleWeight], got");
    await expect(small().fit(batches(), { batchSize: 3 } as never)).rejects.toThrow(
      'fit: option "batchSize" is unknown',
    );
  });
});

test("a log is begun anew", async () => {
  const filename = join(folder(), "log.csv");
  writeFileSync(filename, "something else\n");
  await small().fit(x, y, { callbacks: [callbacks.csvLogger({ filename })] });
  expect(readFileSync(filename, "utf8")).toMatch(/^epoch,loss,val_loss\n0,[\d.]+,NA\n$/);
});
