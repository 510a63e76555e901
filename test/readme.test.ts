/** The README's library examples run as they stand, only shorter. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runExample } from "./helpers/examples.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const examples = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code as string);

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lenet-readme-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (index: number) =>
  runExample((examples[index] as string).replace("epochs: 10", "epochs: 1, stepsPerEpoch: 3"), folder);

test("there are two", () => expect(examples).toHaveLength(2));

test("training, saving, and then loading what was saved", async () => {
  expect(examples[0]).toContain("epochs: 10");
  expect(await run(0)).toMatch(/loss: \d.*accuracy: 0\.\d/s);
  expect(await run(1)).toContain("[ 5, 10 ]");
});
