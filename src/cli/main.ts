#!/usr/bin/env node
/** The executable `lenet`. */
import { describeError } from "./exit-codes.ts";
import { runCommandLine } from "./program.ts";

// What cannot be printed must not cost the work: training goes on and is saved. A reader that has seen enough
// (`lenet train | head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE" || process.exitCode) return;
  const { line, exitCode } = describeError(error);
  process.exitCode = exitCode;
  process.stderr.write(`${line.replace("lenet: ", "lenet: standard output: ")}\n`);
});
// There is nobody left to tell.
process.stderr.on("error", () => {});

const exitCode = await runCommandLine(process.argv.slice(2));
process.exitCode ||= exitCode;
