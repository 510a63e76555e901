/**
 * The bytes of a module, function by function. wasmati hands all code to one call as its arguments, one a byte, for which
 * the stack is too small from about 120 KB on; a function alone stays well below that.
 */
import type { Module } from "wasmati";

type BuiltModule = Pick<ReturnType<typeof Module>, "module" | "toBytes">;

/** `\0asm` and the version. */
const PREAMBLE = 8;
const CODE_SECTION = 10;

interface Section {
  readonly id: number;
  /** Where it begins, with its number and length, and where its content does. */
  readonly start: number;
  readonly content: number;
  readonly end: number;
}

/** Reads a number as WebAssembly writes it (LEB128), and where it ends. */
function readLength(bytes: Uint8Array, at: number): { value: number; end: number } {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]!;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return { value, end: at };
  }
}

function lengthBytes(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...lengthBytes(value >>> 7)];
}

function findCode(bytes: Uint8Array): Section {
  for (let start = PREAMBLE; ; ) {
    const { value, end: content } = readLength(bytes, start + 1);
    const section = { id: bytes[start]!, start, content, end: content + value };
    if (section.id === CODE_SECTION) return section;
    start = section.end;
  }
}

function join(parts: readonly ArrayLike<number>[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** What `built.toBytes()` gives, for modules of any size. */
export function encodeModule(built: BuiltModule): Uint8Array {
  const whole = built.module;
  const encode = (module: BuiltModule["module"]) => {
    built.module = module;
    const bytes = built.toBytes();
    built.module = whole;
    return bytes;
  };
  const entries = whole.funcs.map((func) => {
    const bytes = encode({ ...whole, types: [], imports: [], exports: [], funcs: [func] });
    const { content, end } = findCode(bytes);
    // Behind the number of functions, which is 1.
    return bytes.subarray(content + 1, end);
  });
  const hollow = encode({ ...whole, funcs: whole.funcs.map((func) => ({ ...func, locals: [], body: [] })) });
  const { start, end } = findCode(hollow);
  const code = join([lengthBytes(entries.length), ...entries]);
  return join([hollow.subarray(0, start), [CODE_SECTION], lengthBytes(code.length), code, hollow.subarray(end)]);
}
