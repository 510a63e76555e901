/** NumPy's `.npz`: a zip archive of `.npy` files. https://numpy.org/doc/stable/reference/generated/numpy.savez.html */
import type { NDArray } from "../array.ts";
import { UserError } from "../errors.ts";
import { encodeNpy, parseNpy } from "./npy.ts";
import { readZip, writeZip } from "./zip.ts";

const SUFFIX = ".npy";

/**
 * Reads the arrays of a `.npz` file, by name; others in the archive are left alone.
 *
 * @param file how messages call the file
 * @param wanted the names to read; default: all
 * @throws UserError for a damaged archive, one that claims to unpack to far more than its size, or an array that we do not read.
 */
export function readNpz(bytes: Uint8Array, file: string, wanted?: readonly string[]): Record<string, NDArray> {
  const isWanted = (name: string) => name.endsWith(SUFFIX) && wanted?.includes(name.slice(0, -SUFFIX.length)) !== false;
  let entries: Map<string, Uint8Array>;
  try {
    entries = readZip(bytes, isWanted);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${file}: ${error.message}`, { cause: error });
  }
  const arrays: [string, NDArray][] = [...entries].map(([entry, content]) => {
    const name = entry.slice(0, -SUFFIX.length);
    return [name, parseNpy(content, `${file}, array ${name}`)];
  });
  return Object.fromEntries(arrays);
}

/** The bytes of a `.npz` file with these arrays, not compressed, as `numpy.savez` writes it. */
export function encodeNpz(arrays: Readonly<Record<string, NDArray>>): Uint8Array {
  const entries = Object.entries(arrays).map(([name, array]) => [`${name}${SUFFIX}`, encodeNpy(array)] as const);
  return writeZip(Object.fromEntries(entries));
}
