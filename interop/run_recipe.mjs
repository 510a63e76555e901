/** The recipe in this Node, for verify.mjs: node run_recipe.mjs FOLDER OUT EPOCHS STEPS */
import { readFileSync, writeFileSync } from "node:fs";
import * as lenet from "../dist/index.js";
import { runRecipe } from "./recipe.js";

const [folder, out, epochs, steps] = process.argv.slice(2);
const read = (name) => Uint8Array.from(readFileSync(`${folder}/${name}`));
const { file, ...found } = await runRecipe(lenet, {
  sets: await lenet.datasets.mnist.loadData(),
  start: read("start.h5"),
  final: read("final.h5"),
  gradients: new Float32Array(read("gradients.bin").buffer),
  epochs: Number(epochs),
  steps: Number(steps),
});
writeFileSync(`${out}.h5`, file);
writeFileSync(`${out}.json`, JSON.stringify(found));
