/** Runs TypeScript examples as they stand, on the built package, with any Node. */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import ts from "typescript";

const library = new URL("../../dist/index.js", import.meta.url).href;

/** Runs an example in a folder; returns what it printed. */
export async function runExample(code: string, folder: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  const { outputText } = ts.transpileModule(code, { compilerOptions });
  const file = join(folder, "example.mjs");
  writeFileSync(file, outputText.replace('from "lenet"', `from ${JSON.stringify(library)}`));
  const run = promisify(execFile)(process.execPath, [file], { cwd: folder, env: { ...process.env, ...env } });
  return (await run).stdout;
}
