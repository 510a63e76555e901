/** `lenet web` as a process, in a copy of the package with a page of its own. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { layers, Sequential } from "../src/index.ts";
import { expectMistake, type Running, startLenet } from "./helpers/command.ts";

const root = process.cwd();
let folder: string;
let main: string;
const at = (...names: string[]) => join(folder, ...names);
const start = (line: string) => startLenet(line.split(" "), folder, { main });

function model(outputs: number): Sequential {
  return new Sequential([
    layers.input({ shape: [28, 28, 1] }),
    layers.flatten(),
    layers.dense({ units: outputs, activation: "softmax" }),
  ]);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lenet-web-"));
  mkdirSync(at("package", "dist"), { recursive: true });
  cpSync(join(root, "dist/cli"), at("package", "dist", "cli"), { recursive: true });
  cpSync(join(root, "package.json"), at("package", "package.json"));
  symlinkSync(join(root, "node_modules"), at("package", "node_modules"));
  main = at("package", "dist", "cli", "main.js");
  await model(10).save(at("digits.h5"));
  await model(10).save(at("digits.keras"));
  await model(3).save(at("three.h5"));
  writeFileSync(at("notes.h5"), "not a model");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const page = () => at("package", "dist", "web");
function makePage(): void {
  mkdirSync(join(page(), "data"), { recursive: true });
  writeFileSync(join(page(), "index.html"), "<h1>the page</h1>");
  writeFileSync(join(page(), "model.h5"), "the page's own");
}

async function addressOf(run: Running): Promise<string> {
  let text = "";
  run.child.stdout!.on("data", (data) => {
    text += data;
  });
  await run.until("stdout", "until Ctrl-C.");
  return /^The page is at (http:\/\/127\.0\.0\.1:\d+\/\S*) until Ctrl-C\.\n$/.exec(text)![1]!;
}

test("without a page that is built: one line", async () => {
  expectMistake(await start("web").done, "the page is not there", page(), "npm run web");
});

test("serves the page with what threads need, until Ctrl-C; another copy takes another port", async () => {
  makePage();
  const runs = [start("web"), start("web")];
  const addresses = await Promise.all(runs.map(addressOf));
  expect(new Set(addresses).size).toBe(2);
  for (const address of addresses) {
    const response = await fetch(address);
    expect(await response.text()).toBe("<h1>the page</h1>");
    expect(response.headers.get("Cross-Origin-Embedder-Policy")).toBe("require-corp");
    expect(await (await fetch(new URL("model.h5", address))).text()).toBe("the page's own");
  }
  // The connections above are kept alive: they must not keep the process.
  runs[0]!.child.kill("SIGINT");
  runs[1]!.child.kill("SIGTERM");
  const outcomes = await Promise.all(runs.map((run) => run.done));
  expect(outcomes.map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual([
    [130, ""],
    [143, ""],
  ]);
  await expect(fetch(addresses[0]!)).rejects.toThrow();
});

test.each(["digits.h5", "digits.keras"])("with %s: the page finds it as model.h5", async (name) => {
  makePage();
  const run = start(`web ${name}`);
  const address = new URL(await addressOf(run));
  expect(address.searchParams.get("model")).toBe("model.h5");
  const served = await fetch(new URL("model.h5", address));
  expect(Buffer.from(await served.arrayBuffer()).equals(readFileSync(at(name)))).toBe(true);
  run.child.kill("SIGINT");
  expect((await run.done).exitCode).toBe(130);
});

test("a model that the page cannot open, a port that is taken: one line", async () => {
  makePage();
  expectMistake(await start("web absent.h5").done, "absent.h5");
  expectMistake(await start("web notes.h5").done, "notes.h5");
  expectMistake(await start("web three.h5").done, "three.h5", "gives 10 values", "gives 3");
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as AddressInfo;
  expectMistake(await start(`web --port ${port}`).done, `--port: ${port} is in use; choose another`);
  other.close();
});
