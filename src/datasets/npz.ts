/** NumPy's files, `.npy` with one array and `.npz` with several by name. https://numpy.org/doc/stable/reference/routines.io.html */
import { badArgument, isConfig } from "../arguments.ts";
import { NDArray } from "../array.ts";
import { parseNpy } from "../formats/npy.ts";
import { readFile, writeFileAtomic } from "../runtime/files.ts";

/** A path, a file's URL, or the file's bytes. */
export type Source = string | URL | Uint8Array | ArrayBuffer;

async function open(where: string, source: Source): Promise<{ name: string; bytes: Uint8Array }> {
  if (source instanceof Uint8Array) return { name: where, bytes: source };
  if (source instanceof ArrayBuffer) return { name: where, bytes: new Uint8Array(source) };
  if (typeof source === "string" || source instanceof URL)
    return { name: String(source), bytes: await readFile(source) };
  throw badArgument(where, "the source", "a path, a URL or the bytes of a file", source);
}

/**
 * Loads the array of a `.npy` file. Bytes and booleans become uint8, other integers int32, floats of 32 and 64 bits
 * float32.
 *
 * @throws UserError for a file that is missing, damaged or of something else, for elements of another type (Python
 *   objects above all: nothing is unpickled), and for integers beyond 32 bits.
 */
export async function loadNpy(source: Source): Promise<NDArray> {
  const { name, bytes } = await open("loadNpy", source);
  return parseNpy(bytes, name);
}

/**
 * Loads the arrays of a `.npz` file, as `numpy.savez` and `numpy.savez_compressed` write it, by name.
 *
 * @throws UserError as {@link loadNpy}, and for an archive that claims to unpack to more than 2 GiB.
 */
export async function loadNpz(source: Source): Promise<Record<string, NDArray>> {
  const { name, bytes } = await open("loadNpz", source);
  const { readNpz } = await import("../formats/npz.ts");
  return readNpz(bytes, name);
}

/**
 * Saves arrays as a `.npz` file, which `numpy.load` reads.
 *
 * @throws UserError where it cannot be written.
 */
export async function saveNpz(path: string | URL, arrays: Readonly<Record<string, NDArray>>): Promise<void> {
  const areArrays = isConfig(arrays) && Object.values(arrays).every((array) => array instanceof NDArray);
  if (!areArrays) throw badArgument("saveNpz", "arrays", "an object with an NDArray for each name", arrays);
  const { encodeNpz } = await import("../formats/npz.ts");
  await writeFileAtomic(path, encodeNpz(arrays));
}
