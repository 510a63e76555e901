/** h5wasm, the HDF5 library: loaded when something is written, run so that no fault leaves it in disorder. */
import { InternalError } from "../errors.ts";

type Library = typeof import("h5wasm");
type Hdf5Module = Awaited<Library["ready"]>;

/** Emscripten's file system in memory; its published types lack the list of streams. */
type FileSystem = NonNullable<Library["FS"]> & { readonly streams: readonly (FS.FSStream | null | undefined)[] };

export interface Hdf5 {
  readonly module: Hdf5Module;
  readonly File: Library["File"];
  readonly FS: FileSystem;
}

/** Loads the library, once: it is 4 MB and takes longer to start than all the rest of a program. */
export async function loadHdf5(): Promise<Hdf5> {
  const library = await import("h5wasm");
  const module = await library.ready;
  // Errors come as exceptions instead of text on the error output.
  module.activate_throwing_error_handler();
  return { module, File: library.File, FS: module.FS as unknown as FileSystem };
}

/** Input, output, errors: the first in the list of streams. */
const STANDARD_STREAMS = 3;

/**
 * Calls `action` on a path of the library's own file system, and leaves nothing there.
 *
 * The library's exceptions pass through WebAssembly without unwinding it: its stack pointer stays where it was, and
 * what it had opened stays so. `ccall` puts the pointer back when the function that it calls returns, so the action runs
 * as such a function.
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
  if (outcome && "result" in outcome) return outcome.result;
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
