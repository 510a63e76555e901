/**
 * Where an HDF5 file begins, and its objects: each has a header of messages, in one of two versions and in any number
 * of blocks.
 */
import { UserError } from "../../errors.ts";
import { type Cursor, FileBytes } from "./bytes.ts";

/** With which the superblock begins. */
export const SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a] as const;

/** Bytes of an address, and of a length. */
const WORD = 8;

/** The kinds of messages that are read or written. */
export const MESSAGE = {
  dataspace: 0x01,
  linkInfo: 0x02,
  datatype: 0x03,
  fillValue: 0x05,
  link: 0x06,
  externalFiles: 0x07,
  layout: 0x08,
  filters: 0x0b,
  attribute: 0x0c,
  continuation: 0x10,
  symbolTable: 0x11,
  attributeInfo: 0x15,
} as const;

export interface Message {
  readonly type: number;
  readonly start: number;
  readonly size: number;
  /** In its place stands where in the file it is. */
  readonly isShared: boolean;
}

/** Where the superblock is: at the start, or behind a block of the user's, of 512 bytes or that times a power of two. */
function findSuperblock(bytes: Uint8Array): number {
  for (let start = 0; start + SIGNATURE.length <= bytes.length; start = start === 0 ? 512 : 2 * start) {
    if (SIGNATURE.every((byte, i) => bytes[start + i] === byte)) return start;
  }
  throw new UserError("it is no HDF5 file.");
}

/** Opens a file: its bytes, from which addresses count, and the root group's header's address. */
export function openFile(bytes: Uint8Array): { file: FileBytes; root: number } {
  const start = findSuperblock(bytes);
  const file = new FileBytes(bytes.subarray(start));
  const cursor = file.cursor("the superblock", SIGNATURE.length);
  const version = cursor.uint8();
  if (version > 3) throw new UserError(`it is HDF5 of superblock version ${version}; 0 to 3 are supported.`);
  const isOld = version < 2;
  if (isOld) cursor.skip(4);
  const sizes = [cursor.uint8(), cursor.uint8()];
  if (sizes.some((size) => size !== WORD)) throw new UserError(`its addresses have ${sizes[0]} bytes: not supported.`);
  cursor.skip(isOld ? 9 + 4 * version : 1);
  const base = cursor.uint64();
  cursor.skip(WORD);
  const end = cursor.uint64() - base + start;
  if (end > bytes.length) {
    throw new UserError(`the file is cut off: it has ${bytes.length} bytes of ${end}.`);
  }
  // A driver's block, and the name of the root group, which is empty.
  if (isOld) cursor.skip(2 * WORD);
  const root = cursor.uint64();
  if (!isOld) cursor.expectChecksum(0);
  return { file, root };
}

/** The messages of the object whose header is at an address. */
export function readHeader(file: FileBytes, address: number): Message[] {
  const cursor = file.cursor("an object's header", address);
  const [first] = file.all.subarray(address, address + 1);
  return first === 1 ? readOldHeader(cursor) : readNewHeader(cursor);
}

function readOldHeader(cursor: Cursor): Message[] {
  cursor.skip(WORD);
  const size = cursor.uint32();
  cursor.skip(4);
  const readPrefix = (block: Cursor) => {
    const [type, size, flags] = [block.uint16(), block.uint16(), block.uint8()];
    block.skip(3);
    return { type, size, flags };
  };
  return readBlocks(cursor.part(size), { prefixBytes: 8, readPrefix });
}

function readNewHeader(cursor: Cursor): Message[] {
  const start = cursor.address;
  cursor.expect("OHDR", 2);
  const flags = cursor.uint8();
  const [sizeBytes, hasOrder, hasPhases, hasTimes] = [2 ** (flags & 3), flags & 4, flags & 16, flags & 32];
  cursor.skip((hasTimes ? 16 : 0) + (hasPhases ? 4 : 0));
  const size = cursor.uint(sizeBytes);
  const readPrefix = (block: Cursor) => {
    const [type, size, flags] = [block.uint8(), block.uint16(), block.uint8()];
    if (hasOrder) block.skip(2);
    return { type, size, flags };
  };
  const first = cursor.part(size);
  cursor.expectChecksum(start);
  return readBlocks(first, { prefixBytes: hasOrder ? 6 : 4, readPrefix, signature: "OCHK" });
}

interface BlockFormat {
  readonly prefixBytes: number;
  readPrefix(block: Cursor): { type: number; size: number; flags: number };
  /** Of the blocks after the first, which then end in a checksum. */
  readonly signature?: string;
}

/** The messages of a block and of those that continue it. */
function readBlocks(first: Cursor, { prefixBytes, readPrefix, signature }: BlockFormat): Message[] {
  const messages: Message[] = [];
  const blocks = [first];
  for (const block of blocks) {
    // A gap at the end is smaller than any message.
    while (block.bytesLeft >= prefixBytes) {
      const { type, size, flags } = readPrefix(block);
      const { address: start } = block;
      const body = block.part(size);
      messages.push({ type, start, size, isShared: (flags & 2) !== 0 });
      if (type !== MESSAGE.continuation) continue;
      const next = block.file.cursor("an object's header", body.uint64(), body.uint64());
      blocks.push(signature === undefined ? next : insideOf(next, signature));
    }
  }
  return messages;
}

/** What stands between a block's signature and its checksum. */
function insideOf(block: Cursor, signature: string): Cursor {
  const CHECKSUM_BYTES = 4;
  const start = block.address;
  block.expectSignature(signature);
  const inside = block.part(block.bytesLeft - CHECKSUM_BYTES);
  block.expectChecksum(start);
  return inside;
}

/** The body of an object's message of a type; undefined where it has none. */
export function findMessage(file: FileBytes, messages: readonly Message[], type: number): Cursor | undefined {
  const message = messages.find((candidate) => candidate.type === type);
  return message && bodyOf(file, message);
}

/** The body of a message. @throws UserError for one that is kept elsewhere, as types with a name of their own are. */
export function bodyOf(file: FileBytes, { start, size, isShared }: Message): Cursor {
  if (isShared) throw new UserError("it shares types between data sets: not supported.");
  return file.cursor("a message", start, size);
}
