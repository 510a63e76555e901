/** Files, in Node. Browsers have none: there a model comes and goes as bytes. */
import { UserError } from "../errors.ts";
import { isNode } from "./host.ts";

/** Reasons by the system's codes, in words. */
const reasons: Record<string, string> = {
  ENOENT: "there is no such file or folder",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of the path is not a folder",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file is larger than is allowed",
  EIO: "the disk fails",
  EMFILE: "too many files are open",
  ENAMETOOLONG: "the name is too long",
};

function explain(action: string, path: string | URL, error: unknown): UserError {
  const { code = "", message } = error as NodeJS.ErrnoException;
  return new UserError(`cannot ${action} ${path}: ${reasons[code] ?? message}.`, { cause: error });
}

/** Node's modules are asked for and not imported: bundlers for browsers would look for them. */
function fileSystem() {
  if (isNode) return process.getBuiltinModule("node:fs/promises");
  throw new UserError(
    "a browser has no files and folders; pass a file's bytes to read it, take `toBytes()` to save a model.",
  );
}

/** Bytes that Node reads at once are fewer. */
const LARGEST_READ = 2 ** 31;

/** @throws UserError where the file cannot be read. */
export async function readFile(path: string | URL): Promise<Uint8Array> {
  const fs = fileSystem();
  try {
    const handle = await fs.open(path);
    try {
      const { size } = await handle.stat();
      // A pipe has no size, and Node says what is too large.
      if (size === 0 || size >= LARGEST_READ) return await handle.readFile();
      // At once, in three quarters of the time that Node's own takes.
      const bytes = new Uint8Array(size);
      const { bytesRead } = await handle.read(bytes);
      return bytesRead === size ? bytes : await fs.readFile(path);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw explain("read", path, error);
  }
}

/** What ends the names of files that are not whole yet: whose process writes them, and a number of its own. */
const TEMPORARY = /^(.+)\.(\d+)-[0-9a-f]{8}\.tmp$/s;

/** Those that this process is writing. */
const beingWritten = new Set<string>();

/** Systems that cannot bring a folder to disk say so by these. */
const NO_FOLDER_SYNC = ["EINVAL", "EPERM", "EACCES", "EISDIR", "ENOTSUP"];

/**
 * Writes a file beside its place and moves it there when it is whole and on disk; waits until the move is on disk too.
 * What an earlier save left that was broken off, by a power failure or a kill, is removed.
 *
 * @throws UserError where it cannot be written; an existing file then is as it was, and nothing is left behind.
 */
export async function writeFileAtomic(target: string | URL, bytes: Uint8Array): Promise<void> {
  const fs = fileSystem();
  const { rmSync, writeFileSync } = process.getBuiltinModule("node:fs");
  const path = target instanceof URL ? process.getBuiltinModule("node:url").fileURLToPath(target) : target;
  // A name of its own for each call: two saves at the same time must not write into one file.
  const { basename, resolve } = process.getBuiltinModule("node:path");
  const temporary = resolve(`${path}.${process.pid}-${crypto.randomUUID().slice(0, 8)}.tmp`);
  const removeAtExit = () => rmSync(temporary, { force: true });
  process.on("exit", removeAtExit);
  beingWritten.add(temporary);
  try {
    // Made here and now: what another thread makes may come after the removal.
    writeFileSync(temporary, "", { flag: "wx" });
    await writeToDisk(temporary, bytes);
    await fs.rename(temporary, path);
    const folder = folderOf(path);
    await syncFolder(folder);
    const name = basename(path);
    await removeAbandoned(folder, (target) => target === name);
  } catch (error) {
    await fs.rm(temporary, { force: true }).catch(() => {});
    throw explain("write", path, error);
  } finally {
    beingWritten.delete(temporary);
    process.off("exit", removeAtExit);
  }
}

async function writeToDisk(path: string, bytes: Uint8Array): Promise<void> {
  const fs = fileSystem();
  const file = await fs.open(path, "r+");
  try {
    // As much in one call as the system takes: `writeFile` waits for the event loop every half megabyte.
    for (let written = 0; written < bytes.length; ) {
      written += (await file.write(bytes, written)).bytesWritten;
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const fs = fileSystem();
  try {
    const folder = await fs.open(path, "r");
    await folder.sync().finally(() => folder.close());
  } catch (error) {
    if (!NO_FOLDER_SYNC.includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

/** Removes what saves to some names in a folder left whose processes are gone. */
export async function removeAbandoned(folder: string, isTarget: (name: string) => boolean): Promise<void> {
  const fs = fileSystem();
  const { resolve } = process.getBuiltinModule("node:path");
  const entries = await fs.readdir(folder).catch(() => []);
  for (const entry of entries) {
    const [, target, owner] = TEMPORARY.exec(entry) ?? [];
    if (target === undefined || !isTarget(target)) continue;
    const path = resolve(folder, entry);
    if (!isWriting(Number(owner), path)) await fs.rm(path, { force: true }).catch(() => {});
  }
}

function isWriting(owner: number, path: string): boolean {
  if (owner === process.pid) return beingWritten.has(path);
  try {
    process.kill(owner, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** Adds text to the end of a file, or begins it anew. @throws UserError where it cannot be written. */
export async function appendText(path: string, text: string, { anew = false } = {}): Promise<void> {
  const fs = fileSystem();
  await fs.writeFile(path, text, { flag: anew ? "w" : "a" }).catch((error: unknown) => {
    throw explain("write", path, error);
  });
}

/** Cuts a file that is longer than so many bytes. @throws UserError where it cannot be written. */
export async function truncateFile(path: string, bytes: number): Promise<void> {
  const fs = fileSystem();
  if ((await fileSize(path)) <= bytes) return;
  await fs.truncate(path, bytes).catch((error: unknown) => {
    throw explain("write", path, error);
  });
}

/** Removes a file where there is one. @throws UserError where it cannot be removed. */
export async function removeFile(path: string): Promise<void> {
  const fs = fileSystem();
  await fs.rm(path, { force: true }).catch((error: unknown) => {
    throw explain("remove", path, error);
  });
}

/** The path of a file in a folder. */
export function pathIn(folder: string, name: string): string {
  const { join } = process.getBuiltinModule("node:path");
  return join(folder, name);
}

/** The CRC-32 sum of bytes, one array after another. */
export function crc32Of(arrays: Iterable<ArrayBufferView>): number {
  const { crc32 } = process.getBuiltinModule("node:zlib");
  let sum = 0;
  for (const { buffer, byteOffset, byteLength } of arrays) {
    sum = crc32(new Uint8Array(buffer, byteOffset, byteLength), sum);
  }
  return sum;
}

/** The length of a file in bytes; 0 where there is none. */
export async function fileSize(path: string): Promise<number> {
  const fs = fileSystem();
  return fs.stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

/** The folder that a path lies in. */
export function folderOf(path: string): string {
  const { dirname } = process.getBuiltinModule("node:path");
  return dirname(path);
}

/** A folder inside an installed package. Rejects where the package is not installed. */
export async function packageFolder(name: string, folder: string): Promise<string> {
  const { createRequire } = process.getBuiltinModule("node:module");
  const { dirname, join } = process.getBuiltinModule("node:path");
  return join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), folder);
}

/** The SHA-256 sum, in hexadecimal. */
export async function sha256Of(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The folder in which Keras keeps the data sets that it has downloaded: `datasets` in `$KERAS_HOME` or in `~/.keras`.
 * Undefined in a browser.
 */
export function datasetsFolder(): string | undefined {
  if (!isNode) return undefined;
  const { homedir } = process.getBuiltinModule("node:os");
  const { join } = process.getBuiltinModule("node:path");
  const home = process.env.KERAS_HOME ?? join("~", ".keras");
  return join(home.replace(/^~(?=[/\\]|$)/, homedir()), "datasets");
}

/** The first of these files that there is. @throws UserError where it cannot be read. */
export async function readFirst(paths: readonly string[]): Promise<{ path: string; bytes: Uint8Array } | undefined> {
  for (const path of paths) {
    try {
      return { path, bytes: await readFile(path) };
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return undefined;
}

function isMissing(error: unknown): boolean {
  const code = ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code;
  return code === "ENOENT" || code === "ENOTDIR";
}

/** Makes a folder, with those that it lies in, unless it is there. @throws UserError where it cannot be made. */
export async function makeFolder(path: string): Promise<void> {
  const fs = fileSystem();
  await fs.mkdir(path, { recursive: true }).catch((error: unknown) => {
    throw explain("make folder", path, error);
  });
}

export interface FolderEntry {
  readonly name: string;
  /** A link counts as what it leads to. */
  readonly isFolder: boolean;
  readonly isLink: boolean;
}

/** What is in a folder, sorted by name. @throws UserError where it cannot be read. */
export async function listFolder(path: string): Promise<FolderEntry[]> {
  const fs = fileSystem();
  const { join } = process.getBuiltinModule("node:path");
  try {
    const entries = await fs.readdir(path, { withFileTypes: true });
    const listed = entries.map(async (entry) => {
      const isLink = entry.isSymbolicLink();
      const isFolder = isLink ? await leadsToFolder(join(path, entry.name)) : entry.isDirectory();
      return { name: entry.name, isFolder, isLink };
    });
    return (await Promise.all(listed)).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    throw explain("read folder", path, error);
  }
}

async function leadsToFolder(path: string): Promise<boolean> {
  const fs = fileSystem();
  return fs.stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}
