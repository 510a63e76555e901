/** NumPy's `.npz`: a zip archive of `.npy` files. https://numpy.org/doc/stable/reference/generated/numpy.savez.html */
import { unzipSync, zipSync } from "fflate";
import type { NDArray } from "../array.ts";
import { UserError } from "../errors.ts";
import { encodeNpy, parseNpy } from "./npy.ts";

/** Largest sum of sizes that an archive may unpack to. */
const LARGEST = 2 ** 31;
/** DEFLATE gives at most 1,032 bytes for one; what claims more is a lie that would only cost memory. */
const LARGEST_RATIO = 1032;

const SUFFIX = ".npy";

/**
 * Reads the arrays of a `.npz` file, by name; others in the archive are left alone.
 *
 * @param file how messages call the file
 * @param wanted the names to read; default: all
 * @throws UserError for a damaged archive, one that claims to unpack to more than 2 GiB, or an array that we do not read.
 */
export function readNpz(bytes: Uint8Array, file: string, wanted?: readonly string[]): Record<string, NDArray> {
  let total = 0;
  const isWanted = ({ name, size, originalSize }: { name: string; size: number; originalSize: number }) => {
    if (!name.endsWith(SUFFIX) || wanted?.includes(name.slice(0, -SUFFIX.length)) === false) return false;
    total += originalSize;
    if (total > LARGEST || originalSize > (size + 1) * LARGEST_RATIO) {
      throw new UserError(`${file}: ${name} claims to unpack to ${originalSize} bytes; too many, or a lie.`);
    }
    return true;
  };
  let entries: Record<string, Uint8Array>;
  try {
    entries = unzipSync(bytes, { filter: isWanted });
  } catch (error) {
    if (error instanceof UserError) throw error;
    const reason = (error as Error).message;
    throw new UserError(`${file}: no zip archive, or a damaged one (${reason}); expected a .npz file.`, {
      cause: error,
    });
  }
  const arrays: [string, NDArray][] = Object.entries(entries).map(([entry, content]) => {
    const name = entry.slice(0, -SUFFIX.length);
    return [name, parseNpy(content, `${file}, array ${name}`)];
  });
  return Object.fromEntries(arrays);
}

/** The bytes of a `.npz` file with these arrays, not compressed, as `numpy.savez` writes it. */
export function encodeNpz(arrays: Readonly<Record<string, NDArray>>): Uint8Array {
  const entries = Object.entries(arrays).map(([name, array]) => [`${name}${SUFFIX}`, encodeNpy(array)] as const);
  return zipSync(Object.fromEntries(entries), { level: 0 });
}
