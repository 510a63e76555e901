/** IDX files, in which MNIST and its kin come. https://yann.lecun.com/exdb/mnist/ */
import { formatShape, NDArray, sizeOf } from "../array.ts";
import { UserError } from "../errors.ts";

/** The only type of element that these data sets use: unsigned bytes. */
const UNSIGNED_BYTE = 0x08;

/**
 * Parses an IDX file: two zero bytes, the type, the number of dimensions, the dimensions (big-endian), the elements.
 *
 * @param name how messages call the file
 * @param rank the number of dimensions that is expected
 * @throws UserError for a wrong magic number or length.
 */
export function parseIdx(bytes: Uint8Array, name: string, rank: number): NDArray<"uint8"> {
  const header = 4 + 4 * rank;
  const magic = [0, 0, UNSIGNED_BYTE, rank];
  if (bytes.length < 4 || magic.some((byte, i) => bytes[i] !== byte)) {
    const hex = (list: Iterable<number>) => Array.from(list, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    throw new UserError(
      `${name}: no IDX file of ${rank} dimension(s): expected it to begin with ${hex(magic)}, got ` +
        `${bytes.length === 0 ? "an empty file" : hex(bytes.subarray(0, 4))}.`,
    );
  }
  if (bytes.length < header)
    throw new UserError(`${name}: cut off: its header has ${header} bytes, the file ${bytes.length}.`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const expected = header + sizeOf(shape);
  if (bytes.length !== expected) {
    throw new UserError(
      `${name}: its header says ${formatShape(shape)}, which makes ${expected} bytes, but the file has ${bytes.length}.`,
    );
  }
  // A plain array also where the bytes are Node's Buffer, whose methods differ.
  return new NDArray<"uint8">(new Uint8Array(bytes.buffer, bytes.byteOffset + header, sizeOf(shape)), shape);
}
