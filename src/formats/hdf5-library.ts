/** h5wasm, the HDF5 library: loaded when it is needed, run so that no fault leaves it in disorder. */
import { show } from "../arguments.ts";
import { InternalError, UserError } from "../errors.ts";

type Library = typeof import("h5wasm");
export type Hdf5Module = Awaited<Library["ready"]>;

/** Emscripten's file system in memory; its published types lack the list of streams and an option. */
type FileSystem = Omit<NonNullable<Library["FS"]>, "writeFile" | "open"> & {
  /** What the library itself opens files by. */
  open: (path: string, ...rest: unknown[]) => FS.FSStream;
  readonly streams: readonly (FS.FSStream | null | undefined)[];
  /** `canOwn`: the data become the file's content, without a copy. */
  writeFile(path: string, data: Uint8Array, options: { canOwn: boolean }): void;
};

export interface Hdf5 {
  readonly module: Hdf5Module;
  readonly File: Library["File"];
  readonly FS: FileSystem;
}

/** Loads the library, once: it is 4 MB and costs more start-up time than all the rest. */
export async function loadHdf5(): Promise<Hdf5> {
  const library = await import("h5wasm");
  const module = await library.ready;
  // Errors come as exceptions instead of text on the error output.
  module.activate_throwing_error_handler();
  return { module, File: library.File, FS: module.FS as unknown as FileSystem };
}

/**
 * The library's memory as a failure left it, to which each later one goes back. Most programs never need it. Taken once
 * something has succeeded: what the library makes at its first use and keeps, it would make again after each failure.
 */
let kept: Uint8Array | undefined;
let hasSucceeded = false;

/** Memory without the zeros at its end, which is where nothing has been yet. */
function usedPart(memory: Uint8Array): Uint8Array {
  const words = new Int32Array(memory.buffer);
  let end = words.length;
  while (end > 0 && words[end - 1] === 0) end--;
  return memory.subarray(0, 4 * end);
}

/** Input, output, errors: the first in the list of streams. */
const STANDARD_STREAMS = 3;

/**
 * Calls `action` on a path of the library's own file system, and leaves nothing there.
 *
 * The library's exceptions pass through WebAssembly without unwinding it: its stack pointer stays where it was, and
 * what it had opened and allocated stays so. After some hundreds of damaged files the stack would run over. `ccall` puts
 * the pointer back when the function that it calls returns, so the action runs as such a function; its memory is put
 * back too.
 */
export function isolated<Result>({ module, FS }: Hdf5, action: (path: string) => Result): Result {
  const path = "/file.h5";
  let outcome: { result: Result } | { error: unknown } | undefined;
  const run = () => {
    try {
      outcome = { result: action(path) };
    } catch (error) {
      outcome = { error };
    }
    return 0;
  };
  const host = module as unknown as Record<string, unknown>;
  host._isolated = run;
  try {
    // A string argument is what makes ccall save the pointer.
    module.ccall("isolated", "number", ["string"], [path]);
  } finally {
    delete host._isolated;
    for (const stream of FS.streams.slice(STANDARD_STREAMS)) if (stream) FS.close(stream);
    if (FS.analyzePath(path).exists) FS.unlink(path);
  }
  if (outcome && "result" in outcome) {
    hasSucceeded = true;
    return outcome.result;
  }
  if (kept) module.HEAPU8.fill(0, kept.length).set(kept);
  else if (hasSucceeded) kept = usedPart(module.HEAPU8).slice();
  throw outcome?.error ?? new InternalError("HDF5: the action did not run");
}

/**
 * Calls `action`, which must not wait for anything, while a method of the host is another one: for what the library asks
 * of the host and has no option to ask otherwise.
 */
export function substituting<Host, Name extends keyof Host, Result>(
  host: Host,
  name: Name,
  substitute: Host[Name],
  action: () => Result,
): Result {
  const original = host[name];
  host[name] = substitute;
  try {
    return action();
  } finally {
    host[name] = original;
  }
}

/** The library has these for the text of an error. */
const TEMPORARY = "/tmp/tmpfile_";

/** Calls `action`, in which no file is opened: a data set can say that its data lie in another, or in its own once more. */
export function withoutOtherFiles<Result>(files: FileSystem, action: () => Result): Result {
  const { open } = files;
  const refuse: FileSystem["open"] = (path, ...rest) => {
    if (path.startsWith(TEMPORARY)) return open.call(files, path, ...rest);
    throw new UserError(`it takes data from the file ${show(path)}: external storage is not followed.`);
  };
  return substituting(files, "open", refuse, action);
}

const PAGE_BYTES = 65_536;

/**
 * Calls `action`, in which the library's memory grows by `most` bytes at most.
 *
 * HDF5 believes some lengths that stand in a file, such as those of strings, and asks for as much memory before it finds
 * them to be wrong; the library would give it 2 GB. HDF5 that gets no memory fails in good order.
 */
export function withBoundedMemory<Result>(most: number, action: () => Result): Result {
  const host = WebAssembly.Memory.prototype;
  const { grow } = host;
  let pagesLeft = Math.ceil(most / PAGE_BYTES);
  const boundedGrow = function (this: WebAssembly.Memory, pages: number): number {
    if (pages > pagesLeft) throw new RangeError(`HDF5 asks for ${pages} pages, ${pagesLeft} are left`);
    pagesLeft -= pages;
    return grow.call(this, pages);
  };
  return substituting(host, "grow", boundedGrow, action);
}

/** The innermost reason of an HDF5 error, whose message is a stack of lines `#001: file line 7 in function(): reason`. */
function reasonOf(message: string): string {
  const reasons = [...message.matchAll(/^ *#\d+: .*?\(\): (.*)$/gm)].map((match) => match[1]);
  return reasons.at(-1) ?? message.split("\n")[0] ?? "";
}

/** What a failure while reading says about the file. */
export function damaged(error: unknown): Error {
  if (error instanceof InternalError || error instanceof UserError) return error;
  if (error instanceof TypeError || error instanceof ReferenceError) {
    return new InternalError(`HDF5: ${error.message}`, { cause: error });
  }
  const reason = reasonOf(error instanceof Error ? error.message : String(error));
  if (reason.includes("signature not found")) return new UserError("it is no HDF5 file.", { cause: error });
  const sizes = /truncated file: eof = (\d+).*stored_eof = (\d+)/.exec(reason);
  if (sizes) {
    return new UserError(`the file is cut off: it has ${sizes[1]} bytes of ${sizes[2]}.`, { cause: error });
  }
  return new UserError(`the file is damaged (${reason}).`, { cause: error });
}
