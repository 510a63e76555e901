/** What users get, as npm packs it: publint on its contents, "Are the types wrong?" on its types. Wants a build. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

/** The package is of ES modules alone, for Node 20.19 and bundlers. */
const RESOLUTIONS = ["node16-esm", "bundler"];

const folder = mkdtempSync(join(tmpdir(), "lenet-package-"));
const faults = [];
try {
  const options = { encoding: "utf8", maxBuffer: 2 ** 26 };
  const packed = execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], options);
  const [{ filename, files, size }] = JSON.parse(packed);
  const tarball = readFileSync(join(folder, filename));
  console.log(`${files.length} files, ${(size / 1024).toFixed(0)} KiB packed`);
  const { messages, pkg } = await publint({ pack: { tarball: Uint8Array.from(tarball).buffer }, strict: true });
  for (const message of messages) faults.push(`publint: ${formatMessage(message, pkg, { color: false })}`);
  const { problems } = await checkPackage(createPackageFromTarballData(tarball));
  for (const problem of problems) {
    const isOurs = problem.resolutionKind === undefined || RESOLUTIONS.includes(problem.resolutionKind);
    if (isOurs) faults.push(`types: ${JSON.stringify(problem)}`);
  }
  const strange = files.filter(
    ({ path }) => !/^(dist\/|package\.json$|LICENSE$|README\.md$|CHANGELOG\.md$)/.test(path),
  );
  for (const { path } of strange) faults.push(`${path} is not meant to be published`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
for (const fault of faults) console.log(`FAULT ${fault}`);
process.exitCode = faults.length > 0 ? 1 : 0;
