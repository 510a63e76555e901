/** Files of data sets that are downloaded once, into the folder where Keras looks for them too. */
import { UserError } from "../errors.ts";
import { datasetsFolder, makeFolder, readFirst, sha256Of, writeFileAtomic } from "../runtime/files.ts";

export interface RemoteFile {
  readonly url: string;
  readonly sha256: string;
  /** Names under which it may lie in the folder; it is saved under the first. */
  readonly names: readonly string[];
}

export interface RemoteSet {
  /** How messages call the data set. */
  readonly title: string;
  /** Its folder within Keras's `datasets`; empty for that itself. */
  readonly folder: string;
  readonly files: readonly RemoteFile[];
}

export interface DownloadOptions {
  /** Ends a download. */
  readonly signal?: AbortSignal;
  /** Called before each download. */
  readonly onDownload?: (url: string) => void;
}

/** The bytes of a file, and how messages call it. */
export interface FileContent {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** A place in Keras's folder; undefined in a browser. */
export async function cachePlace(...names: readonly string[]): Promise<string | undefined> {
  const folder = datasetsFolder();
  return folder && [folder, ...names.filter(Boolean)].join("/");
}

const baseName = (url: string) => url.slice(url.lastIndexOf("/") + 1);

/** What to do where there is no network: all that the set needs, at once. */
function byHand({ files }: RemoteSet, folder: string | undefined): string {
  if (folder === undefined) return "the server must allow this page to read it (CORS), or serve the data yourself";
  const { url } = files[0]!;
  const names = files.map((file) => baseName(file.url)).join(", ");
  return `without a network, put ${names} of ${url.slice(0, url.lastIndexOf("/") + 1)} into the folder ${folder}`;
}

async function download(set: RemoteSet, file: RemoteFile, folder: string | undefined, options: DownloadOptions) {
  const { signal, onDownload } = options;
  const { title } = set;
  onDownload?.(file.url);
  let bytes: Uint8Array;
  try {
    const response = await fetch(file.url, signal ? { signal } : {});
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    const { message, cause } = error as Error;
    const reason = cause instanceof Error && cause.message ? cause.message : message;
    throw new UserError(`${title}: cannot download ${file.url} (${reason}); ${byHand(set, folder)}.`, { cause: error });
  }
  const found = await sha256Of(bytes);
  if (found !== file.sha256) {
    throw new UserError(`${title}: ${file.url} has SHA-256 ${found}, expected ${file.sha256}; ${byHand(set, folder)}.`);
  }
  return bytes;
}

/**
 * The file from Keras's folder, or downloaded, checked against its checksum and saved there. In a browser it is
 * downloaded each time.
 *
 * @throws UserError where it cannot be had, saying which files to put where; the signal's reason where it aborts.
 */
export async function obtain(set: RemoteSet, file: RemoteFile, options: DownloadOptions): Promise<FileContent> {
  const folder = await cachePlace(set.folder);
  if (folder === undefined) return { path: file.url, bytes: await download(set, file, folder, options) };
  const found = await readFirst(file.names.map((name) => `${folder}/${name}`));
  if (found) return found;
  const bytes = await download(set, file, folder, options);
  const path = `${folder}/${file.names[0]}`;
  await makeFolder(folder);
  await writeFileAtomic(path, bytes);
  return { path, bytes };
}
