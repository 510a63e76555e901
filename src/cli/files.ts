/** Files that a command reads and writes: what is wrong with them is said before any work is done. */
import { closeSync, existsSync, openSync, readdirSync, realpathSync, statSync, unlinkSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, extname, join, resolve } from "node:path";
import { UserError } from "../errors.ts";
import type { Sequential } from "../index.ts";
import { explainFileError } from "./exit-codes.ts";

function isFolder(path: string): boolean | undefined {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory();
}

/**
 * Checks that a file can be written: its folder is there and takes new files, and its name is not that of a folder. An
 * existing file is not touched.
 *
 * @throws UserError otherwise, naming `option`.
 */
export function checkWritable(option: string, path: string): void {
  const folder = dirname(resolve(path));
  let folderExists: boolean | undefined;
  try {
    folderExists = isFolder(folder);
    if (isFolder(resolve(path))) throw new UserError(`${option}: ${path} is a folder; expected the name of a file.`);
  } catch (error) {
    throw explainFileError(`${option}: ${path}`, error);
  }
  if (folderExists === undefined) throw new UserError(`${option}: folder ${folder} does not exist; create it first.`);
  if (!folderExists) throw new UserError(`${option}: ${folder} is not a folder; expected a folder to write in.`);
  // Permissions do not tell everything (read-only mounts, the superuser), so try.
  const probe = join(folder, `.${basename(path)}.${process.pid}.probe`);
  try {
    closeSync(openSync(probe, "wx"));
    unlinkSync(probe);
  } catch (error) {
    throw explainFileError(`${option}: cannot write in folder ${folder}`, error);
  }
}

/** Whether two paths lead to one file, by whatever links; a file that is not there yet is its name in its folder. */
function isSameFile(one: string, other: string): boolean {
  const [first, second] = [one, other].map((path) => statSync(path, { throwIfNoEntry: false }));
  if (first && second) return first.dev === second.dev && first.ino === second.ino;
  const place = (path: string) => join(realpathSync(dirname(resolve(path))), basename(path));
  return !first && !second && place(one) === place(other);
}

/** A file that a command needs, and what for: "the model that --model reads". */
export type Use = readonly [path: string, use: string];

/**
 * Checks a file that a command writes beside its main work: it is written over what has its name, so this must not be
 * anything else that the command needs, by whatever links.
 *
 * @param kind what the file is: "log", "report"
 * @throws UserError otherwise, or where it cannot be written
 */
export function checkSideFile(option: string, path: string, kind: string, uses: readonly Use[]): void {
  checkWritable(option, path);
  for (const [other, use] of uses) {
    if (isSameFile(path, other)) {
      throw new UserError(`${option}: ${path} is also ${use}; give the ${kind} another name.`);
    }
  }
}

/** The files behind `--data` as a user names them: a file, or the IDX files in a folder. */
export function dataUses(data: string): Use[] {
  if (!existsSync(data)) return [];
  if (!statSync(data).isDirectory()) return [[data, "the file that --data reads"]];
  const files = readdirSync(data).filter((name) => name.includes("-idx"));
  return files.map((name) => [join(data, name), `the file ${name} that --data reads`]);
}

/** Checks that a report can be written. @throws UserError otherwise. */
export function checkReport(path: string, uses: readonly Use[]): void {
  if (![".html", ".htm"].includes(extname(path).toLowerCase())) {
    throw new UserError(`--report: expected a file name that ends in .html, received "${path}".`);
  }
  checkSideFile("--report", path, "report", uses);
}

/** Checks that a model can be saved under a name. @throws UserError otherwise. */
export function checkModelName(option: string, path: string): void {
  if (![".keras", ".h5", ".hdf5"].includes(extname(path).toLowerCase()) || /\.weights\.h5$/i.test(path)) {
    throw new UserError(`${option}: expected a file name that ends in .h5 or .keras, received "${path}".`);
  }
  checkWritable(option, path);
}

/** The bytes of a file. @throws UserError, naming it, when it cannot be read. */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw explainFileError(path, error);
  }
}

/**
 * Saves a model or, where it cannot be written any more, saves it in a new folder for temporary files: hours may be in it.
 *
 * @throws UserError where its place cannot be written, with the other where there is one
 */
export async function saveModel(model: Sequential, path: string): Promise<void> {
  try {
    await model.save(path);
  } catch (error) {
    const rescued = error instanceof UserError ? await saveElsewhere(model, basename(path)) : undefined;
    if (rescued === undefined) throw error;
    throw new UserError(`${(error as Error).message.replace(/\.$/, "")}; the model is in ${rescued}.`, {
      cause: error,
    });
  }
}

async function saveElsewhere(model: Sequential, name: string): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), "lenet-")).catch(() => undefined);
  if (folder === undefined) return undefined;
  const path = join(folder, name);
  return model.save(path).then(
    () => path,
    () => rm(folder, { recursive: true, force: true }).then(() => undefined),
  );
}
