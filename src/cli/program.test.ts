import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { InternalError, UserError } from "../errors.ts";
import type { TrainOptions } from "./options.ts";
import { type Commands, runCommandLine } from "./program.ts";

const calls: unknown[][] = [];
const record =
  (command: string) =>
  async (...args: unknown[]) => {
    calls.push([command, ...args]);
    return 0;
  };
const commands: Commands = {
  train: record("train"),
  evaluate: record("evaluate"),
  predict: record("predict"),
  summary: record("summary"),
  web: record("web"),
};
let written = { out: "", err: "" };

beforeEach(() => {
  calls.length = 0;
  written = { out: "", err: "" };
  const capture = (stream: "out" | "err") => (text: string | Uint8Array) => {
    written[stream] += String(text);
    return true;
  };
  vi.spyOn(process.stdout, "write").mockImplementation(capture("out"));
  vi.spyOn(process.stderr, "write").mockImplementation(capture("err"));
});
afterEach(() => vi.restoreAllMocks());

const run = (line: string) => runCommandLine(line.split(" ").filter(Boolean), commands);

describe("what is understood", () => {
  test("train without options is the recipe", async () => {
    expect(await run("train")).toBe(0);
    const recipe = { epochs: 10, batchSize: 128, seed: 1, data: "mnist", shuffle: true, out: "mnist_LeNet.h5" };
    expect(calls).toEqual([["train", recipe]]);
  });

  test("every option of train", async () => {
    const line =
      "train --epochs 3 --batch-size 64 --learning-rate 1e-2 --optimizer sgd --seed 0 --threads 2 --data dir --input-shape 8x9x3 " +
      "--conv2-padding valid --model a.h5 --steps-per-epoch 20 --no-shuffle --out b.h5 --log c.csv --report d.html --json";
    const expected: TrainOptions = {
      epochs: 3,
      batchSize: 64,
      learningRate: 0.01,
      optimizer: "sgd",
      seed: 0,
      threads: 2,
      data: "dir",
      inputShape: [8, 9, 3],
      conv2Padding: "valid",
      model: "a.h5",
      stepsPerEpoch: 20,
      shuffle: false,
      out: "b.h5",
      log: "c.csv",
      report: "d.html",
      json: true,
    };
    expect(await run(line)).toBe(0);
    expect(calls).toEqual([["train", expected]]);
  });

  test("the other commands", async () => {
    expect(await run("evaluate m.h5 --data dir --report r.html --json")).toBe(0);
    expect(await run("predict m.h5 a.png b.jpg --json")).toBe(0);
    expect(await run("predict m.h5 a.png --show")).toBe(0);
    expect(await run("summary m.h5")).toBe(0);
    expect(await run("web")).toBe(0);
    expect(await run("web m.h5 --port 9000")).toBe(0);
    expect(calls).toEqual([
      ["evaluate", "m.h5", { data: "dir", report: "r.html", json: true }],
      ["predict", "m.h5", ["a.png", "b.jpg"], { json: true }],
      ["predict", "m.h5", ["a.png"], { show: true }],
      ["summary", "m.h5"],
      ["web", undefined, {}],
      ["web", "m.h5", { port: 9000 }],
    ]);
  });

  test.each(["--help", "train --help", "help train", "--version"])(
    "%s goes to standard output, exit 0",
    async (line) => {
      expect(await run(line)).toBe(0);
      expect(written.out).not.toBe("");
      expect(written.err).toBe("");
      expect(calls).toEqual([]);
    },
  );
});

describe("what is refused: exit 2, one line", () => {
  test.each([
    ["", "expected a command"],
    ["trian", "(did you mean train?)"],
    ["train --epoch 3", "(did you mean --epochs?)"],
    ["train --frobnicate", "unknown option '--frobnicate'"],
    ["train now", "too many arguments"],
    ["train --epochs", "argument missing"],
    ["train --epochs --json", 'received "--json"'],
    ["train --epochs 0", "--epochs: expected a whole number from 1"],
    ["train --epochs -1", 'received "-1"'],
    ["train --epochs 1.5", 'received "1.5"'],
    ["train --epochs 12abc", 'received "12abc"'],
    ["train --epochs 1e3", 'received "1e3"'],
    ["train --epochs=", 'received ""'],
    ["train --batch-size 99999999999999999999", "--batch-size: expected"],
    ["train --batch-size 8193", "--batch-size: expected a whole number from 1 to 8192"],
    ["train --steps-per-epoch NaN", "--steps-per-epoch: expected"],
    ["train --threads 0", "--threads: expected a whole number from 1 to 64"],
    ["train --seed 0x10", 'received "0x10"'],
    ["train --seed 4294967296", "--seed: expected a whole number from 0 to 4294967295"],
    ["train --learning-rate 0", "--learning-rate: expected a number above 0"],
    ["train --learning-rate 1e999", 'received "1e999"'],
    ["train --learning-rate 1e-999", 'received "1e-999"'],
    ["train --learning-rate -0.1", 'received "-0.1"'],
    ["train --learning-rate 0,1", 'received "0,1"'],
    ["train --optimizer lion", "expected adam, adamw, sgd, rmsprop or adadelta"],
    ["train --conv2-padding full", "expected same or valid"],
    ["evaluate", "missing required argument 'model'"],
    ["evaluate a b", "too many arguments"],
    ["predict m.h5", "missing required argument 'image'"],
    ["summary", "missing required argument 'model'"],
    ["web --port 0", "--port: expected a whole number from 1 to 65535"],
    ["web --port 65536", 'received "65536"'],
    ["web a b", "too many arguments"],
  ])("lenet %s", async (line, message) => {
    expect(await run(line)).toBe(2);
    expect(written.err).toContain(message);
    expect(written.err).toMatch(/^lenet: [^\n]+\n$/);
    expect(written.out).toBe("");
    expect(calls).toEqual([]);
  });
});

describe("how errors end", () => {
  const failing = (error: unknown) => ({ ...commands, summary: async () => Promise.reject(error) });
  const runFailing = (error: unknown) => runCommandLine(["summary", "m.h5"], failing(error));

  test("the user's mistake: 2", async () => {
    expect(await runFailing(new UserError("m.h5: no\n  model."))).toBe(2);
    expect(written.err).toBe("lenet: m.h5: no model.\n");
  });

  test("a refusal of the file system: 2", async () => {
    const error = Object.assign(new Error("ENOSPC: no space, write"), { code: "ENOSPC", path: "a.h5" });
    expect(await runFailing(error)).toBe(2);
    expect(written.err).toBe("lenet: a.h5: no space left on the disk.\n");
  });

  test.each([new InternalError("trap"), new TypeError("x is undefined"), "a string"])("a defect: 1", async (error) => {
    expect(await runFailing(error)).toBe(1);
    expect(written.err).toMatch(/^lenet: a defect of lenet, please report it: [^\n]*\n$/);
  });

  test("the command's own code", async () => {
    expect(await runCommandLine(["train"], { ...commands, train: async () => 130 })).toBe(130);
  });
});
