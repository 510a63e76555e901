/** How a fuzzed call may end: with a result, or with the user's kind of error. */
import { UserError } from "../../src/index.ts";

/** A line for a terminal, not a dump of what was found. */
const LONGEST_MESSAGE = 600;

/** What is wrong with how a call ended; undefined where nothing is. */
export async function faultOf(run: () => unknown): Promise<string | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    if (!(error instanceof UserError)) return `${(error as Error).stack ?? error}`;
    const { message } = error;
    const isLine = !message.includes("\n") && message.length <= LONGEST_MESSAGE && /[.?]$/.test(message);
    return isLine ? undefined : `no short line: ${JSON.stringify(message).slice(0, 300)}`;
  }
}
