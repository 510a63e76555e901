/** Loads what check_cases.py saved again with Keras, and goes on as this library did before: node read_cases.mjs DIR */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadModel, NDArray } from "../dist/index.js";

const [directory] = process.argv.slice(2);

/** @returns the largest difference, which must be at most `tolerance` */
function close(name, expected, found, tolerance) {
  const worst = Math.max(...expected.map((value, i) => Math.abs(value - found[i])));
  if (!(worst <= tolerance)) throw new Error(`${name} differ by ${worst}, at most ${tolerance} is allowed`);
  return worst;
}

async function check(folder, file) {
  const expected = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8"));
  const x = new NDArray(Float32Array.from(expected.inputs), expected.shape);
  const y = new NDArray(Float32Array.from(expected.targets), expected.targetShape);
  const model = await loadModel(join(folder, file));
  const worst = [close("predictions", expected.predictions, (await model.predict(x)).data, 1e-5)];
  const losses = [];
  for (const _ of expected.continued) losses.push((await model.trainOnBatch(x.slice(8, 24), y.slice(8, 24))).loss);
  worst.push(close("losses of continued training", expected.continued, losses, 1e-3));
  return `predictions within ${worst[0].toExponential(1)}, continued within ${worst[1].toExponential(1)}`;
}

let [passed, failed] = [0, 0];
for (const name of readdirSync(directory)) {
  for (const file of ["back.h5", "back.keras"]) {
    try {
      console.log(`ok      ${name}/${file}: ${await check(join(directory, name), file)}`);
      passed++;
    } catch (error) {
      console.log(`FAILED  ${name}/${file}: ${error.message}`);
      failed++;
    }
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
