/**
 * The bytes of an HDF5 file, read number by number and held against where they may lie. Everything is little-endian;
 * addresses and lengths have 8 bytes in every file that h5py writes.
 * https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
 */
import { UserError } from "../../errors.ts";

/** The address of what was never made: all bits set, as a float64. */
export const NOWHERE = 2 ** 64;

/** Groups may lie in themselves, so that a path has no end: so many names are followed. Keras's are five deep. */
export const DEEPEST = 50;

/**
 * How often the tables of a file are read at most, in lengths of the file. Each is needed once, so that a file in which
 * more is read leads in circles. This alone bounds every loop of the reader.
 */
const MOST_TIMES = 8;
const SMALL = 2 ** 16;

export const damaged = (reason: string) => new UserError(`the file is damaged (${reason}).`);

export class FileBytes {
  readonly all: Uint8Array;
  readonly view: DataView;
  #unread: number;

  constructor(all: Uint8Array) {
    this.all = all;
    this.view = new DataView(all.buffer, all.byteOffset, all.byteLength);
    this.#unread = MOST_TIMES * all.length + SMALL;
  }

  /** `what` lies at an address and takes `size` bytes, or all to the end. */
  cursor(what: string, address: number, size = this.all.length - address): Cursor {
    this.check(what, address, size);
    return new Cursor(this, what, address, address + size);
  }

  /** @throws UserError for bytes that are not in the file. */
  check(what: string, address: number, size: number): void {
    // Written so that NaN is refused.
    if (size >= 0 && address + size <= this.all.length) return;
    throw damaged(`${what} lies outside of it`);
  }

  /** Counts bytes of a table as read. */
  count(bytes: number): void {
    this.#unread -= bytes;
    if (this.#unread < 0) throw damaged("its tables lead in circles");
  }
}

/** Goes through a part of a file from its start. Every method throws a UserError where the part is too short. */
export class Cursor {
  readonly file: FileBytes;
  readonly #what: string;
  readonly #end: number;
  #at: number;

  constructor(file: FileBytes, what: string, start: number, end: number) {
    this.file = file;
    this.#what = what;
    this.#at = start;
    this.#end = end;
  }

  /** The address of the next byte. */
  get address(): number {
    return this.#at;
  }

  get bytesLeft(): number {
    return this.#end - this.#at;
  }

  #take(size: number): number {
    const start = this.#at;
    this.skip(size);
    this.file.count(size);
    return start;
  }

  skip(size: number): void {
    if (!(size >= 0 && size <= this.bytesLeft)) throw damaged(`${this.#what} at byte ${this.#at} is too short`);
    this.#at += size;
  }

  uint8(): number {
    return this.file.view.getUint8(this.#take(1));
  }

  uint16(): number {
    return this.file.view.getUint16(this.#take(2), true);
  }

  uint32(): number {
    return this.file.view.getUint32(this.#take(4), true);
  }

  /** Rounded beyond 2^53, which no file reaches. */
  uint64(): number {
    return this.uint(8);
  }

  /** A number of so many bytes. */
  uint(size: number): number {
    const start = this.#take(size);
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + this.file.view.getUint8(start + i);
    return value;
  }

  bytes(size: number): Uint8Array {
    const start = this.#take(size);
    return this.file.all.subarray(start, start + size);
  }

  /** The next `size` bytes as a part of their own. */
  part(size: number): Cursor {
    const start = this.#at;
    this.skip(size);
    return new Cursor(this.file, this.#what, start, start + size);
  }

  /** The four letters with which a table begins, and its version. */
  expect(signature: string, version: number): void {
    const address = this.#at;
    this.expectSignature(signature);
    const found = this.uint8();
    if (found !== version) throw damaged(`${this.#what} at byte ${address} has version ${found}`);
  }

  /** The checksum of all from an address to here. */
  expectChecksum(start: number): void {
    const { all } = this.file;
    const sum = checksumOf(all.subarray(start, this.#at));
    this.file.count(this.#at - start);
    if (this.uint32() !== sum) throw damaged(`${this.#what} at byte ${start} has another checksum than it should`);
  }

  expectSignature(signature: string): void {
    const address = this.#at;
    if (String.fromCharCode(...this.bytes(signature.length)) === signature) return;
    throw damaged(`${this.#what} at byte ${address} does not begin with ${signature}`);
  }
}

/** The checksum of newer tables: `hashlittle` of Bob Jenkins's lookup3. https://burtleburtle.net/bob/c/lookup3.c */
function checksumOf(bytes: Uint8Array): number {
  const BLOCK = 12;
  const blocks = Math.max(1, Math.ceil(bytes.length / BLOCK));
  const padded = new Uint8Array(BLOCK * blocks);
  padded.set(bytes);
  const view = new DataView(padded.buffer);
  const turn = (value: number, bits: number) => (value << bits) | (value >>> (32 - bits));
  let [a, b, c] = Array<number>(3).fill((0xdeadbeef + bytes.length) | 0) as [number, number, number];
  for (let at = 0; at < padded.length; at += BLOCK) {
    if (at > 0) {
      for (const bits of [4, 6, 8, 16, 19, 4]) [a, b, c] = [b, (c + b) | 0, ((a - c) | 0) ^ turn(c, bits)];
    }
    a = (a + view.getInt32(at, true)) | 0;
    b = (b + view.getInt32(at + 4, true)) | 0;
    c = (c + view.getInt32(at + 8, true)) | 0;
  }
  for (const bits of [14, 11, 25, 16, 4, 14, 24]) [c, a, b] = [a, b, ((c ^ b) - turn(b, bits)) | 0];
  return b >>> 0;
}

const utf8 = new TextDecoder();

/** Text in UTF-8 to the first zero byte, or to the end. Keras writes UTF-8 whatever the file says. */
export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return utf8.decode(end < 0 ? bytes : bytes.subarray(0, end));
}
