/** Runs that are broken off and gone on with: the same bits as if nothing had happened. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Callback, callbacks, type FitOptions, layers, loadModel, optimizers, Sequential } from "../src/index.ts";
import { compiledNet, images } from "./helpers/models.ts";

let folder: string;
const at = (...names: string[]) => join(folder, ...names);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lenet-resume-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Every one of the moments takes half a minute: `RESUME_EVERYWHERE=1`. */
const STRIDE = process.env.RESUME_EVERYWHERE === "1" ? 1 : 6;

const data = images(40);
const validationData = images(12, 2).dataset;
const BASE = { batchSize: 16, epochs: 4, validationData } as const;

/** With everything that has a state: dropout, moving means, Adam. */
function net(seed?: number): Sequential {
  const model = new Sequential(
    [
      layers.input({ shape: [6, 6, 1] }),
      layers.conv2d({ filters: 4, kernelSize: 3, activation: "relu" }),
      layers.batchNormalization(),
      layers.flatten(),
      layers.dropout({ rate: 0.3 }),
      layers.dense({ units: 3, activation: "softmax" }),
    ],
    seed === undefined ? {} : { seed },
  );
  model.compile({
    loss: "categorical_crossentropy",
    optimizer: optimizers.adam({ learningRate: 0.01 }),
    metrics: ["accuracy"],
  });
  return model;
}

/** Callbacks with states, new ones for each run. */
const watchers = (): Callback[] => [
  callbacks.earlyStopping({ monitor: "val_loss", patience: 2, restoreBestWeights: true }),
  callbacks.reduceLROnPlateau({ monitor: "loss", patience: 1, factor: 0.5, minDelta: 0.05 }),
  callbacks.learningRateScheduler((_, rate) => rate * 0.9),
  callbacks.csvLogger({ filename: at("log.csv") }),
];

const backup = (options = {}) => callbacks.backupAndRestore({ directory: at("backup"), ...options });

interface Breaks {
  /** Number of the event, of all that callbacks are told, at which the run is broken off. */
  readonly event: number;
}

/** Breaks a run off at its n-th event; tells how many there were. */
function breaker({ event }: Breaks) {
  const controller = new AbortController();
  let events = 0;
  const count = () => {
    if (events++ === event) controller.abort();
  };
  const callback: Callback = { onEpochBegin: count, onBatchBegin: count, onBatchEnd: count, onEpochEnd: count };
  return { callback, signal: controller.signal, events: () => events };
}

async function outcome(model: Sequential, options: FitOptions) {
  const history = await model.fit(data.x, data.y, options);
  const bits = model.getWeights().map(({ data }) => Buffer.from(data.buffer).toString("hex"));
  return { history, bits, iterations: model.optimizer!.iterations, log: readFileSync(at("log.csv"), "utf8") };
}

describe("the same bits", () => {
  test("broken off at any moment, with any number of threads", async () => {
    const counter = breaker({ event: -1 });
    const whole = await outcome(net(3), { ...BASE, callbacks: [...watchers(), counter.callback] });
    expect(counter.events()).toBeGreaterThan(25);
    for (let event = 0; event < counter.events(); event += STRIDE) {
      const { callback, signal } = breaker({ event });
      const first = { ...BASE, threads: 1 + (event % 2), signal };
      const broken = net(3).fit(data.x, data.y, { ...first, callbacks: [...watchers(), callback, backup()] });
      // The last event comes too late to break anything off.
      if (event < counter.events() - 1) await expect(broken).rejects.toThrow("aborted");
      else await broken;
      const again = { ...BASE, threads: 2 - (event % 2) };
      const resumed = await outcome(net(3), { ...again, callbacks: [...watchers(), {}, backup()] });
      expect(resumed, `event ${event}`).toEqual(whole);
      expect(readdirSync(at("backup"))).toEqual([]);
    }
  });

  test("broken off again and again, in passes that are longer than an epoch", async () => {
    const options = { batchSize: 8, epochs: 5, stepsPerEpoch: 3 };
    const whole = await outcome(net(3), { ...options, callbacks: [callbacks.csvLogger({ filename: at("log.csv") })] });
    for (let round = 1; ; round++) {
      const { callback, signal } = breaker({ event: 7 });
      const kept = {
        ...options,
        signal,
        callbacks: [callbacks.csvLogger({ filename: at("log.csv") }), callback, backup()],
      };
      const done = await outcome(net(3), kept).catch((error: unknown) => {
        if (error !== signal.reason) throw error;
      });
      if (!done) continue;
      expect(round).toBeGreaterThan(4);
      expect(done).toEqual(whole);
      break;
    }
  });

  test("from checkpoints after so many steps, without a signal", async () => {
    const options = { batchSize: 16, epochs: 4 };
    const log = () => callbacks.csvLogger({ filename: at("log.csv") });
    const whole = await outcome(net(3), { ...options, callbacks: [log()] });
    const fails: Callback = {
      onBatchEnd: () => {
        if (++steps === 8) throw new Error("power failure");
      },
    };
    let steps = 0;
    const broken = net(3).fit(data.x, data.y, { ...options, callbacks: [log(), fails, backup({ saveFreq: 3 })] });
    await expect(broken).rejects.toThrow("power failure");
    expect(readdirSync(at("backup"))).toEqual(["checkpoint-00000003.h5", "checkpoint-00000006.h5"]);
    const resumed = { ...options, callbacks: [log(), {}, backup({ saveFreq: 3 })] };
    expect(await outcome(net(3), resumed)).toEqual(whole);
  });

  test("without seeds: those of the run before are taken", async () => {
    const model = net();
    const initial = model.getWeights();
    const { callback, signal } = breaker({ event: 12 });
    const log = () => callbacks.csvLogger({ filename: at("log.csv") });
    const kept = { ...BASE, callbacks: [log(), callback, backup({ deleteCheckpoint: false })] };
    await expect(model.fit(data.x, data.y, { ...kept, signal })).rejects.toThrow("aborted");
    const copy = { ...kept, callbacks: [log(), {}, backup({ deleteCheckpoint: false })] };
    const one = await outcome(net(), copy);
    rmSync(at("backup"), { recursive: true });
    // The first model goes on by itself where it was made anew: its seeds are its own.
    model.compile({
      loss: "categorical_crossentropy",
      optimizer: optimizers.adam({ learningRate: 0.01 }),
      metrics: ["accuracy"],
    });
    model.setWeights(initial);
    const two = await outcome(model, { ...BASE, callbacks: [log()] });
    expect(one).toEqual(two);
  });

  test("of batches that are made while they are used", async () => {
    const batches = {
      *[Symbol.iterator]() {
        for (let i = 0; i < 5; i++) yield images(8, 10 + i).dataset;
      },
    };
    for (const more of [{}, { stepsPerEpoch: 3 }]) {
      const whole = compiledNet(4);
      const history = await whole.fit(batches, { epochs: 4, ...more });
      const { callback, signal } = breaker({ event: 17 });
      const broken = compiledNet(4).fit(batches, { epochs: 4, ...more, signal, callbacks: [callback, backup()] });
      await expect(broken).rejects.toThrow("aborted");
      const resumed = compiledNet(4);
      expect(await resumed.fit(batches, { epochs: 4, ...more, callbacks: [{}, backup()] })).toEqual(history);
      expect(resumed.getWeights()).toEqual(whole.getWeights());
    }
  });
});

/** Leaves two checkpoints, after steps 3 and 6. */
async function leaveTwo(): Promise<void> {
  const { callback, signal } = breaker({ event: 15 });
  const kept = { ...BASE, signal, callbacks: [callback, backup()] };
  await expect(compiledNet(4).fit(data.x, data.y, kept)).rejects.toThrow("aborted");
  expect(readdirSync(at("backup"))).toHaveLength(2);
}

describe("files", () => {
  test("a checkpoint is a model that loads, and scores as it did", async () => {
    const model = compiledNet(4);
    const kept = { ...BASE, callbacks: [backup({ deleteCheckpoint: false, keep: 1 })] };
    await model.fit(data.x, data.y, kept);
    expect(readdirSync(at("backup"))).toEqual(["checkpoint-00000012.h5"]);
    const loaded = await loadModel(at("backup", "checkpoint-00000012.h5"));
    expect(loaded.getWeights()).toEqual(model.getWeights());
    expect(await loaded.evaluate(...validationData)).toEqual(await model.evaluate(...validationData));
    // A run that had ended goes on with nothing; with more epochs, for these.
    const again = compiledNet(4);
    expect((await again.fit(data.x, data.y, kept)).history.loss).toHaveLength(4);
    expect(again.getWeights()).toEqual(model.getWeights());
    const more = await compiledNet(4).fit(data.x, data.y, { ...kept, epochs: 6 });
    expect(more).toEqual(await compiledNet(4).fit(data.x, data.y, { ...BASE, epochs: 6 }));
  });

  test("damaged and foreign files are skipped by name, and the last good one is taken", async () => {
    const whole = await compiledNet(4).fit(data.x, data.y, BASE);
    await leaveTwo();
    const [older, newer] = readdirSync(at("backup")).map((name) => at("backup", name)) as [string, string];
    const bytes = readFileSync(newer);
    const [kernel] = (await loadModel(newer)).getWeights();
    bytes[bytes.indexOf(Buffer.from(kernel!.data.buffer)) + 8]! ^= 1;
    writeFileSync(at("backup", "checkpoint-00000100.h5"), bytes);
    writeFileSync(at("backup", "checkpoint-00000101.h5"), "not HDF5");
    await compiledNet(4).save(at("backup", "checkpoint-00000102.h5"));
    writeFileSync(at("backup", "notes.txt"), "mine");
    truncateSync(newer, 9000);
    const skipped: string[] = [];
    const onSkip = (message: string) => skipped.push(message);
    const history = await compiledNet(4).fit(data.x, data.y, { ...BASE, callbacks: [{}, backup({ onSkip })] });
    expect(history).toEqual(whole);
    expect(skipped).toHaveLength(4);
    expect(skipped[0]).toMatch(/checkpoint-00000102\.h5 is skipped: it is a model, but no checkpoint\.$/);
    expect(skipped[1]).toMatch(/checkpoint-00000101\.h5 is skipped: /);
    expect(skipped[2]).toMatch(/checkpoint-00000100\.h5 is skipped: it is damaged: its check sum is wrong\.$/);
    expect(skipped[3]).toContain(`${newer} is skipped: `);
    expect(older).not.toBe(newer);
    expect(readdirSync(at("backup"))).toContain("notes.txt");
  });

  test("a run with another model, other data or other options is refused, and nothing is lost", async () => {
    await leaveTwo();
    const files = readdirSync(at("backup"));
    const refused = async (message: RegExp, options: FitOptions, model = compiledNet(4), x = data.x) => {
      const run = model.fit(x, data.y, { ...BASE, callbacks: [{}, backup()], ...options });
      await expect(run).rejects.toThrow(message);
      expect(readdirSync(at("backup"))).toEqual(files);
    };
    await refused(/made with batchSize 16, this run has 8; give the same, or another folder/, { batchSize: 8 });
    await refused(/made with shuffle true, this run has false/, { shuffle: false });
    await refused(/made with seed 4, this run has 5/, { seed: 5 });
    await refused(/made with stepsPerEpoch null, this run has 2/, { stepsPerEpoch: 2 });
    await refused(
      /training data "40 samples of sum \w+", this run has "40 samples/,
      {},
      compiledNet(4),
      images(40, 9).x,
    );
    await refused(/validation data/, { validationData: images(12, 3).dataset });
    await refused(/made with optimizer_config/, {}, compiledNet(4, optimizers.sgd()));
    await refused(/of another model, whose layer/, {}, net(4));
    await refused(/had 2 callbacks, here are 1/, { callbacks: [backup()] });
  });

  test("where nothing can be written it is said before training", async () => {
    writeFileSync(at("taken"), "");
    const kept = { ...BASE, callbacks: [callbacks.backupAndRestore({ directory: at("taken") })] };
    await expect(compiledNet(4).fit(data.x, data.y, kept)).rejects.toThrow(/cannot make folder [^ ]*taken/);
  });

  test("weights that are no numbers are not kept: the run can go on from those before", async () => {
    const run = (rate: number) => {
      const model = compiledNet(4, optimizers.sgd({ learningRate: 0.01 }));
      const scheduler = callbacks.learningRateScheduler((epoch) => (epoch === 1 ? rate : 0.01));
      const given = { ...BASE, callbacks: [scheduler, backup({ saveFreq: 1, deleteCheckpoint: false })] };
      return model.fit(data.x, data.y, given);
    };
    await expect(run(1e39)).rejects.toThrow("the loss became NaN");
    expect(readdirSync(at("backup"))).toEqual(["checkpoint-00000002.h5", "checkpoint-00000003.h5"]);
    const { history } = await run(0.01);
    expect(history.loss!.every(Number.isFinite)).toBe(true);
  });

  test("a folder that vanishes ends training, or is told to whoever asks", async () => {
    const vanish: Callback = {
      onEpochEnd: (epoch) => {
        if (epoch === 0) rmSync(at("backup"), { recursive: true });
      },
    };
    const run = (options: object) =>
      compiledNet(4).fit(data.x, data.y, { ...BASE, callbacks: [vanish, backup(options)] });
    await expect(run({ deleteCheckpoint: false })).rejects.toThrow(
      /cannot write [^ ]*: there is no such file or folder/,
    );
    const errors: string[] = [];
    const history = await run({ deleteCheckpoint: false, onError: ({ message }: Error) => errors.push(message) });
    expect(history.epoch).toEqual([0, 1, 2, 3]);
    expect(errors.length).toBeGreaterThan(0);
  });
});
