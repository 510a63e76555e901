/**
 * The bytes of an HDF5 file that is written. All its parts are given their places first; then each is written once, from
 * the file's start to its end, so that no byte of what was in the memory before stays.
 */
import { isWholeText, show } from "../../arguments.ts";
import { InternalError, UserError } from "../../errors.ts";

/** Everything begins at multiples of this many bytes. */
const WORD = 8;

/** The address of what was never made: all bits set. */
export const NO_ADDRESS = -1;

/** So many bytes, filled up to words. */
export const aligned = (bytes: number) => Math.ceil(bytes / WORD) * WORD;

const encoder = new TextEncoder();

/**
 * Text in UTF-8.
 *
 * @throws UserError for text with a zero, which ends it in HDF5, or with half a character, for which UTF-8 has no bytes
 */
export function encodeText(text: string): Uint8Array {
  if (!isWholeText(text)) {
    throw new UserError(`cannot save ${show(text)}: HDF5 has no zeros and no halves of characters in text.`);
  }
  return encoder.encode(text);
}

/** Writes numbers and bytes one after the other, little-endian. */
export class ByteWriter {
  readonly #all: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(all: Uint8Array) {
    this.#all = all;
    this.#view = new DataView(all.buffer, all.byteOffset, all.byteLength);
  }

  #take(size: number): number {
    const start = this.#at;
    this.#at += size;
    return start;
  }

  uint8(value: number): void {
    this.#view.setUint8(this.#take(1), value);
  }

  uint16(value: number): void {
    this.#view.setUint16(this.#take(2), value, true);
  }

  uint32(value: number): void {
    this.#view.setUint32(this.#take(4), value, true);
  }

  /** An integer of 8 bytes, with a sign or without: addresses, sizes, numbers of steps. */
  int64(value: number): void {
    this.#view.setBigInt64(this.#take(8), BigInt(value), true);
  }

  bytes(values: ArrayLike<number>): void {
    this.#all.set(values, this.#take(values.length));
  }

  /** The letters with which a table begins. */
  signature(letters: string): void {
    this.bytes(encoder.encode(letters));
  }

  zeros(count: number): void {
    this.zerosTo(this.#at + count);
  }

  /** Zeros to the next word. */
  align(): void {
    this.zerosTo(aligned(this.#at));
  }

  /** Zeros from here to an address. */
  zerosTo(end: number): void {
    if (end < this.#at) throw new InternalError(`HDF5: ${this.#at - end} bytes too many before byte ${end}`);
    this.#all.fill(0, this.#at, end);
    this.#at = end;
  }
}

export type Write = (out: ByteWriter) => void;

/** Gives the parts of a file their places, one behind the other. */
export class FileLayout {
  readonly #parts: { readonly end: number; readonly write: Write }[] = [];
  #size = 0;

  /** The bytes of the file, as far as it has been laid out. */
  get size(): number {
    return this.#size;
  }

  /** Places a part of so many bytes; `write` is called when all are placed. What it leaves is zeros. */
  add(bytes: number, write: Write): number {
    const address = this.#size;
    this.#size += aligned(bytes);
    this.#parts.push({ end: this.#size, write });
    return address;
  }

  /** Writes all parts, into the given memory where it is large enough. */
  toBytes(into: ArrayBuffer | undefined): Uint8Array<ArrayBuffer> {
    const bytes = into && into.byteLength >= this.#size ? new Uint8Array(into, 0, this.#size) : this.#allocate();
    const out = new ByteWriter(bytes);
    for (const { end, write } of this.#parts) {
      write(out);
      out.zerosTo(end);
    }
    return bytes;
  }

  #allocate(): Uint8Array<ArrayBuffer> {
    try {
      return new Uint8Array(this.#size);
    } catch (error) {
      throw new UserError(`there is no memory for a file of ${this.#size} bytes.`, { cause: error });
    }
  }
}
