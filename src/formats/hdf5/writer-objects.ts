/** Objects of an HDF5 file that is written: a header of messages, which say what the object is and hold its attributes. */
import { UserError } from "../../errors.ts";
import { MESSAGE } from "./objects.ts";
import { elementsOf } from "./types.ts";
import { aligned, type FileLayout, NO_ADDRESS, type Write } from "./writer-bytes.ts";

const HEADER_BYTES = 16;
const MESSAGE_HEADER_BYTES = 8;
/** Sizes of messages are numbers of 16 bits, and multiples of 8. */
const LARGEST_MESSAGE = 65_528;
const MOST_MESSAGES = 65_535;
const MOST_DIMENSIONS = 32;
/** Of messages that no program may change. */
const CONSTANT = 1;

/** How HDF5 tells the types of elements: class and version, bits, bytes of an element, and what the class has. */
export const TYPES = {
  float32: [0x11, 0x20, 31, 0, 4, 0, 0, 0, 0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0],
  float64: [0x11, 0x20, 63, 0, 8, 0, 0, 0, 0, 0, 64, 0, 52, 11, 0, 52, 255, 3, 0, 0],
  int64: [0x10, 0x08, 0, 0, 8, 0, 0, 0, 0, 0, 64, 0],
  /** Strings of any length: references to them, then the type of a byte. */
  utf8: [0x19, 1, 1, 0, 16, 0, 0, 0, 0x10, 0, 0, 0, 1, 0, 0, 0, 0, 0, 8, 0],
  ascii: [0x19, 1, 0, 0, 16, 0, 0, 0, 0x10, 0, 0, 0, 1, 0, 0, 0, 0, 0, 8, 0],
} as const;

/** Strings of so many bytes at most, at least 1, filled up with zeros. */
export const fixedText = (size: number) => [0x13, 1, 0, 0, ...new Uint8Array(Uint32Array.of(size).buffer)];

export interface Attribute {
  readonly type: readonly number[];
  readonly shape: readonly number[];
  /** Bytes of all elements. */
  readonly bytes: number;
  readonly write: Write;
}

export interface Message {
  readonly type: number;
  readonly bytes: number;
  readonly flags: number;
  readonly write: Write;
}

/** Places the header of an object. */
export function addObject(layout: FileLayout, messages: readonly Message[]): number {
  if (messages.length > MOST_MESSAGES) {
    throw new UserError(`HDF5 cannot hold an object of ${messages.length} attributes; at most ${MOST_MESSAGES} fit.`);
  }
  const bytes = messages.reduce((sum, message) => sum + MESSAGE_HEADER_BYTES + aligned(message.bytes), 0);
  return layout.add(HEADER_BYTES + bytes, (out) => {
    out.uint16(1);
    out.uint16(messages.length);
    // One link leads here.
    out.uint32(1);
    out.uint32(bytes);
    out.align();
    for (const message of messages) {
      out.uint16(message.type);
      out.uint16(aligned(message.bytes));
      out.uint8(message.flags);
      out.align();
      message.write(out);
      out.align();
    }
  });
}

/** @throws UserError for one that is larger than HDF5's messages can be */
export function attributeMessage(name: string, { type, shape, bytes, write }: Attribute): Message {
  const [nameBytes, shapeBytes] = [name.length + 1, sizeOfShape(shape)];
  const all = 8 + aligned(nameBytes) + aligned(type.length) + shapeBytes + bytes;
  if (all > LARGEST_MESSAGE) {
    throw new UserError(`HDF5 cannot hold the attribute ${name}: it has ${all} bytes, at most ${LARGEST_MESSAGE} fit.`);
  }
  const writeMessage: Write = (out) => {
    out.uint16(1);
    out.uint16(nameBytes);
    out.uint16(type.length);
    out.uint16(shapeBytes);
    out.signature(name);
    out.zeros(1);
    out.align();
    out.bytes(type);
    out.align();
    shapeWriter(shape)(out);
    write(out);
  };
  return { type: MESSAGE.attribute, bytes: all, flags: 0, write: writeMessage };
}

/** What makes an object a group: where its members are. */
export function symbolTableMessage({ tree, heap }: { tree: number; heap: number }): Message {
  const write: Write = (out) => {
    out.int64(tree);
    out.int64(heap);
  };
  return { type: MESSAGE.symbolTable, bytes: 16, flags: 0, write };
}

/** A data set: elements of one type in one piece. */
export interface Dataset {
  readonly type: readonly number[];
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** Places a data set, its elements before its header. @throws UserError for more dimensions than HDF5 has */
export function addDataset(layout: FileLayout, { type, shape, data }: Dataset): number {
  if (shape.length > MOST_DIMENSIONS) {
    throw new UserError(`HDF5 has no tensors of ${shape.length} dimensions; at most ${MOST_DIMENSIONS} are possible.`);
  }
  // Of no elements, HDF5 keeps none.
  const address = elementsOf(shape) === 0 ? NO_ADDRESS : layout.add(data.length, (out) => out.bytes(data));
  return addObject(layout, [
    { type: MESSAGE.dataspace, bytes: sizeOfShape(shape), flags: 0, write: shapeWriter(shape) },
    { type: MESSAGE.datatype, bytes: type.length, flags: CONSTANT, write: (out) => out.bytes(type) },
    // Version 2: HDF5's own value, put where nothing else was, when the place is made, which is when it is written.
    { type: MESSAGE.fillValue, bytes: 8, flags: CONSTANT, write: (out) => out.bytes([2, 2, 2, 1]) },
    {
      type: MESSAGE.layout,
      bytes: 18,
      flags: 0,
      write: (out) => {
        // Version 3, in one piece.
        out.bytes([3, 1]);
        out.int64(address);
        out.int64(data.length);
      },
    },
  ]);
}

const sizeOfShape = (shape: readonly number[]) => 8 + 16 * shape.length;

/** Version 1 with sizes, and the same again for the sizes to which they may grow; a scalar has none. */
function shapeWriter(shape: readonly number[]): Write {
  return (out) => {
    out.bytes([1, shape.length, shape.length > 0 ? 1 : 0, 0, 0, 0, 0, 0]);
    for (const dimension of [...shape, ...shape]) out.int64(dimension);
  };
}
