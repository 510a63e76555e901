/** The README's library examples run as they stand, only shorter. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import ts from "typescript";
import { afterAll, beforeAll, expect, test } from "vitest";

const library = new URL("../dist/index.js", import.meta.url).href;
const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const examples = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code as string);

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lenet-readme-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function runExample(index: number): Promise<string> {
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  const code = ts
    .transpileModule(examples[index] as string, { compilerOptions })
    .outputText.replace('from "lenet"', `from ${JSON.stringify(library)}`)
    .replace("epochs: 10", "epochs: 1, stepsPerEpoch: 3");
  const file = join(folder, `example-${index}.mjs`);
  writeFileSync(file, code);
  return (await promisify(execFile)(process.execPath, [file], { cwd: folder })).stdout;
}

test("there are two", () => expect(examples).toHaveLength(2));

test("training, saving, and then loading what was saved", async () => {
  expect(examples[0]).toContain("epochs: 10");
  expect(await runExample(0)).toMatch(/loss: \d.*accuracy: 0\.\d/s);
  expect(await runExample(1)).toContain("[ 5, 10 ]");
});
