/** Files, in Node. Browsers have none: there a model comes and goes as bytes. */
import { UserError } from "../errors.ts";

/** Reasons by the system's codes, in words. */
const reasons: Record<string, string> = {
  ENOENT: "there is no such file or folder",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of the path is not a folder",
  ENOSPC: "the disk is full",
};

function explain(action: string, path: string | URL, error: unknown): UserError {
  const { code = "", message } = error as NodeJS.ErrnoException;
  return new UserError(`cannot ${action} ${path}: ${reasons[code] ?? message}.`, { cause: error });
}

/** @throws UserError where the file cannot be read. */
export async function readFile(path: string | URL): Promise<Uint8Array> {
  const fs = await import("node:fs/promises");
  try {
    return await fs.readFile(path);
  } catch (error) {
    throw explain("read", path, error);
  }
}

/**
 * Writes a file beside its place and moves it there when it is whole and on disk.
 *
 * @throws UserError where it cannot be written; an existing file then is as it was, and nothing is left behind.
 */
export async function writeFileAtomic(target: string | URL, bytes: Uint8Array): Promise<void> {
  const fs = await import("node:fs/promises");
  const path = target instanceof URL ? (await import("node:url")).fileURLToPath(target) : target;
  // A name of its own for each call: two saves at the same time must not write into one file.
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    const file = await fs.open(temporary, "wx");
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await fs.rename(temporary, path);
  } catch (error) {
    await fs.rm(temporary, { force: true }).catch(() => {});
    throw explain("write", path, error);
  }
}

/** A folder inside an installed package. Rejects where the package is not installed. */
export async function packageFolder(name: string, folder: string): Promise<string> {
  const { createRequire } = await import("node:module");
  const { dirname, join } = await import("node:path");
  return join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), folder);
}

/** The MD5 sum, in hexadecimal. */
export async function md5Of(bytes: Uint8Array): Promise<string> {
  const { createHash } = await import("node:crypto");
  return createHash("md5").update(bytes).digest("hex");
}
