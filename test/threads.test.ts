/** Threads: the same bits whatever their number, failures that reach the caller, and a process that can end. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import workerThreads from "node:worker_threads";
import { describe, expect, test, vi } from "vitest";
import { call, f32, func, i32, if_, importMemory, Module, unreachable } from "wasmati";
import { InternalError, type Layer, layers, NDArray, optimizers, Sequential } from "../src/index.ts";
import { relu } from "../src/kernels/activations.ts";
import type { Op } from "../src/kernels/op.ts";
import { Machine } from "../src/runtime/machine.ts";
import { buildBarrier, CONTROL } from "../src/wasm/barrier.ts";
import { compiledNet, images } from "./helpers/models.ts";

/** What is trained with 2, 3 and 4 threads is what one gives. */
async function expectSameBits(trained: (threads: number) => Promise<unknown>): Promise<void> {
  const single = await trained(1);
  for (const threads of [2, 3, 4]) expect(await trained(threads)).toEqual(single);
}

describe("the same seed gives the same bits with 1, 2, 3 and 4 threads", () => {
  // 22 samples in batches of 11 and 7: neither is a multiple of 2, 3 or 4, and 7 leaves a last batch of one.
  const { x, y } = images(22);

  test.each([11, 7])("a small LeNet in batches of %i", async (batchSize) => {
    const trained = async (threads: number) => {
      const model = compiledNet();
      const history = await model.fit(x, y, { batchSize, epochs: 3, threads, validationData: [x, y] });
      return { history, weights: model.getWeights(), outputs: await model.predict(x, { threads }) };
    };
    await expectSameBits(trained);
  });

  test("layers that are not fused, momentum, and rounding after each operation", async () => {
    const trained = async (threads: number) => {
      const model = new Sequential(
        [
          layers.input({ shape: [6, 6, 1] }),
          layers.conv2d({ filters: 5, kernelSize: [3, 2], strides: [1, 2], padding: "same", activation: "tanh" }),
          layers.maxPooling2d({ poolSize: 3, strides: 1 }),
          layers.conv2d({ filters: 3, kernelSize: 1, activation: "sigmoid" }),
          layers.flatten(),
          layers.dense({ units: 3 }),
          layers.activation({ activation: "softmax" }),
        ],
        { seed: 2, strict: true },
      );
      const optimizer = optimizers.sgd({ learningRate: 0.1, momentum: 0.9, nesterov: true });
      model.compile({ loss: "categorical_crossentropy", optimizer });
      const history = await model.fit(x, y, { batchSize: 9, epochs: 2, threads });
      return { history, weights: model.getWeights() };
    };
    await expectSameBits(trained);
  });

  test("dense layers, small and large, whose rows are many pieces of work, with a last vector of one column", async () => {
    const trained = async (threads: number) => {
      const hidden = [300, 237].map((units) => layers.dense({ units, activation: "relu" }));
      const net = [layers.flatten(), ...hidden, layers.dense({ units: 3, activation: "softmax" })];
      const model = new Sequential([layers.input({ shape: [6, 6, 1] }), ...net], { seed: 3 });
      model.compile({ loss: "categorical_crossentropy", optimizer: optimizers.adam() });
      const history = await model.fit(x, y, { batchSize: 9, epochs: 2, threads });
      return { history, weights: model.getWeights() };
    };
    await expectSameBits(trained);
  });

  test("the number of threads may change between calls", async () => {
    const [steady, changing] = [compiledNet(), compiledNet()];
    for (const [step, threads] of [1, 3, 2, 4, 1].entries()) {
      const expected = await steady.trainOnBatch(x, y, { threads: 1 });
      expect(await changing.trainOnBatch(x, y, { threads }), `step ${step}`).toEqual(expected);
    }
    expect(changing.getWeights()).toEqual(steady.getWeights());
  });
});

/** A machine whose program passes a barrier, then traps on one of its threads, then passes another barrier. */
async function startFailing(threads: number, failing: number): Promise<Machine> {
  const memory = importMemory({ min: 1, max: 1, shared: true }, {} as WebAssembly.Memory);
  const barrier = buildBarrier();
  const program = (trapping: number) =>
    func({ in: [i32, i32, i32], out: [] }, ([thread, count]) => {
      call(barrier, [count]);
      i32.eq(thread, trapping);
      if_(null, () => unreachable());
      call(barrier, [count]);
    });
  const module = Module({ memory, exports: { good: program(-1), bad: program(failing) } }).toBytes();
  return Machine.create({ module, programs: ["good", "bad"], memoryBytes: 65_536, threads, control: CONTROL });
}

describe("a failure in a thread", () => {
  test.each([0, 1, 2])("of three, number %i: is thrown to the caller, and a new machine works", async (failing) => {
    const machine = await startFailing(3, failing);
    for (let i = 0; i < 3; i++) machine.run("good", 1);
    expect(machine.isUsable).toBe(true);
    expect(() => machine.run("bad", 1)).toThrow(
      new RegExp(`^thread ${failing} failed in bad: RuntimeError: unreachable`),
    );
    expect(machine.isUsable).toBe(false);
    // Nothing is computed by what has failed: it says so again.
    expect(() => machine.run("good", 1)).toThrow(`thread ${failing} failed in bad`);
    const next = await startFailing(3, failing);
    next.run("good", 1);
    next.close();
    expect(() => next.run("good", 1)).toThrow(/closed/);
  });

  test("that ended it, so that it cannot say so itself, is thrown by the next run", async () => {
    const started: workerThreads.Worker[] = [];
    const { Worker } = workerThreads;
    const start = vi.spyOn(workerThreads, "Worker").mockImplementation(function (
      this: unknown,
      file: URL,
      options: object,
    ) {
      started.push(new Worker(file, options));
      return started.at(-1);
    } as never);
    const machine = await startFailing(2, 1).finally(() => start.mockRestore());
    machine.run("good", 1);
    started[0]!.emit("error", new Error("gone"));
    expect(() => machine.run("good", 1)).toThrow(/^thread 1 failed in good/);
  });

  test("leaves other machines alone", async () => {
    const [broken, whole] = await Promise.all([startFailing(2, 1), startFailing(2, 1)]);
    expect(() => broken.run("bad", 1)).toThrow(/thread 1/);
    for (let i = 0; i < 10; i++) whole.run("good", 1);
    whole.close();
  });
});

/** Passes positive values on, but traps on thread 1 where the first value of the batch is above 100. */
const trap: Op<object> = {
  name: "trap",
  infer: () => [],
  // An op that gave nothing and changed nothing would be a mistake.
  changes: () => [0],
  reference: () => {},
  emit(e, _, [x]) {
    i32.and(i32.eq(e.thread, 1), f32.gt(f32.load({ offset: x!.address }, e.i32(0)), f32.const(100)));
    if_(null, () => unreachable());
  },
};
const fragile: Layer = {
  className: "Fragile",
  outputShape: (shape) => shape,
  weights: () => [],
  lower(graph, x) {
    graph.applyAll(trap, {}, x);
    return graph.apply(relu, {}, x);
  },
  getConfig: () => ({}),
  withTrainable: () => fragile,
};

describe("a failure in a thread, seen from a model", () => {
  const { x, y } = images(8);
  const broken = new NDArray(
    Float32Array.from(x.data, (value) => value + 1000),
    x.shape,
  );

  function fragileNet() {
    const dense = layers.dense({ units: 3, activation: "softmax" });
    const model = new Sequential([layers.input({ shape: [6, 6, 1] }), fragile, layers.flatten(), dense], { seed: 1 });
    model.compile({ loss: "categorical_crossentropy" });
    return model;
  }

  test("rejects the promise and keeps the weights; the model goes on", async () => {
    const [model, twin] = [fragileNet(), fragileNet()];
    const options = { threads: 2 };
    for (const net of [model, twin]) await net.fit(x, y, options);
    const before = model.getWeights();
    for (const name of ["fit", "predict", "evaluate"] as const) {
      const run = name === "predict" ? model.predict(broken, options) : model[name](broken, y, options);
      const failure = await run.catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(InternalError);
      expect(String(failure)).toMatch(
        /^InternalError: the engine failed: thread 1 failed in \w+: RuntimeError: unreachable/,
      );
    }
    expect(model.getWeights()).toEqual(before);
    expect(await model.fit(x, y, options)).toEqual(await twin.fit(x, y, options));
    expect(model.getWeights()).toEqual(twin.getWeights());
  });
});

describe("a process that closes nothing", () => {
  const library = new URL("../dist/index.js", import.meta.url);

  /** Runs a program on the built library; rejects if it does not end by itself. */
  async function run(code: string): Promise<string> {
    expect(existsSync(library), "dist is missing: npm run build").toBe(true);
    const program = `
      import { layers, NDArray, Sequential } from ${JSON.stringify(library.href)};
      const model = new Sequential([layers.input({ shape: [4] }), layers.dense({ units: 3, activation: "softmax" })]);
      model.compile({ loss: "sparse_categorical_crossentropy" });
      const x = new NDArray(Float32Array.from({ length: 40 }, (_, i) => i % 7), [10, 4]);
      const y = new NDArray(Int32Array.from({ length: 10 }, (_, i) => i % 3), [10]);
      ${code}`;
    const options = { timeout: 20_000, killSignal: "SIGKILL" } as const;
    return (await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], options)).stdout;
  }

  test("ends by itself after training with threads", async () => {
    expect(await run(`await model.fit(x, y, { threads: 2, epochs: 3 }); console.log("done");`)).toBe("done\n");
  });

  test("ends by itself after an error that was caught, and computes on", async () => {
    const code = `
      await model.fit(x, y, { threads: 3, callbacks: [{ onBatchEnd() { throw new Error("mine"); } }] })
        .catch(({ message }) => console.log(message));
      const { shape } = await model.predict(x, { threads: 2 });
      console.log(shape.join());`;
    expect(await run(code)).toBe("mine\n10,3\n");
  });

  test("ends by itself with many models on threads of their own", async () => {
    const code = `
      for (let i = 0; i < 8; i++) {
        const one = new Sequential([layers.input({ shape: [4] }), layers.dense({ units: 3 })]);
        await one.predict(x, { threads: 2 });
      }
      console.log("done");`;
    expect(await run(code)).toBe("done\n");
  });
});
