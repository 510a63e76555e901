import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { UserError } from "../errors.ts";
import { readFile, writeFileAtomic } from "./files.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lenet-files-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("saves at the same time leave one whole file and nothing beside it", async () => {
  const path = join(folder, "model.h5");
  const contents = Array.from({ length: 8 }, (_, i) => new Uint8Array(200_000 + i).fill(i));
  await Promise.all(contents.map((bytes) => writeFileAtomic(path, bytes)));
  expect(readdirSync(folder)).toEqual(["model.h5"]);
  const found = await readFile(path);
  expect(found).toHaveLength(200_000 + found[0]!);
  expect(found.every((byte) => byte === found[0])).toBe(true);
});

test("a write that fails leaves what was there, nothing else, and says why", async () => {
  const taken = join(folder, "taken");
  mkdirSync(taken);
  writeFileSync(join(taken, "inside"), "kept");
  const cases = [
    [taken, `cannot write ${taken}: it is a folder.`],
    [
      join(folder, "no", "model.h5"),
      `cannot write ${join(folder, "no", "model.h5")}: there is no such file or folder.`,
    ],
    [join(taken, "inside", "x"), `cannot write ${join(taken, "inside", "x")}: a part of the path is not a folder.`],
  ] as const;
  for (const [path, message] of cases) {
    await expect(writeFileAtomic(path, new Uint8Array(9))).rejects.toEqual(new UserError(message));
  }
  expect(readdirSync(folder)).toEqual(["taken"]);
  expect(readdirSync(taken)).toEqual(["inside"]);
  expect(readFileSync(join(taken, "inside"), "utf8")).toBe("kept");
});

test("what saves that were broken off have left goes with the next save; what others are writing stays", async () => {
  const path = join(folder, "model.h5");
  const { pid: gone } = spawnSync(process.execPath, ["--version"]);
  const abandoned = [`model.h5.${gone}-0123abcd.tmp`, `model.h5.${process.pid}-0123abcd.tmp`];
  const others = [`model.h5.${process.ppid}-0123abcd.tmp`, `other.h5.${gone}-0123abcd.tmp`, "model.h5.tmp"];
  for (const name of [...abandoned, ...others]) writeFileSync(join(folder, name), "part");
  await writeFileAtomic(path, new Uint8Array(9));
  expect(readdirSync(folder).sort()).toEqual([...others, "model.h5"].sort());
});

test("a file that cannot be read is named", async () => {
  const missing = join(folder, "missing.h5");
  await expect(readFile(missing)).rejects.toEqual(
    new UserError(`cannot read ${missing}: there is no such file or folder.`),
  );
  await expect(readFile(folder)).rejects.toEqual(new UserError(`cannot read ${folder}: it is a folder.`));
});
