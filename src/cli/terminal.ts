/** What standard output is. */

/** Whether it is a terminal on which one can draw. */
export function isTerminal(): boolean {
  return process.stdout.isTTY === true && process.env.TERM !== "dumb";
}

/** Whether colours are wanted. https://no-color.org */
export function hasColour(): boolean {
  const { NO_COLOR } = process.env;
  return isTerminal() && (NO_COLOR === undefined || NO_COLOR === "");
}
