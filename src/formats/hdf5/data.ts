/** Where the elements of a data set lie: in its header, in one piece, or in chunks. */
import { UserError } from "../../errors.ts";
import { type Cursor, damaged, type FileBytes, NOWHERE } from "./bytes.ts";
import { oldTreeLeaves } from "./links.ts";
import { findMessage, MESSAGE, type Message } from "./objects.ts";
import { elementsOf } from "./types.ts";

const FILTERS: Record<number, string> = {
  1: "deflate",
  2: "shuffle",
  3: "fletcher32",
  4: "szip",
  5: "nbit",
  6: "scaleoffset",
};

/** The names of the filters that the elements passed through. */
function filtersOf(file: FileBytes, messages: readonly Message[]): string[] {
  const cursor = findMessage(file, messages, MESSAGE.filters);
  if (!cursor) return [];
  const [version, count] = [cursor.uint8(), cursor.uint8()];
  cursor.skip(version === 1 ? 6 : 0);
  return Array.from({ length: count }, () => {
    const id = cursor.uint16();
    // The second version leaves out the names of the filters that HDF5 itself has.
    const nameBytes = version === 1 || id >= 256 ? cursor.uint16() : 0;
    cursor.skip(2);
    const values = cursor.uint16();
    cursor.skip(nameBytes + 4 * (version === 1 ? values + (values & 1) : values));
    return FILTERS[id] ?? `number ${id}`;
  });
}

/** The kinds of places. */
const PLACE = { header: 0, onePiece: 1, chunks: 2, virtual: 3 } as const;

export interface Storage {
  readonly place: number;
  /** Tells the rest. */
  readonly layout: Cursor;
}

/** How a data set is stored. @throws UserError for one that is compressed, or that is in other files. */
export function storageOf(file: FileBytes, messages: readonly Message[], name: string): Storage {
  const filters = filtersOf(file, messages);
  if (filters.length > 0) {
    throw new UserError(`"${name}" passed through the filter(s) ${filters.join(", ")}: not supported.`);
  }
  const layout = findMessage(file, messages, MESSAGE.layout);
  if (!layout) throw damaged(`"${name}" does not say where it lies`);
  const [version, place] = [layout.uint8(), layout.uint8()];
  if (place === PLACE.virtual || messages.some(({ type }) => type === MESSAGE.externalFiles)) {
    throw new UserError(`"${name}" takes its data from other files: not supported.`);
  }
  if (version < 3 || place > PLACE.virtual || (place === PLACE.chunks && version > 3)) {
    throw new UserError(`"${name}" is stored in another way (${place}, version ${version}) than is supported.`);
  }
  return { place, layout };
}

/** A data set: its name, its shape, and the bytes of an element. */
export interface Elements {
  readonly name: string;
  readonly shape: readonly number[];
  readonly size: number;
}

/** A copy of a data set's bytes, in rows. */
export function readElements({ place, layout }: Storage, elements: Elements): Uint8Array<ArrayBuffer> {
  const { name, shape, size } = elements;
  if (place === PLACE.chunks) return readChunks(layout, elements);
  const bytes = size * elementsOf(shape);
  if (place === PLACE.header) {
    const stored = layout.part(layout.uint16());
    return new Uint8Array(stored.bytes(bytes));
  }
  const address = layout.uint64();
  if (bytes === 0) return new Uint8Array(0);
  if (address === NOWHERE) throw new UserError(`"${name}" was never written.`);
  layout.file.check(`"${name}"`, address, bytes);
  return new Uint8Array(layout.file.all.subarray(address, address + bytes));
}

/** Chunks of one shape, in any order; those at the far edges reach beyond the data set. */
function readChunks(layout: Cursor, { name, shape, size }: Elements): Uint8Array<ArrayBuffer> {
  const { file } = layout;
  const rank = shape.length;
  // One dimension more than the data set's, the element's bytes.
  if (layout.uint8() !== rank + 1) throw damaged(`the chunks of "${name}" have another rank`);
  const tree = layout.uint64();
  const chunk = shape.map(() => layout.uint32());
  const all = new Uint8Array(size * elementsOf(shape));
  if (all.length === 0) return all;
  const needed = shape.reduce((count, dimension, i) => count * Math.ceil(dimension / chunk[i]!), 1);
  let found = 0;
  for (const { key, child } of oldTreeLeaves(file, tree, { kind: 1, keyBytes: 16 + 8 * rank })) {
    key.skip(8);
    const start = shape.map(() => key.uint64());
    file.check(`a chunk of "${name}"`, child, size * elementsOf(chunk));
    file.count(size * elementsOf(chunk));
    copyChunk({ from: file.all.subarray(child), chunk }, { to: all, shape, start }, size);
    found++;
  }
  if (found !== needed) throw new UserError(`"${name}" was not written in full: not supported.`);
  return all;
}

/** Copies the part of a chunk that lies in the data set, row by row. */
function copyChunk(
  { from, chunk }: { from: Uint8Array; chunk: readonly number[] },
  { to, shape, start }: { to: Uint8Array; shape: readonly number[]; start: readonly number[] },
  size: number,
): void {
  const copied = shape.map((dimension, i) => Math.min(chunk[i]!, dimension - start[i]!));
  if (copied.some((count) => !(count > 0))) throw damaged("a chunk lies outside of its data set");
  const copyFrom = (axis: number, source: number, target: number): void => {
    if (axis === shape.length - 1) {
      const [first, place] = [source * chunk[axis]! * size, (target * shape[axis]! + start[axis]!) * size];
      to.set(from.subarray(first, first + copied[axis]! * size), place);
      return;
    }
    for (let i = 0; i < copied[axis]!; i++) {
      copyFrom(axis + 1, source * chunk[axis]! + i, target * shape[axis]! + start[axis]! + i);
    }
  };
  copyFrom(0, 0, 0);
}
