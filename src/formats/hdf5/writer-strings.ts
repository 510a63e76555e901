/** Strings of any length, which HDF5 keeps apart from the attributes that have them: in global heaps, many in each. */
import { aligned, type ByteWriter, encodeText, type FileLayout } from "./writer-bytes.ts";

const HEADER_BYTES = 16;
/** Of each string, and of the free space behind the last. */
const OBJECT_HEADER_BYTES = 16;
/** The smallest that HDF5 allows. Larger ones are multiples of it, so that files of texts of some more bytes are no larger. */
const HEAP_UNIT_BYTES = 4096;
/** HDF5's library makes no larger ones but for a single string. Numbers of 16 bits are enough for what is in one. */
const LARGEST_HEAP = 65_536;

interface Heap {
  address: number;
  bytes: number;
  readonly strings: Uint8Array[];
}

/** Where a string is. */
export interface StoredString {
  readonly heap: Heap;
  /** Counted from 1. */
  readonly index: number;
  readonly bytes: number;
}

/** Bytes of a reference to a string. */
export const REFERENCE_BYTES = 16;

/** Writes what stands in a string's place; the heaps must have theirs. */
export function writeReference(out: ByteWriter, { heap, index, bytes }: StoredString): void {
  out.uint32(bytes);
  out.int64(heap.address);
  out.uint32(index);
}

export class StringHeaps {
  readonly #heaps: Heap[] = [];

  add(text: string): StoredString {
    const string = encodeText(text);
    const bytes = OBJECT_HEADER_BYTES + aligned(string.length);
    let heap = this.#heaps.at(-1);
    if (!heap || heap.bytes + bytes > LARGEST_HEAP) {
      heap = { address: 0, bytes: HEADER_BYTES, strings: [] };
      this.#heaps.push(heap);
    }
    heap.bytes += bytes;
    return { heap, index: heap.strings.push(string), bytes: string.length };
  }

  /** Gives the heaps their places, when all strings are in them. */
  addTo(layout: FileLayout): void {
    for (const heap of this.#heaps) {
      const bytes = Math.ceil(heap.bytes / HEAP_UNIT_BYTES) * HEAP_UNIT_BYTES;
      heap.address = layout.add(bytes, (out) => writeHeap(out, heap, bytes));
    }
  }
}

function writeHeap(out: ByteWriter, heap: Heap, bytes: number): void {
  out.signature("GCOL");
  out.uint32(1);
  out.int64(bytes);
  for (const [i, string] of heap.strings.entries()) {
    out.uint16(i + 1);
    out.zeros(6);
    out.int64(string.length);
    out.bytes(string);
    out.align();
  }
  const free = bytes - heap.bytes;
  // Less is free space too, and HDF5 knows it without being told.
  if (free < OBJECT_HEADER_BYTES) return;
  out.zeros(8);
  out.int64(free);
}
