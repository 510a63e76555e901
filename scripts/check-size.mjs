/**
 * What a web page pays for this library, as a bundler packs it: the budget of a small program's own code, compressed, and
 * that layers which it does not use are left out.
 */
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import { layers } from "../dist/index.js";

/** Kilobytes of compressed code that a program loads which makes, trains and uses a model of two layers. */
const BUDGET = 80;
const used = ["input", "dense"];
const program = `
import { layers, NDArray, Sequential } from "./dist/index.js";
const model = new Sequential([layers.input({ shape: [4] }), layers.dense({ units: 2 })]);
model.compile({ loss: "mean_squared_error", optimizer: "adam" });
const x = new NDArray(new Float32Array(8), [2, 4]);
await model.fit(x, new NDArray(new Float32Array(4), [2, 2]));
console.log(await model.predict(x));`;

const bundle = await rolldown({
  input: "program",
  platform: "browser",
  external: [/^node:/],
  plugins: [
    {
      name: "program",
      resolveId: (id) => (id === "program" ? `${process.cwd()}/program.mjs` : undefined),
      load: (id) => (id.endsWith("/program.mjs") ? program : undefined),
    },
  ],
});
const { output } = await bundle.generate({ minify: true });
/** The entry and what `compile` and `fit` load later: all but the file formats and checkpoints. */
const loaded = output.filter(({ type, isEntry, moduleIds = [] }) => {
  return type === "chunk" && (isEntry || !moduleIds.some((id) => /dist.(formats|model.checkpoint)/.test(id)));
});
const code = loaded.map((chunk) => chunk.code).join("\n");
const kilobytes = gzipSync(code).length / 1000;
const found = Object.entries(layers)
  .filter(([name, { className }]) => !used.includes(name) && new RegExp(`["'\`]${className}["'\`]`).test(code))
  .map(([name]) => name);
console.log(`a small program's code: ${kilobytes.toFixed(1)} KB compressed, of at most ${BUDGET}`);
if (found.length > 0) console.log(`layers that it does not use, but carries: ${found.join(", ")}`);
process.exitCode = kilobytes > BUDGET || found.length > 0 ? 1 : 0;
