/** Shapes, types of elements, attributes and strings of an HDF5 file. */
import { type Cursor, damaged, type FileBytes, textOf } from "./bytes.ts";
import { denseObjects } from "./links.ts";
import { bodyOf, findMessage, MESSAGE, type Message } from "./objects.ts";

/** A shape; undefined for what has no elements at all. */
export function readShape(cursor: Cursor): number[] | undefined {
  const [version, rank] = [cursor.uint8(), cursor.uint8()];
  if (version !== 1 && version !== 2) throw damaged(`a shape of version ${version}`);
  cursor.skip(1);
  const kind = cursor.uint8();
  const NULL = 2;
  if (version === 2 && kind === NULL) return undefined;
  cursor.skip(version === 1 ? 4 : 0);
  return Array.from({ length: rank }, () => cursor.uint64());
}

export const elementsOf = (shape: readonly number[]) => shape.reduce((product, dimension) => product * dimension, 1);

/** The type of an element; `size` is in bytes, `name` is for people. */
export interface ElementType {
  readonly kind: "integer" | "float" | "fixed string" | "string" | "other";
  readonly size: number;
  readonly isBigEndian: boolean;
  readonly isSigned: boolean;
  /** Fixed strings end in spaces. */
  readonly isSpacePadded: boolean;
  readonly name: string;
}

const OTHER: ElementType = {
  kind: "other",
  size: 0,
  isBigEndian: false,
  isSigned: false,
  isSpacePadded: false,
  name: "of another type",
};

/** IEEE's formats by their bytes, as HDF5 tells of them: bits, where exponent and fraction lie and their bits, bias. */
const IEEE: Record<number, string> = { 2: "16,10,5,0,10,15", 4: "32,23,8,0,23,127", 8: "64,52,11,0,52,1023" };

export function readType(cursor: Cursor): ElementType {
  const kind = cursor.uint8() & 15;
  const bits = cursor.uint8();
  cursor.skip(2);
  const size = cursor.uint32();
  const type = { size, isBigEndian: (bits & 1) !== 0, isSigned: (bits & 8) !== 0, isSpacePadded: (bits & 15) === 2 };
  const other = { ...OTHER, size };
  if (kind === 0) {
    cursor.skip(2);
    if (cursor.uint16() !== 8 * size) return other;
    return { ...type, kind: "integer", name: `${type.isSigned ? "" : "u"}int${8 * size}` };
  }
  if (kind === 1) {
    const VAX_ORDER = 64;
    cursor.skip(2);
    const format = [cursor.uint16(), ...cursor.bytes(4), cursor.uint32()];
    return format.join() === IEEE[size] && !(bits & VAX_ORDER)
      ? { ...type, kind: "float", name: `float${8 * size}` }
      : other;
  }
  if (kind === 3) return { ...type, kind: "fixed string", name: "text" };
  const IS_STRING = 1;
  if (kind === 9 && (bits & 15) === IS_STRING) return { ...type, kind: "string", name: "text" };
  return other;
}

/** An attribute of an object, its elements not yet read. */
export interface Attribute {
  readonly shape: readonly number[] | undefined;
  readonly type: ElementType;
  /** Where its elements begin, and the bytes there are. */
  readonly start: number;
  readonly bytes: number;
}

/** The attributes of an object: in its header or, when there are many, in a heap. */
export function readAttributes(file: FileBytes, messages: readonly Message[]): Map<string, Attribute> {
  const own = messages.filter(({ type }) => type === MESSAGE.attribute).map((message) => bodyOf(file, message));
  const info = findMessage(file, messages, MESSAGE.attributeInfo);
  const attributes = [...own, ...(info ? denseAttributes(file, info) : [])];
  return new Map(attributes.map(readAttribute));
}

function denseAttributes(file: FileBytes, info: Cursor): Cursor[] {
  info.skip(1);
  const HAS_ORDER = 1;
  info.skip(info.uint8() & HAS_ORDER ? 2 : 0);
  return denseObjects(file, info, 0);
}

function readAttribute(message: Cursor): [name: string, attribute: Attribute] {
  const version = message.uint8();
  if (version < 1 || version > 3) throw damaged(`an attribute of version ${version}`);
  const SHARED = 3;
  const flags = message.uint8();
  const isShared = version > 1 && (flags & SHARED) !== 0;
  const sizes = [message.uint16(), message.uint16(), message.uint16()] as const;
  message.skip(version === 3 ? 1 : 0);
  // The first version fills up to words.
  const parts = sizes.map((size) => {
    const part = message.part(size);
    message.skip(version === 1 ? -size & 7 : 0);
    return part;
  }) as [Cursor, Cursor, Cursor];
  const [name, type, shape] = parts;
  const attribute = isShared ? { type: OTHER, shape: [] } : { type: readType(type), shape: readShape(shape) };
  return [textOf(name.bytes(name.bytesLeft)), { ...attribute, start: message.address, bytes: message.bytesLeft }];
}

/** Reads the strings of attributes. Those of any length lie in heaps, of which each is looked through once. */
export class StringReader {
  readonly #file: FileBytes;
  readonly #heaps = new Map<number, ReadonlyMap<number, { start: number; size: number }>>();

  constructor(file: FileBytes) {
    this.#file = file;
  }

  /** @param type of strings */
  read({ shape = [], type, start, bytes }: Attribute): string[] {
    const count = elementsOf(shape);
    if (!(type.size > 0 && count * type.size <= bytes)) throw damaged("an attribute is cut off");
    const data = this.#file.cursor("an attribute", start, bytes);
    return Array.from({ length: count }, () => {
      if (type.kind === "string") return this.#stringOfAnyLength(data);
      const value = textOf(data.bytes(type.size));
      return type.isSpacePadded ? value.replace(/ +$/, "") : value;
    });
  }

  #stringOfAnyLength(reference: Cursor): string {
    const [length, heap, index] = [reference.uint32(), reference.uint64(), reference.uint32()];
    if (length === 0) return "";
    const object = this.#heap(heap).get(index);
    if (!object || length > object.size) throw damaged("a string is not where it should be");
    return textOf(this.#file.cursor("a string", object.start, length).bytes(length));
  }

  /**
   * The objects of a global heap, by their numbers.
   * @throws UserError for an object of impossible size, on which HDF5's own library does not end
   */
  #heap(address: number): ReadonlyMap<number, { start: number; size: number }> {
    const known = this.#heaps.get(address);
    if (known) return known;
    const HEADER_BYTES = 16;
    const header = this.#file.cursor("a heap of strings", address);
    header.expect("GCOL", 1);
    header.skip(3);
    const heap = header.part(header.uint64() - HEADER_BYTES);
    const objects = new Map<number, { start: number; size: number }>();
    while (heap.bytesLeft >= HEADER_BYTES) {
      const index = heap.uint16();
      heap.skip(6);
      const size = heap.uint64();
      // The size of free space, which has the number 0, is that of its header too.
      const padded = index === 0 ? size - HEADER_BYTES : Math.ceil(size / 8) * 8;
      if (!(padded >= 0 && padded <= heap.bytesLeft)) {
        throw damaged(`the global heap at byte ${address} has an object of impossible size`);
      }
      if (index !== 0) objects.set(index, { start: heap.address, size });
      heap.skip(padded);
    }
    this.#heaps.set(address, objects);
    return objects;
  }
}
