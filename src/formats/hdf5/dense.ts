/**
 * How newer HDF5 files keep many links or attributes of one object: in a fractal heap, whose blocks double in size, with
 * a B-tree of version 2 that lists them.
 */
import { UserError } from "../../errors.ts";
import { type Cursor, damaged, type FileBytes } from "./bytes.ts";

/** Bytes that the numbers up to `most` take. */
const bytesFor = (most: number) => Math.floor(Math.log2(most) / 8) + 1;

/** Signature, version, kind and checksum of a tree's node. */
const NODE_FRAME_BYTES = 10;
const POINTER_BYTES = 8;
/** A tree of this depth would be larger than any file. */
const DEEPEST = 16;

/** The records of a B-tree of version 2. */
export function* treeRecords(file: FileBytes, address: number): Generator<Cursor> {
  const header = file.cursor("a tree's header", address);
  header.expect("BTHD", 0);
  header.skip(1);
  const [nodeBytes, recordBytes, depth] = [header.uint32(), header.uint16(), header.uint16()];
  header.skip(2);
  const [root, count] = [header.uint64(), header.uint16()];
  header.skip(8);
  header.expectChecksum(address);
  const isSound = depth <= DEEPEST && recordBytes > 0 && recordBytes <= nodeBytes - NODE_FRAME_BYTES;
  if (!isSound) throw damaged("a tree of impossible size");
  if (count === 0) return;
  yield* nodeRecords(file, { root, count, depth }, recordBytes, pointersOf(nodeBytes, recordBytes, depth));
}

/** What a pointer to a node of each level takes, in bytes: its number of records, and that of all below it. */
function pointersOf(nodeBytes: number, recordBytes: number, depth: number): { count: number; total: number }[] {
  const space = nodeBytes - NODE_FRAME_BYTES;
  let most = Math.floor(space / recordBytes);
  const count = bytesFor(most);
  const pointers = [{ count, total: 0 }];
  for (let level = 1; level < depth; level++) {
    const below = pointers[level - 1]!;
    const own = Math.floor(
      (space - POINTER_BYTES - below.count - below.total) / (recordBytes + POINTER_BYTES + below.count + below.total),
    );
    most = (own + 1) * most + own;
    pointers.push({ count, total: bytesFor(most) });
  }
  return pointers;
}

function* nodeRecords(
  file: FileBytes,
  { root, count, depth }: { root: number; count: number; depth: number },
  recordBytes: number,
  pointers: readonly { count: number; total: number }[],
): Generator<Cursor> {
  const node = file.cursor("a tree's node", root);
  node.expect(depth === 0 ? "BTLF" : "BTIN", 0);
  node.skip(1);
  const below = pointers[depth - 1] ?? { count: 0, total: 0 };
  const records = node.part(count * recordBytes);
  const children = node.part(depth === 0 ? 0 : (count + 1) * (POINTER_BYTES + below.count + below.total));
  node.expectChecksum(root);
  for (let i = 0; i < count; i++) yield records.part(recordBytes);
  while (children.bytesLeft > 0) {
    const child = { root: children.uint64(), count: children.uint(below.count), depth: depth - 1 };
    children.skip(below.total);
    yield* nodeRecords(file, child, recordBytes, pointers);
  }
}

/** A heap of objects of any size up to a limit. */
export class FractalHeap {
  readonly idBytes: number;
  readonly #file: FileBytes;
  /** Bytes of an offset into the heap, and of an object's length. */
  readonly #offsetBytes: number;
  readonly #lengthBytes: number;
  /** A row of the table has so many blocks: the first two of the first size, each later one of twice the size. */
  readonly #width: number;
  readonly #firstBytes: number;
  readonly #directRows: number;
  readonly #root: number;
  readonly #rows: number;

  constructor(file: FileBytes, address: number) {
    const header = file.cursor("a heap's header", address);
    header.expect("FRHP", 0);
    this.#file = file;
    this.idBytes = header.uint16();
    if (header.uint16() > 0) throw new UserError("its tables are compressed: not supported.");
    header.skip(1);
    const largest = header.uint32();
    // Objects that are huge, free space, and counts.
    header.skip(12 * 8);
    this.#width = header.uint16();
    this.#firstBytes = header.uint64();
    const largestBlock = header.uint64();
    this.#offsetBytes = Math.ceil(header.uint16() / 8);
    this.#lengthBytes = bytesFor(Math.min(largest, largestBlock));
    this.#directRows = Math.log2(largestBlock / this.#firstBytes) + 2;
    header.skip(2);
    this.#root = header.uint64();
    this.#rows = header.uint16();
    header.expectChecksum(address);
    if (!(this.#width > 0 && this.#firstBytes > 0 && this.#lengthBytes > 0)) throw damaged("a heap of impossible size");
  }

  /** The object of an id. */
  object(id: Cursor): Cursor {
    if (id.uint8() >> 4 !== 0) throw new UserError("it has links or attributes of unusual size: not supported.");
    const offset = id.uint(this.#offsetBytes);
    const size = id.uint(this.#lengthBytes);
    const block = this.#find(offset);
    const header = this.#file.cursor("a heap's block", block.address);
    header.expect("FHDB", 0);
    if (offset + size > block.start + block.bytes) throw damaged("an object of a heap is larger than its block");
    return this.#file.cursor("an object of a heap", block.address + offset - block.start, size);
  }

  /** The block that holds the byte of an offset, and the offset at which it starts. */
  #find(offset: number): { address: number; start: number; bytes: number } {
    let block = { address: this.#root, start: 0, bytes: this.#firstBytes };
    let rows = this.#rows;
    while (rows > 0) {
      const row = this.#rowOf(offset - block.start);
      if (row >= rows) throw damaged("an object lies outside of its heap");
      const rowStart = row === 0 ? 0 : this.#width * this.#firstBytes * 2 ** (row - 1);
      const bytes = this.#firstBytes * 2 ** Math.max(row - 1, 0);
      const column = Math.floor((offset - block.start - rowStart) / bytes);
      const table = this.#file.cursor("a heap's table", block.address);
      table.expect("FHIB", 0);
      table.skip(8 + this.#offsetBytes + 8 * (row * this.#width + column));
      block = { address: table.uint64(), start: block.start + rowStart + column * bytes, bytes };
      // What lies in later rows is in tables of their own.
      rows = row < this.#directRows ? 0 : this.#rowOf(bytes - 1) + 1;
    }
    return block;
  }

  #rowOf(offset: number): number {
    return Math.max(0, Math.floor(Math.log2(offset / (this.#width * this.#firstBytes))) + 1);
  }
}
