/**
 * Times our library against the peers, in turn, on the same cores and data, and writes results.json.
 *
 *   npm run bench -- [--setup] [--only SECTION,…] [--rounds 5] [--steps 12] [--python PYTHON] [--peers NAME,…]
 *
 * Sections: see `sections` below. See README.md for how each figure is taken.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { drawCharts } from "./charts.mjs";
import { availablePeers, here, setUp } from "./contenders.mjs";
import { writeTable } from "./report.mjs";
import { sections } from "./sections.mjs";

const { values } = parseArgs({
  options: {
    setup: { type: "boolean", default: false },
    only: { type: "string" },
    rounds: { type: "string", default: "5" },
    steps: { type: "string", default: "12" },
    python: { type: "string" },
    peers: { type: "string" },
  },
});
if (values.setup) setUp();

const python = values.python ?? fileURLToPath(new URL(".venv/bin/python", here));
const peers = availablePeers(python, values.peers?.split(","));
const wanted = values.only?.split(",") ?? Object.keys(sections);
const unknown = wanted.filter((name) => !(name in sections));
if (unknown.length) throw new Error(`unknown sections ${unknown}; there are ${Object.keys(sections)}`);

const path = new URL("results.json", here);
const results = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : { sections: {} };
results.machine = { cpu: cpus()[0].model.trim(), cores: cpus().length, node: process.version };
results.versions = peers.versions;
for (const name of wanted) {
  console.log(`\n${name}`);
  const found = await sections[name]({
    python,
    peers,
    rounds: Number(values.rounds),
    steps: Number(values.steps),
  });
  results.sections[name] = { date: new Date().toISOString().slice(0, 10), ...found };
  writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`);
}
drawCharts(results);
writeTable(results);
execFileSync("npx", ["biome", "format", "--write", fileURLToPath(path)], { stdio: "ignore" });
