#!/usr/bin/env node
/** The executable `lenet`. */
import { EXIT_DONE } from "./exit-codes.ts";
import { runCommandLine } from "./program.ts";

// A reader that has seen enough (`lenet train | head`) is no error: end quietly.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(EXIT_DONE);
  throw error;
});

process.exitCode = await runCommandLine(process.argv.slice(2));
