/** Hosts that lack what the engine needs, and resources that run out: one clear line, and nothing lost. */
import { EventEmitter } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import os, { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import workerThreads from "node:worker_threads";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { layers, loadModel, optimizers, Sequential, UserError } from "../src/index.ts";
import { Machine } from "../src/runtime/machine.ts";
import { CONTROL } from "../src/wasm/barrier.ts";
import { type Circumstances, runLenet, startLenet, writeSmallMnist } from "./helpers/command.ts";
import { compiledNet, images } from "./helpers/models.ts";

let folder: string;
const at = (...names: string[]) => join(folder, ...names);
const lenet = (line: string, circumstances?: Circumstances) => runLenet(line.split(" "), folder, circumstances);
/** What Node runs before all else. */
const NO_SHARED_MEMORY = "--import=data:text/javascript,delete%20globalThis.SharedArrayBuffer";
const LACKS: [lacks: string, option: string, message: RegExp][] = [
  ["WebAssembly", "--no-expose-wasm", /this host has no WebAssembly; /],
  ["memory", "--wasm-max-mem-pages=100", /the model needs \d\d MiB of memory for batches of 128, and /],
];
// From other processors V8 can take nothing away.
if (process.arch === "x64") {
  LACKS.push(["SIMD", "--no-enable-ssse3", /this processor or host has no WebAssembly with SIMD; /]);
}
const TRAIN = "train --data small --epochs 1 --steps-per-epoch 2";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lenet-limits-"));
  mkdirSync(at("small"));
  writeSmallMnist(at("small"), 256, 20);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a host that lacks what the engine needs", () => {
  test.each(LACKS)("%s: is refused in one line, before training", async (_, option, message) => {
    const outcome = await lenet(`${TRAIN} --threads 1 --out never.h5`, { nodeOptions: [option] });
    expect(outcome).toMatchObject({ exitCode: 2, stdout: "" });
    expect(outcome.stderr).toMatch(/^lenet: [^\n]+\.\n$/);
    expect(outcome.stderr).toMatch(message);
    expect(readdirSync(folder)).toEqual(["small"]);
  });

  test("shared memory: trains on one thread, to the same bits", async () => {
    const without = await lenet(`${TRAIN} --json --out one.h5`, { nodeOptions: [NO_SHARED_MEMORY] });
    expect(without).toMatchObject({ exitCode: 0, stderr: "" });
    const [alone, usual] = [without, await lenet(`${TRAIN} --json --out one.h5`)].map(({ stdout }) =>
      stdout.replaceAll(/"(seconds|ms_per_step)":[^,}]*/g, ""),
    );
    expect(alone).toBe(usual);
    rmSync(at("one.h5"));
  });
});

describe("no memory for the model", () => {
  test("is said before training, with what it needs and what there is", async () => {
    const free = vi.spyOn(os, "freemem").mockReturnValue(2 ** 14);
    try {
      const { x, y } = images(8);
      const failure = await compiledNet()
        .fit(x, y, { batchSize: 8 })
        .catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(UserError);
      expect(String(failure)).toMatch(
        /the model needs \d+ KiB of memory for batches of 8, and 16 KiB are free; lower the batch size[^.]*\.$/,
      );
    } finally {
      free.mockRestore();
    }
  });
});

/** A model of one dense layer, whose weights come from `create`. */
function netOf(create: () => Float32Array): Sequential {
  const kernelInitializer = { className: "Own", config: {}, create };
  const net = [layers.flatten(), layers.dense({ units: 3, activation: "softmax", kernelInitializer })];
  const model = new Sequential([layers.input({ shape: [6, 6, 1] }), ...net], { seed: 1 });
  model.compile({ loss: "categorical_crossentropy", optimizer: optimizers.sgd() });
  return model;
}

describe("first weights", () => {
  const { x, y } = images(8);

  test("are not made where there is no memory for the model", async () => {
    const create = vi.fn(() => new Float32Array(108));
    const free = vi.spyOn(os, "freemem").mockReturnValue(2 ** 10);
    try {
      await expect(netOf(create).fit(x, y)).rejects.toThrow(/the model needs/);
      expect(create).not.toHaveBeenCalled();
    } finally {
      free.mockRestore();
    }
  });

  test("that cannot be made end the threads, and the model goes on when they can", async () => {
    const terminate = vi.spyOn(workerThreads.Worker.prototype, "terminate");
    const create = vi.fn(() => new Float32Array(108));
    create.mockImplementationOnce(() => {
      throw new Error("no weights today");
    });
    const model = netOf(create);
    await expect(model.fit(x, y, { threads: 2 })).rejects.toThrow("no weights today");
    expect(terminate).toHaveBeenCalledOnce();
    expect((await model.fit(x, y, { threads: 2 })).history.loss![0]).toBeGreaterThan(0);
    model.variables.release();
    terminate.mockRestore();
  });
});

test("code that does not compile is nobody's failure where the weights cannot be made either", async () => {
  const meanwhile = () => {
    throw new Error("no weights today");
  };
  const module = new Uint8Array(4);
  const options = { module, programs: [], memoryBytes: 65_536, threads: 1, control: CONTROL, meanwhile };
  await expect(Machine.create(options)).rejects.toThrow("no weights today");
  // A rejection that nobody handles fails the tests.
  await new Promise((resolve) => setTimeout(resolve, 50));
});

describe("threads that the system refuses", () => {
  const refused = Object.assign(new Error("no more"), { code: "ERR_WORKER_INIT_FAILED" });

  /** A worker that never begins; the second one is refused, at once or a little later. */
  function refuseSecond(how: "at once" | "later") {
    const terminated: number[] = [];
    let count = 0;
    const worker = vi.spyOn(workerThreads, "Worker").mockImplementation(function (this: unknown) {
      const number = ++count;
      if (number === 2 && how === "at once") throw refused;
      const own = Object.assign(new EventEmitter(), {
        postMessage: () => {},
        unref: () => {},
        terminate: () => void terminated.push(number),
      });
      if (number === 2) setImmediate(() => own.emit("error", refused));
      return own;
    } as never);
    return { terminated, restore: () => worker.mockRestore() };
  }

  test.each([
    ["at once", [1]],
    ["later", [1, 2, 3]],
  ] as const)("%s: is said in words, and those that were started end", async (how, ended) => {
    const { terminated, restore } = refuseSecond(how);
    try {
      const { x, y } = images(8);
      const failure = await compiledNet()
        .fit(x, y, { threads: 4 })
        .catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(UserError);
      expect(String(failure)).toMatch(/the system starts no more threads, and 4 are asked for/);
      expect(terminated).toEqual(ended);
    } finally {
      restore();
    }
  });
});

describe("what cannot be written at the end", () => {
  test("is saved in a folder for temporary files, and said so", async () => {
    mkdirSync(at("gone"));
    mkdirSync(at("temporary"));
    const command = "train --data small --epochs 4 --batch-size 8 --out gone/model.h5";
    const run = startLenet(command.split(" "), folder, { env: { TMPDIR: at("temporary") } });
    await run.until("stdout", "Epoch 1");
    rmSync(at("gone"), { recursive: true });
    const { exitCode, stderr } = await run.done;
    expect(exitCode).toBe(2);
    const [, rescued] =
      /^lenet: cannot write gone\/model\.h5: there is no such file or folder; the model is in (\S+\.h5)\.\n$/.exec(
        stderr,
      ) ?? [];
    expect(rescued, stderr).toContain(at("temporary"));
    expect((await loadModel(rescued!)).optimizer!.iterations).toBe(128);
  });

  test("is said, where no file may be so large, with the checkpoints named once", async () => {
    const outcome = await lenet(`${TRAIN} --epochs 4 --out large.h5 --checkpoint run --every 1`, { limit: "-f 1000" });
    expect(outcome.exitCode).toBe(2);
    expect(outcome.stderr).toMatch(
      /^lenet: --checkpoint: cannot write [^\n]*: the file is larger than is allowed; [^\n]*\nlenet: cannot write large\.h5: the file is larger than is allowed\.\n$/,
    );
    expect(readdirSync(at("run"))).toEqual([]);
    expect(readdirSync(folder)).not.toContain("large.h5");
  });
});

test("more threads than processors are said to be slower, and train all the same", async () => {
  const threads = availableParallelism() + 1;
  const outcome = await lenet(`${TRAIN} --threads ${threads} --out many.h5`);
  expect(outcome.exitCode).toBe(0);
  expect(outcome.stderr).toBe(
    `lenet: --threads: ${threads} threads take turns on ${threads - 1} processor(s), which is slower than one each.\n`,
  );
});
