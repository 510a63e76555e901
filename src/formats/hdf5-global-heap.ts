/**
 * A check of a file's global heaps, where HDF5 keeps strings of variable length. The library walks a heap from object
 * to object by the sizes that stand there, and never ends where a damaged one says zero.
 * https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html#GlobalHeap
 */
import { UserError } from "../errors.ts";

/** "GCOL", version 1, three reserved bytes. */
const SIGNATURE = [0x47, 0x43, 0x4f, 0x4c, 1, 0, 0, 0] as const;

/** Bytes before a heap's first object, and of an object's header, in files whose lengths have 8 bytes: all of Keras's. */
const HEADER = 16;

/** @throws UserError for a heap with an object of impossible size. */
export function checkGlobalHeaps(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let start = bytes.indexOf(SIGNATURE[0]); start >= 0; start = bytes.indexOf(SIGNATURE[0], start + 1)) {
    if (SIGNATURE.every((byte, i) => bytes[start + i] === byte) && !isSound(view, start)) {
      throw new UserError(`the file is damaged (the global heap at byte ${start} has an object of impossible size).`);
    }
  }
}

function isSound(view: DataView, start: number): boolean {
  if (start + HEADER > view.byteLength) return false;
  const end = start + Number(view.getBigUint64(start + 8, true));
  if (end > view.byteLength) return false;
  let at = start + HEADER;
  while (at + HEADER <= end) {
    const isFree = view.getUint16(at, true) === 0;
    const size = Number(view.getBigUint64(at + 8, true));
    const step = isFree ? size : HEADER + Math.ceil(size / 8) * 8;
    if (step < HEADER || at + step > end) return false;
    at += step;
  }
  return true;
}
