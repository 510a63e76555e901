/** `lenet train --checkpoint` and signals, as a process. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runLenet, startLenet, writeSmallMnist } from "./helpers/command.ts";

let folder: string;
const at = (...names: string[]) => join(folder, ...names);
const lenet = (line: string) => runLenet(line.split(" "), folder);
const TRAIN = "train --data small --epochs 3 --batch-size 32 --json";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lenet-checkpoints-"));
  mkdirSync(at("small"));
  writeSmallMnist(at("small"), 320, 50);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Sends a signal when the first checkpoint is there. */
async function breakOff(line: string, signal: NodeJS.Signals, checkpoints: string) {
  const run = startLenet(line.split(" "), folder);
  const isThere = () =>
    existsSync(at(checkpoints)) && readdirSync(at(checkpoints)).some((name) => name.endsWith(".h5"));
  while (!isThere()) await new Promise((resolve) => setTimeout(resolve, 5));
  run.child.kill(signal);
  return run.done;
}

/** What is printed, without times. */
const linesOf = (stdout: string) =>
  stdout
    .trimEnd()
    .split("\n")
    .map((line) => {
      const { seconds, ms_per_step, ...rest } = JSON.parse(line) as Record<string, unknown>;
      return rest;
    });

test("broken off and gone on with: the same numbers, log and file as never interrupted", async () => {
  const whole = await lenet(`${TRAIN} --out whole.h5 --log whole.csv`);
  const command = `${TRAIN} --out mine.h5 --log mine.csv --checkpoint run --every 4`;
  writeFileSync(at("mine.h5"), "a finished model");
  const broken = await breakOff(`${command} --threads 1`, "SIGTERM", "run");
  expect(broken.exitCode).toBe(143);
  expect(broken.stderr).toMatch(/^lenet: interrupted; [^\n]*\n$/);
  expect(linesOf(broken.stdout).at(-1)).toEqual({ saved: "run" });
  expect(readFileSync(at("mine.h5"), "utf8")).toBe("a finished model");

  for (const [options, message] of [
    ["", "run holds the checkpoints of a run; add --resume"],
    ["--resume --batch-size 16", "made with batchSize 32, this run has 16"],
  ] as const) {
    const refused = await lenet(`${command} ${options}`.trim());
    expect(refused).toMatchObject({ exitCode: 2, stdout: "" });
    expect(refused.stderr).toMatch(/^lenet: [^\n]+\n$/);
    expect(refused.stderr).toContain(message);
  }

  const resumed = await lenet(`${command} --resume --threads 2`);
  expect(resumed).toMatchObject({ exitCode: 0, stderr: "" });
  const lines = linesOf(whole.stdout).map((line) => ("saved" in line ? { ...line, saved: "mine.h5" } : line));
  expect(lines.slice(-linesOf(resumed.stdout).length)).toEqual(linesOf(resumed.stdout));
  expect(readFileSync(at("mine.csv"), "utf8")).toBe(readFileSync(at("whole.csv"), "utf8"));
  expect(readFileSync(at("mine.h5")).equals(readFileSync(at("whole.h5")))).toBe(true);
  expect(readdirSync(at("run"))).toEqual(["checkpoint-00000028.h5", "checkpoint-00000030.h5"]);
});

test("a run that goes on keeps its learning rate, and says so where another is given", async () => {
  const command = `${TRAIN} --epochs 2 --steps-per-epoch 2 --out rate.h5 --checkpoint rate --every 1`;
  expect(await lenet(command)).toMatchObject({ exitCode: 0, stderr: "" });
  const before = readFileSync(at("rate.h5"));
  const longer = command.replace("--epochs 2", "--epochs 3");
  const other = await lenet(`${longer} --resume --learning-rate 0.5`);
  expect(other).toMatchObject({
    exitCode: 0,
    stderr: "lenet: --learning-rate: the run goes on with its own of 0.001; 0.5 is not used.\n",
  });
  expect(readFileSync(at("rate.h5")).equals(before)).toBe(false);
  expect(await lenet(`${longer} --resume --learning-rate 0.001`)).toMatchObject({ exitCode: 0, stderr: "" });
});

test("a run that goes on only to end is scored by the weights that it saves", async () => {
  const command = `${TRAIN} --steps-per-epoch 3 --out score.h5 --checkpoint score --every 2`;
  expect(await lenet(`${command} --epochs 2`)).toMatchObject({ exitCode: 0 });
  // What is left is of the second epoch's first step.
  rmSync(at("score/checkpoint-00000006.h5"));
  expect(readdirSync(at("score"))).toEqual(["checkpoint-00000004.h5"]);
  const ended = await lenet(`${command} --epochs 1 --resume`);
  const evaluated = await lenet("evaluate score.h5 --data small --json");
  const { test_loss, test_accuracy } = JSON.parse(evaluated.stdout) as Record<string, number>;
  // By other batches, so that losses are added up in another order.
  const close = expect.closeTo(test_loss!, 5);
  expect(linesOf(ended.stdout).at(-1)).toEqual({ test_loss: close, test_accuracy, saved: "score.h5" });
});

test("--resume without checkpoints begins, and says so", async () => {
  const outcome = await lenet(`${TRAIN} --epochs 1 --steps-per-epoch 2 --checkpoint new --resume --out new.h5`);
  expect(outcome).toMatchObject({
    exitCode: 0,
    stderr: "lenet: --resume: there are no checkpoints in new; training begins.\n",
  });
  expect(readdirSync(at("new"))).toEqual(["checkpoint-00000002.h5"]);
});

test("options that do not fit, and folders that are none, are refused", async () => {
  writeFileSync(at("file"), "");
  for (const [options, message] of [
    ["--every 5", "--every: expected --checkpoint DIR too"],
    ["--resume", "--resume: expected --checkpoint DIR too"],
    ["--checkpoint file", "--checkpoint: "],
    ["--checkpoint no/such", "does not exist"],
  ] as const) {
    const outcome = await lenet(`${TRAIN} ${options}`);
    expect(outcome).toMatchObject({ exitCode: 2, stdout: "" });
    expect(outcome.stderr).toMatch(/^lenet: [^\n]+\n$/);
    expect(outcome.stderr).toContain(message);
  }
});

test("a folder that vanishes is said, and the model is saved all the same", async () => {
  const run = startLenet(`${TRAIN} --epochs 40 --checkpoint gone --every 5 --out kept.h5`.split(" "), folder);
  await run.until("stdout", '"epoch":2');
  rmSync(at("gone"), { recursive: true });
  await run.until("stderr", "goes on");
  run.child.kill("SIGTERM");
  const { exitCode, stdout, stderr } = await run.done;
  expect(stderr).toMatch(/^lenet: --checkpoint: cannot write [^\n]*no such file[^\n]*; training goes on[^\n]*\n/);
  expect(linesOf(stdout).at(-1)).toEqual({ saved: "kept.h5" });
  expect(exitCode).toBe(143);
});

test("SIGTERM saves and ends with 143; a second one ends at once and leaves nothing behind", async () => {
  const run = startLenet(`${TRAIN} --epochs 1000 --out second.h5`.split(" "), folder);
  await run.until("stdout", '"epoch":1');
  run.child.kill("SIGTERM");
  await run.until("stderr", "interrupted");
  run.child.kill("SIGTERM");
  expect((await run.done).exitCode).toBe(143);
  expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});
