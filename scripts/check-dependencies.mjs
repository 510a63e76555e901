/**
 * What is installed with this package and to develop it: nothing runs at install, licences are those that anybody may
 * use, the lock file names no registry, and the README gives the reason of each runtime dependency.
 */
import { existsSync, readFileSync } from "node:fs";

const root = new URL("../", import.meta.url);
const read = (path) => readFileSync(new URL(path, root), "utf8");
const { packages } = JSON.parse(read("package-lock.json"));
const { dependencies } = JSON.parse(read("package.json"));

/** Of those with "OR" one is enough. */
const ALLOWED = [
  ...["MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "0BSD", "CC0-1.0", "BlueOak-1.0.0", "Unlicense"],
  ...["Python-2.0", "MIT-0", "CC-BY-4.0"],
];
/** Used to build and test, in none of what is published. */
const ALLOWED_FOR_DEVELOPMENT = [...ALLOWED, "MPL-2.0"];

/** Undefined for a package for other systems, of which only the lock file's line is there. */
function licenceOf(path, { license, optional }) {
  if (license) return license;
  if (optional && !existsSync(new URL(path, root))) return undefined;
  return JSON.parse(read(`${path}/package.json`)).license ?? "none";
}

/** Licences in words of their own that were read: NIST's, which asks for its notice, and HDF5's, of the BSD kind. */
const READ = { "node_modules/h5wasm": "SEE LICENSE IN LICENSE.txt" };

const faults = [];
const found = new Map();
for (const [path, entry] of Object.entries(packages)) {
  if (path === "") continue;
  const licence = licenceOf(path, entry);
  const allowed = entry.dev ? ALLOWED_FOR_DEVELOPMENT : ALLOWED;
  const isAllowed =
    licence === undefined ||
    licence === READ[path] ||
    licence
      .replaceAll(/[()]/g, "")
      .split(" OR ")
      .some((name) => allowed.includes(name));
  if (!isAllowed) faults.push(`${path}: its licence is ${licence}`);
  if (entry.hasInstallScript) faults.push(`${path}: it runs a script at install`);
  if (entry.resolved) faults.push(`${path}: the lock file names its registry`);
  const kind = `${licence ?? "for another system"}${entry.dev ? ", to develop" : ""}`;
  found.set(kind, (found.get(kind) ?? 0) + 1);
}
const readme = read("README.md");
for (const name of Object.keys(dependencies)) {
  if (!new RegExp(`^\\| \`${name}\` +\\| \\S`, "m").test(readme)) faults.push(`README.md: no reason for ${name}`);
}
for (const [kind, count] of [...found].sort()) console.log(`${String(count).padStart(4)}  ${kind}`);
for (const fault of faults) console.log(`FAULT ${fault}`);
process.exitCode = faults.length > 0 ? 1 : 0;
