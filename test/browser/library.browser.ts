/** The library in the real Chromium: as the package has it for pages without a bundler, and as Vite packs it. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { build, createLogger } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as lenet from "../../src/index.ts";
import { launch } from "./chromium.ts";
import { type Site, serve } from "./serve.ts";
import { tasks } from "./tasks.js";

const root = process.cwd();
let browser: Browser;
const sites: Site[] = [];

beforeAll(async () => {
  browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  for (const site of sites) site.close();
});

/** A page of a folder's site, with or without the headers for threads; it must not complain. */
async function open(isolated: boolean, folder = root, pages?: Record<string, string>): Promise<Page> {
  const site = await serve(folder, { isolated, ...(pages && { pages }) });
  sites.push(site);
  const page = await browser.newPage();
  page.on("console", (message) => expect(message.type(), message.text()).not.toBe("error"));
  page.on("pageerror", (error) => expect.fail(String(error)));
  await page.goto(site.url);
  expect(await page.evaluate("crossOriginIsolated")).toBe(isolated);
  return page;
}

/** A worker that does a task: `{ task, options }` in, `{ result }` or `{ error }` out. */
const taskWorker = (library: string) => `
  import * as lenet from ${JSON.stringify(library)};
  import { tasks } from "/test/browser/tasks.js";
  addEventListener("message", ({ data: { task, options } }) => {
    const failed = (error) => postMessage({ error: String(error.stack) });
    tasks[task](lenet, options).then((result) => postMessage({ result }), failed);
  });`;
const INDEX = "<!doctype html><link rel=icon href=data:><title>lenet</title>";
const BLANK = { "/index.html": INDEX, "/task-worker.js": taskWorker("/dist/browser/lenet.js") };

// Text and not functions: what Vitest makes of functions does not run in a page.
const onMainThread = (page: Page, task: keyof typeof tasks, options: object = {}) =>
  page.evaluate(`(async () => {
    const [lenet, { tasks }] = await Promise.all([import("/dist/browser/lenet.js"), import("/test/browser/tasks.js")]);
    return tasks.${task}(lenet, ${JSON.stringify(options)});
  })()`);

const inWorker = (page: Page, task: keyof typeof tasks, options: object = {}) =>
  page.evaluate(`new Promise((resolve, reject) => {
    const worker = globalThis.startWorker?.() ?? new Worker("/task-worker.js", { type: "module" });
    worker.onmessage = ({ data }) => ("error" in data ? reject(new Error(data.error)) : resolve(data.result));
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.postMessage(${JSON.stringify({ task, options })});
  })`);

describe("fifty steps give Node's weights, bit for bit", () => {
  let expected: Awaited<ReturnType<typeof tasks.trainFiftySteps>>;
  beforeAll(async () => {
    expected = await tasks.trainFiftySteps(lenet);
    expect(expected.threads).toBe(2);
    expect(expected.loss!).toBeLessThan(1.5);
  });

  it("in a worker of a page that is isolated, on two threads", async () => {
    expect(await inWorker(await open(true, root, BLANK), "trainFiftySteps")).toEqual(expected);
  });

  it("in a worker of a page that is not, on one", async () => {
    expect(await inWorker(await open(false, root, BLANK), "trainFiftySteps")).toEqual({ ...expected, threads: 1 });
  });

  it("on a page's main thread, which must not wait for others: on one", async () => {
    expect(await onMainThread(await open(true, root, BLANK), "trainFiftySteps")).toEqual({ ...expected, threads: 1 });
  });

  it("packed by Vite, on two threads", async () => {
    expect(await inWorker(await open(true, await packedApp()), "trainFiftySteps")).toEqual(expected);
  });
});

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A program that imports the package in a worker, as Vite packs it; the packing must not complain. */
async function packedApp(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "lenet-vite-"));
  folders.push(folder);
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules", "lenet"));
  writeFileSync(join(folder, "task-worker.js"), taskWorker("lenet").replace("/test/browser/", "./"));
  copyFileSync(join(root, "test/browser/tasks.js"), join(folder, "tasks.js"));
  const start =
    'globalThis.startWorker = () => new Worker(new URL("./task-worker.js", import.meta.url), { type: "module" });';
  writeFileSync(join(folder, "main.js"), start);
  writeFileSync(join(folder, "index.html"), `${INDEX}<script type="module" src="./main.js"></script>`);
  const complaints: string[] = [];
  const complain = (message: string) => complaints.push(message);
  const logger = { ...createLogger(), info: () => {} };
  await build({
    root: folder,
    configFile: false,
    customLogger: { ...logger, warn: complain, warnOnce: complain, error: complain },
    worker: { format: "es" },
    build: { chunkSizeWarningLimit: 6000 },
  });
  expect(complaints).toEqual([]);
  return join(folder, "dist");
}

describe("files", () => {
  const golden = (file: string) => readFileSync(join(root, "test/golden/versions", file));
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");

  it.each(["h5", "keras"] as const)(
    "of Keras, .%s, predict as in Node, and what is saved loads in Node",
    async (format) => {
      const options = { file: base64(golden(`3.15.${format}`)), format };
      const expected = await tasks.useFile(lenet, options);
      const page = await open(true, root, BLANK);
      for (const run of [inWorker, onMainThread]) {
        const found = (await run(page, "useFile", options)) as typeof expected;
        expect(found.outputs).toEqual(expected.outputs);
        expect((await tasks.useFile(lenet, { file: found.saved, format })).outputs).toEqual(expected.outputs);
      }
    },
  );

  it("that are damaged or that a browser does not have end in one line", async () => {
    const damaged = golden("3.15.h5").subarray(0, 9000);
    const messages = await inWorker(await open(true, root, BLANK), "makeMistakes", { file: base64(damaged) });
    const noFiles = "a browser has no files and folders";
    expect(messages).toEqual([
      "loadModel: the file is cut off: it has 9000 bytes of 67624.",
      expect.stringContaining(noFiles),
      expect.stringContaining(noFiles),
      expect.stringContaining(noFiles),
      expect.stringContaining("mnist"),
    ]);
  });
});
