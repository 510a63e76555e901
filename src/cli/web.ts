/** `lenet web [MODEL]`: the page, on this machine. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../errors.ts";
import { loadClassifier } from "./classifier.ts";
import { readBytes } from "./files.ts";
import { watchInterrupt } from "./interrupt.ts";
import type { WebOptions } from "./options.ts";
import { createSite, listen } from "./static-server.ts";

/** Where the build puts the page, beside the command line. */
const PAGE = fileURLToPath(new URL("../web", import.meta.url));
const USUAL_PORT = 8000;
/** Under this name the page finds the model that it is to open. */
const MODEL = "model.h5";

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;

/** Listens on the port that was asked for; else on the usual one or, where that is taken, on any. */
async function listenOn(server: ReturnType<typeof createSite>, port: number | undefined): Promise<number> {
  try {
    return await listen(server, port ?? USUAL_PORT);
  } catch (error) {
    const code = codeOf(error);
    if (port === undefined && code === "EADDRINUSE") return await listen(server, 0);
    const reasons: Record<string, string> = { EADDRINUSE: "is in use", EACCES: "may not be used by you" };
    const reason = reasons[code ?? ""];
    if (reason === undefined) throw error;
    throw new UserError(`--port: ${port ?? USUAL_PORT} ${reason}; choose another, or leave --port out.`);
  }
}

/**
 * Serves the page until Ctrl-C; returns the exit code.
 *
 * @param modelPath a model that the page opens, in place of its own
 * @throws UserError where the page is not built, the model is none that it can open, or the port cannot be had.
 */
export async function web(modelPath: string | undefined, { port }: WebOptions): Promise<number> {
  if (!existsSync(join(PAGE, "index.html"))) {
    throw new UserError(`web: the page is not there: expected it in ${PAGE}; in a clone, \`npm run web\` builds it.`);
  }
  if (modelPath !== undefined) await loadClassifier(modelPath);
  const server = createSite(PAGE, modelPath === undefined ? [] : [[`/${MODEL}`, await readBytes(modelPath)]]);
  const address = `http://127.0.0.1:${await listenOn(server, port)}/`;
  const interrupted = new Promise<number>((resolve) => {
    const interrupt = watchInterrupt(() => {
      interrupt.release();
      resolve(interrupt.exitCode!);
    });
  });
  const opened = modelPath === undefined ? address : `${address}?model=${MODEL}`;
  process.stdout.write(`The page is at ${opened} until Ctrl-C.\n`);
  const exitCode = await interrupted;
  server.close();
  server.closeAllConnections();
  return exitCode;
}
