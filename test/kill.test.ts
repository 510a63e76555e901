/**
 * Runs that are killed at random moments, while they train and while they save: whatever remains, they go on to the same
 * bits as a run that nobody disturbed, and nothing torn is taken or left. A hundred kills: `KILLS=100`; others:
 * `KILL_SEED=2`.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadModel } from "../src/index.ts";
import { generator } from "../src/random.ts";
import { runLenet, startLenet, writeSmallMnist } from "./helpers/command.ts";

const KILLS = Number(process.env.KILLS ?? 3);
const random = generator(Number(process.env.KILL_SEED ?? 1));
const TRAIN = "train --data small --epochs 2 --batch-size 8 --json";

let folder: string;
const at = (...names: string[]) => join(folder, ...names);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lenet-kill-"));
  mkdirSync(at("small"));
  writeSmallMnist(at("small"), 96, 20);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const filesIn = (name: string) => (existsSync(at(name)) ? readdirSync(at(name)) : []);
/** Not the file by which is tried whether the folder can be written. */
const isTemporary = (name: string) => name.endsWith(".tmp") && !name.startsWith("checkpoint-probe");
const temporaries = () => [...filesIn("run"), ...filesIn(".")].filter(isTemporary);

/** Waits until a run saves, for the first time or a later one. */
async function untilItSaves(hasEnded: () => boolean): Promise<void> {
  const seen = new Set<string>();
  for (let saves = 1 + random.integer(8); !hasEnded(); await pause(1)) {
    const news = temporaries().filter((name) => !seen.has(name));
    for (const name of news) seen.add(name);
    saves -= news.length;
    if (news.length > 0 && saves <= 0) return;
  }
}

/** Kills a run some time after its start, or while it saves. False: it had ended before. */
async function killOnce(command: string, longest: number): Promise<boolean> {
  const whileSaving = random.integer(2) === 1;
  const delay = random.uniform() * longest;
  const run = startLenet(command.split(" "), folder);
  let ended = false;
  void run.done.then(() => {
    ended = true;
  });
  if (whileSaving) await untilItSaves(() => ended);
  else await Promise.race([pause(delay), run.done]);
  run.child.kill("SIGKILL");
  const { exitCode, stderr } = await run.done;
  expect(stderr).not.toContain("skipped");
  return exitCode === null;
}

test(`killed ${KILLS} times`, { timeout: 60_000 + KILLS * 40_000 }, async () => {
  const begun = performance.now();
  expect((await runLenet(`${TRAIN} --out whole.h5 --threads 1`.split(" "), folder)).exitCode).toBe(0);
  // Those that are gone on with end earlier.
  const longest = 1.5 * (performance.now() - begun);
  const command = `${TRAIN} --out killed.h5 --checkpoint run --every 1 --resume`;
  const count = { kills: 0, saving: 0, goneOn: 0 };
  const finish = async () => {
    expect((await runLenet(command.split(" "), folder)).exitCode).toBe(0);
    expect(readFileSync(at("killed.h5")).equals(readFileSync(at("whole.h5")))).toBe(true);
    expect(filesIn("run")).toEqual(["checkpoint-00000023.h5", "checkpoint-00000024.h5"]);
    expect(readdirSync(folder).sort()).toEqual(["killed.h5", "run", "small", "whole.h5"]);
    for (const name of ["run", "killed.h5"]) rmSync(at(name), { recursive: true });
  };
  while (count.kills < KILLS) {
    if (!(await killOnce(command, longest))) {
      await finish();
      continue;
    }
    count.kills++;
    if (temporaries().length > 0) count.saving++;
    const checkpoints = filesIn("run").filter((name) => name.endsWith(".h5"));
    if (checkpoints.length > 0) count.goneOn++;
    // At most the newest, the one before, and the one that was to be removed.
    expect(checkpoints.length).toBeLessThanOrEqual(3);
    for (const name of checkpoints) await loadModel(at("run", name));
  }
  await finish();
  console.log(`killed ${count.kills}: ${count.saving} while saving, ${count.goneOn} with a checkpoint to go on from`);
});
