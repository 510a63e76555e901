/**
 * Zip archives, read with suspicion: names, sizes and methods are checked before anything is unpacked, and the checksums
 * after. https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 */
import { inflateSync, zipSync } from "fflate";
import { show } from "../arguments.ts";
import { UserError } from "../errors.ts";

/** An archive of any size may unpack to this much, a large one to so many times its own size. */
const SMALL = 2 ** 26;
const MOST_TIMES = 100;
/** No array that is read here is larger. */
const LARGEST = 2 ** 31;

const DIRECTORY_END = 0x06054b50;
const DIRECTORY_END_BYTES = 22;
const DIRECTORY_ENTRY = 0x02014b50;
const FILE_HEADER = 0x04034b50;
const LONGEST_COMMENT = 0xffff;
const STORED = 0;
const DEFLATED = 8;

interface Entry {
  readonly name: string;
  readonly isEncrypted: boolean;
  readonly method: number;
  readonly checksum: number;
  /** In the archive, and unpacked. */
  readonly packedBytes: number;
  readonly bytes: number;
  /** Where its header begins. */
  readonly start: number;
}

const noArchive = (reason: string) => new UserError(`it is no zip archive, or a damaged one (${reason}).`);

/**
 * The files of an archive that are wanted, by name.
 *
 * @throws UserError for a damaged archive, names that are there twice, encrypted files, and more than the archive's size
 *   makes believable.
 */
export function readZip(bytes: Uint8Array, isWanted: (name: string) => boolean): Map<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wanted = new Map<string, Entry>();
  for (const entry of readDirectory(view)) {
    if (!isWanted(entry.name)) continue;
    if (wanted.has(entry.name)) throw new UserError(`its archive has two files named ${show(entry.name)}.`);
    wanted.set(entry.name, entry);
  }
  const most = Math.min(LARGEST, Math.max(SMALL, MOST_TIMES * bytes.length));
  const total = [...wanted.values()].reduce((sum, entry) => sum + entry.bytes, 0);
  if (total > most) {
    throw new UserError(`its archive claims to unpack to ${total} bytes; at most ${most} are believed of its size.`);
  }
  return new Map([...wanted].map(([name, entry]) => [name, unpack(view, entry)]));
}

/** What the directory at the end says of each file. */
function* readDirectory(view: DataView): Generator<Entry> {
  let end = view.byteLength - DIRECTORY_END_BYTES;
  const first = Math.max(0, end - LONGEST_COMMENT);
  while (end >= first && view.getUint32(end, true) !== DIRECTORY_END) end--;
  if (end < first) throw noArchive("it has no directory");
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  for (let i = 0; i < count; i++) {
    if (at + 46 > end || view.getUint32(at, true) !== DIRECTORY_ENTRY) throw noArchive("its directory is damaged");
    const nameBytes = view.getUint16(at + 28, true);
    const next = at + 46 + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (next > end) throw noArchive("its directory is damaged");
    yield {
      name: new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at + 46, nameBytes)),
      isEncrypted: (view.getUint16(at + 8, true) & 1) === 1,
      method: view.getUint16(at + 10, true),
      checksum: view.getUint32(at + 16, true),
      packedBytes: view.getUint32(at + 20, true),
      bytes: view.getUint32(at + 24, true),
      start: view.getUint32(at + 42, true),
    };
    at = next;
  }
}

function unpack(view: DataView, { name, isEncrypted, method, checksum, packedBytes, bytes, start }: Entry): Uint8Array {
  if (isEncrypted) throw new UserError(`${show(name)} in its archive is encrypted: not supported.`);
  if (method !== STORED && method !== DEFLATED) {
    throw new UserError(
      `${show(name)} in its archive is packed by method ${method}; stored and deflated are supported.`,
    );
  }
  const isThere = start + 30 <= view.byteLength && view.getUint32(start, true) === FILE_HEADER;
  const from = isThere ? start + 30 + view.getUint16(start + 26, true) + view.getUint16(start + 28, true) : 0;
  if (!isThere || from + packedBytes > view.byteLength) throw noArchive(`${show(name)} is not where it should be`);
  const packed = new Uint8Array(view.buffer, view.byteOffset + from, packedBytes);
  const content = method === STORED ? packed : inflate(packed, bytes, name);
  if (content.length !== bytes || crc32(content) !== checksum) {
    throw noArchive(`${show(name)} has another checksum than it should`);
  }
  return content;
}

function inflate(packed: Uint8Array, bytes: number, name: string): Uint8Array {
  try {
    return inflateSync(packed, { out: new Uint8Array(bytes) });
  } catch (error) {
    throw noArchive(`${show(name)}: ${(error as Error).message}`);
  }
}

/** Eight tables of 256: what a byte adds to the checksum that is followed by 0 to 7 others (Kounavis & Berry 2005). */
const CRC_TABLES = (() => {
  const tables = new Uint32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i++) {
    const before = tables[i - 256]!;
    tables[i] = (before >>> 8) ^ tables[before & 255]!;
  }
  return tables;
})();

/** The checksum of zip archives (IEEE 802.3), eight bytes at a time: files of weights are large. */
function crc32(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const after = (byte: number, others: number) => CRC_TABLES[others * 256 + (byte & 255)]!;
  let crc = ~0;
  let at = 0;
  for (; at + 8 <= bytes.length; at += 8) {
    const low = crc ^ view.getInt32(at, true);
    const high = view.getInt32(at + 4, true);
    crc =
      after(low, 7) ^
      after(low >>> 8, 6) ^
      after(low >>> 16, 5) ^
      after(low >>> 24, 4) ^
      after(high, 3) ^
      after(high >>> 8, 2) ^
      after(high >>> 16, 1) ^
      after(high >>> 24, 0);
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ after(crc ^ bytes[at]!, 0);
  return ~crc >>> 0;
}

/** The earliest time that a zip archive can note; the same content makes the same bytes. */
const NO_TIME = "1980-01-01T00:00:00";

/** An archive of these files, not packed, in their order. */
export function writeZip(files: Readonly<Record<string, Uint8Array>>): Uint8Array {
  return zipSync(files, { level: 0, mtime: NO_TIME });
}
