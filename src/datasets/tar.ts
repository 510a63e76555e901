/** Tar archives, as far as data sets come in them: plain files. https://www.gnu.org/software/tar/manual/html_node/Standard.html */
import { UserError } from "../errors.ts";

const BLOCK = 512;

const text = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes).replace(/\0.*$/s, "").trim();

/**
 * The plain files of an archive, by their paths in it; views of `bytes`, no copies. Nothing is written anywhere, so that
 * paths and links in it can do no harm.
 *
 * @param name how messages call the archive
 * @throws UserError where it is cut off or no tar archive.
 */
export function parseTar(bytes: Uint8Array, name: string): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (let at = 0; at + BLOCK <= bytes.length && bytes[at] !== 0; ) {
    const header = bytes.subarray(at, at + BLOCK);
    const octal = text(header.subarray(124, 136));
    const size = Number.parseInt(octal, 8);
    if (!/^[0-7]+$/.test(octal) || at + BLOCK + size > bytes.length) {
      throw new UserError(`${name}: no tar archive, or a damaged one; get it again.`);
    }
    const type = header[156];
    const content = bytes.subarray(at + BLOCK, at + BLOCK + size);
    if (type === 0 || type === 0x30) files.set(text(header.subarray(0, 100)), content);
    at += BLOCK * (1 + Math.ceil(size / BLOCK));
  }
  return files;
}
