/** What is measured, section by section. Each returns plain data for results.json. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as lenet from "../dist/index.js";
import { here, mnist, ours, runPython, script, startPeer } from "./contenders.mjs";
import { build, networks } from "./networks.mjs";

const work = fileURLToPath(new URL(".work/", here));
const cli = fileURLToPath(new URL("../dist/cli/main.js", here));
const OURS = "lenet";

export const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const round = (value, digits = 3) => Number(value.toFixed(digits));
/** Ratios may be very small. */
const roundRatio = (value) => Number(value.toPrecision(3));
const say = (...parts) => console.log("  ", ...parts);

/**
 * Epochs after which a step is timed: most of the change is in the first. The mean over ten epochs is the area under
 * straight lines between them, which lies above the curve.
 */
const STAGES = [0, 0.1, 0.5, 1, 2, 4, 10];

function meanOverTraining(times, stages) {
  if (stages.length === 1) return times[0];
  let area = 0;
  for (let i = 1; i < stages.length; i++) area += ((times[i] + times[i - 1]) / 2) * (stages[i] - stages[i - 1]);
  return area / (stages.at(-1) - stages[0]);
}

/** Files of the network as it is after so many epochs; trained where they are missing. */
async function stageFiles(network, stages) {
  mkdirSync(work, { recursive: true });
  const paths = stages.map((epochs) => join(work, `${network}-${epochs}.h5`));
  if (paths.every((path) => existsSync(path))) return paths;
  say(`training ${network} for ${stages.at(-1)} epochs, to time its stages`);
  const [[images, labels]] = await lenet.datasets.mnist.loadData();
  const x = images.reshape([-1, 28, 28, 1]).divide(255);
  const y = lenet.toCategorical(labels);
  const model = build(lenet, networks[network], { seed: 1 });
  let steps = 0;
  for (const [i, epochs] of stages.entries()) {
    const target = Math.round(epochs * 469);
    while (steps < target) {
      const count = Math.min(469, target - steps);
      await model.fit(x, y, { batchSize: 128, epochs: 1, stepsPerEpoch: count, seed: steps });
      steps += count;
    }
    await model.save(paths[i]);
  }
  return paths;
}

/** The training step of a network, ours at its stages and on one thread, and the peers'. */
function trainingStep(network, { stages = STAGES, peerNames } = {}) {
  return async ({ python, peers, rounds, steps }) => {
    const files = await stageFiles(network, stages);
    const task = { task: "step", network };
    const names = peers.python.filter((name) => !peerNames || peerNames.includes(name));
    const two = await ours({ ...task, stages: files });
    const one = await ours({ ...task, stages: files, threads: 1 });
    const others = new Map();
    for (const name of names) others.set(name, await startPeer(python, name, task));
    for (const contender of others.values()) await contender.run(steps);
    for (const contender of [two, one]) for (const stage of stages.keys()) await contender.run(steps, stage);
    const rows = [];
    for (let r = 0; r < rounds; r++) {
      const row = { [OURS]: [], "one thread": [] };
      for (const name of names) row[name] = [];
      for (const stage of stages.keys()) {
        row[OURS].push(median(await two.run(steps, stage)));
        for (const [name, contender] of others) row[name].push(median(await contender.run(steps)));
        row["one thread"].push(median(await one.run(steps, stage)));
      }
      rows.push(row);
      say(`round ${r + 1}:`, ...Object.entries(row).map(([name, times]) => `${name} ${round(median(times), 1)}`));
    }
    for (const contender of [two, one, ...others.values()]) contender.stop();
    const mean = (row, name) =>
      [OURS, "one thread"].includes(name) ? meanOverTraining(row[name], stages) : median(row[name]);
    const summary = (name) => round(median(rows.map((row) => mean(row, name))));
    const ratio = (name, other) => roundRatio(median(rows.map((row) => mean(row, name) / mean(row, other))));
    return {
      unit: "ms",
      stages,
      median: Object.fromEntries([OURS, "one thread", ...names].map((name) => [name, summary(name)])),
      ratios: Object.fromEntries(names.map((name) => [name, ratio(OURS, name)])),
      twoThreadsOverOne: ratio("one thread", OURS),
      byStage: stages.map((epochs, i) => ({
        epochs,
        [OURS]: round(median(rows.map((row) => row[OURS][i]))),
        "one thread": round(median(rows.map((row) => row["one thread"][i]))),
      })),
      rounds: rows,
    };
  };
}

/** Calls of `predict`: our one model against each peer. */
function prediction(task, { counts, peerTasks }) {
  return async ({ python, peers, rounds }) => {
    const [file] = await stageFiles("same", [1]);
    const contenders = new Map([[OURS, await ours({ task, network: "same", stages: [file] })]]);
    for (const name of peers.python) {
      for (const [suffix, peerTask] of Object.entries(peerTasks(name))) {
        contenders.set(name + suffix, await startPeer(python, name, { task: peerTask, network: "same" }));
      }
    }
    const countOf = (name) => (name === OURS ? counts[0] : counts[1]);
    for (const [name, contender] of contenders) await contender.run(countOf(name));
    const rows = [];
    for (let r = 0; r < rounds; r++) {
      const row = {};
      for (const [name, contender] of contenders) row[name] = median(await contender.run(countOf(name)));
      rows.push(row);
      say(`round ${r + 1}:`, ...Object.entries(row).map(([name, time]) => `${name} ${round(time)}`));
    }
    for (const contender of contenders.values()) contender.stop();
    return summarize("ms", rows);
  };
}

function summarize(unit, rows) {
  const names = Object.keys(rows[0]);
  return {
    unit,
    median: Object.fromEntries(names.map((name) => [name, round(median(rows.map((row) => row[name])))])),
    ratios: Object.fromEntries(
      names
        .filter((name) => name !== OURS)
        .map((name) => [name, roundRatio(median(rows.map((row) => row[OURS] / row[name])))]),
    ),
    rounds: rows,
  };
}

/** Runs a process to its end: seconds, peak resident megabytes and its exit code. */
async function wholeProcess(child) {
  const began = performance.now();
  let peak = 0;
  const watch = setInterval(() => {
    try {
      const [, kilobytes] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"));
      peak = Math.max(peak, kilobytes / 1024);
    } catch {}
  }, 50);
  child.stdout?.resume();
  const code = await new Promise((resolve) => child.on("close", resolve));
  clearInterval(watch);
  if (code !== 0) throw new Error(`${child.spawnargs.join(" ")} ended with ${code}`);
  return { seconds: (performance.now() - began) / 1000, megabytes: peak };
}

const node = (...args) => spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"] });

/** Rounds of the whole recipe are no more: each takes minutes. */
const MOST_RECIPES = 3;

async function recipe({ python, peers, rounds }) {
  mkdirSync(work, { recursive: true });
  const names = peers.python.filter((peer) => peer === "Keras (TensorFlow)");
  const config = { task: "recipe", threads: 2, epochs: 10, data: mnist, definition: networks.same };
  const settings = JSON.stringify({ ...config, out: join(work, "recipe-keras.h5") });
  const env = { KERAS_BACKEND: "tensorflow" };
  const rows = [];
  for (let r = 0; r < Math.min(rounds, MOST_RECIPES); r++) {
    const row = { [OURS]: await wholeProcess(node(cli, "train", "--out", join(work, "recipe.h5"))) };
    for (const name of names)
      row[name] = await wholeProcess(runPython(python, [script("keras_peer.py"), settings], env));
    say(row);
    rows.push(row);
  }
  const pick = (key) =>
    rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, run]) => [name, run[key]])));
  return { ...summarize("s", pick("seconds")), memory: summarize("MB", pick("megabytes")) };
}

async function cold({ python, peers, rounds }) {
  const [model] = await stageFiles("same", [1]);
  const { encode } = await import("fast-png");
  const digit = readFileSync(join(mnist, "t10k-images-idx3-ubyte")).subarray(16, 16 + 784);
  const [png, raw] = [join(work, "digit.png"), join(work, "digit.raw")];
  writeFileSync(png, encode({ width: 28, height: 28, channels: 1, data: new Uint8Array(digit) }));
  writeFileSync(raw, digit);
  const names = peers.python.filter((peer) => ["Keras (TensorFlow)", "Keras (JAX)"].includes(peer));
  const rows = [];
  for (let r = 0; r < rounds + 1; r++) {
    const row = { [OURS]: (await wholeProcess(node(cli, "predict", model, png))).seconds };
    for (const name of names) {
      const env = { KERAS_BACKEND: name.includes("JAX") ? "jax" : "tensorflow" };
      row[name] = (await wholeProcess(runPython(python, [script("cold_keras.py"), model, raw], env))).seconds;
    }
    say(row);
    // The first round fills the operating system's file cache.
    if (r > 0) rows.push(row);
  }
  return summarize("s", rows);
}

/** Libraries for JavaScript that can train it: one step of 128 samples each, for a step takes them minutes. */
async function javascript({ python, peers }) {
  const [file] = await stageFiles("same", [1]);
  const own = await ours({ task: "step", network: "same", stages: [file] });
  await own.run(20, 0);
  const row = { [OURS]: median(await own.run(20, 0)) };
  own.stop();
  for (const name of peers.javascript) {
    const peer = await startPeer(python, name, { task: "step", network: "same" });
    // The first step compiles.
    row[name] = Math.min(...(await peer.run(2)));
    peer.stop();
    say(name, row[name]);
  }
  return summarize("ms", [row]);
}

/** Megabytes on disk of a production install, and of the Python packages. */
async function size({ python, peers }) {
  const du = async (...paths) => {
    const child = spawn("du", ["-sck", ...paths], { stdio: ["ignore", "pipe", "ignore"] });
    let text = "";
    for await (const chunk of child.stdout) text += chunk;
    return Number(/(\d+)\s+total/.exec(text)[1]) / 1024;
  };
  const folder = join(work, "installed");
  mkdirSync(folder, { recursive: true });
  const run = (command, ...args) => wholeProcess(spawn(command, args, { cwd: folder, stdio: "ignore" }));
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  await run("npm", "pack", "--silent", fileURLToPath(new URL("../", here)), "--pack-destination", folder);
  const { version } = JSON.parse(readFileSync(new URL("../package.json", here), "utf8"));
  await run("npm", "install", "--no-audit", "--no-fund", `./lenet-${version}.tgz`);
  const row = { [OURS]: await du(join(folder, "node_modules")) };
  const packages = fileURLToPath(new URL("lib/", `file://${python.replace(/bin\/[^/]*$/, "")}`));
  const sites = ["python3.14", "python3.13", "python3.12", "python3.11", "python3.10"];
  const site = sites.map((name) => join(packages, name, "site-packages")).find((path) => existsSync(path));
  const folders = { PyTorch: "torch", "Keras (TensorFlow)": "tensorflow", "Keras (JAX)": "jaxlib" };
  for (const name of peers.python.filter((peer) => peer in folders)) {
    const path = site && join(site, folders[name]);
    if (path && statSync(path, { throwIfNoEntry: false })) row[name] = await du(path);
  }
  say(row);
  return summarize("MB", [row]);
}

export const sections = {
  same: trainingStep("same"),
  valid: trainingStep("valid"),
  convnet: trainingStep("convnet", { stages: [0, 1], peerNames: ["PyTorch", "Keras (TensorFlow)"] }),
  strided: trainingStep("strided", { stages: [0], peerNames: ["PyTorch", "Keras (TensorFlow)"] }),
  normalized: trainingStep("normalized", { stages: [0], peerNames: ["PyTorch", "Keras (TensorFlow)"] }),
  tanh: trainingStep("tanh", { stages: [0], peerNames: ["PyTorch", "Keras (TensorFlow)"] }),
  one: prediction("one", {
    counts: [300, 100],
    peerTasks: (name) => (name === "PyTorch" ? { "": "one" } : { " predict": "one", " function": "direct" }),
  }),
  many: prediction("many", { counts: [2, 1], peerTasks: () => ({ "": "many" }) }),
  cold,
  recipe,
  size,
  javascript,
};
