/** What the process tells its caller, and how errors become one line and one of these codes. */
import { UserError } from "../errors.ts";

export const EXIT_DONE = 0;
/** A defect of ours. */
const EXIT_DEFECT = 1;
/** The user's mistake. */
const EXIT_MISTAKE = 2;
/** Ended by Ctrl-C: 128 + SIGINT, as shells report it. */
export const EXIT_INTERRUPTED = 130;
/** Ended by SIGTERM. */
export const EXIT_TERMINATED = 143;

/** File-system refusals that the user can mend, in words. */
const SYSTEM_ERRORS: Record<string, string> = {
  ENOENT: "no such file or folder",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EROFS: "the file system is read-only",
  ENOSPC: "no space left on the disk",
  EDQUOT: "the disk quota is used up",
  EISDIR: "is a folder; expected a file",
  ENOTDIR: "part of the path is not a folder",
  EMFILE: "too many files are open",
  ENAMETOOLONG: "the name is too long",
};

function systemReason(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return SYSTEM_ERRORS[String(error.code)];
}

/** A file-system refusal as an error that the user can mend; any other error as it is. */
export function explainFileError(path: string, error: unknown): unknown {
  const reason = systemReason(error);
  return reason === undefined ? error : new UserError(`${path}: ${reason}.`, { cause: error });
}

/** The line for standard error (without its end) and the exit code that an error stands for. */
export function describeError(error: unknown): { line: string; exitCode: number } {
  const message = (error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, " ").trim();
  if (error instanceof UserError) return { line: `lenet: ${message}`, exitCode: EXIT_MISTAKE };
  const reason = systemReason(error);
  if (reason !== undefined) {
    const path = (error as { path?: unknown }).path;
    const where = typeof path === "string" ? `${path}: ` : "";
    return { line: `lenet: ${where}${reason}.`, exitCode: EXIT_MISTAKE };
  }
  const line = `lenet: a defect of lenet, please report it: ${message} (LENET_DEBUG=1 shows where).`;
  return { line, exitCode: EXIT_DEFECT };
}
