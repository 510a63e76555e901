/** Where a model's file comes from: a path, a URL or its bytes. */
import { badArgument } from "../arguments.ts";
import { UserError } from "../errors.ts";
import { readFile } from "../runtime/files.ts";

/** The bytes, and what messages call them. */
export async function openSource(where: string, source: unknown): Promise<{ where: string; bytes: Uint8Array }> {
  if (source instanceof Uint8Array) return { where, bytes: source };
  if (source instanceof ArrayBuffer) return { where, bytes: new Uint8Array(source) };
  if (typeof source === "string" || source instanceof URL) {
    return { where: String(source), bytes: await readFile(source) };
  }
  throw badArgument(where, "the source", "a path, a URL or the bytes of a file", source);
}

/** Runs a reader, whose errors say "it", and says which file it is. */
export async function explained<Result>(where: string, read: () => Promise<Result>): Promise<Result> {
  try {
    return await read();
  } catch (error) {
    throw error instanceof UserError ? new UserError(`${where}: ${error.message}`, { cause: error }) : error;
  }
}
