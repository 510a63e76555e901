/**
 * The bytes of a module. wasmati copies the code of a block once for each block around it, and hands all code to one call
 * as its arguments, one a byte, for which the stack is too small from about 120 KB on. So wasmati encodes each different
 * instruction once, as a function of its own, and code is put together from those: a third of the time.
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

type Func = BuiltModule["module"]["funcs"][number];
type Instruction = Func["body"][number];

const ELSE = 5;
const END = 11;

/** Instructions that fit one call of wasmati's, with room to spare. */
const AT_ONCE = 4096;

/** What stands in the code section for each function, without its length: its locals, then instructions, then END. */
function bodiesIn(module: Uint8Array): Uint8Array[] {
  const { value: count, end } = readLength(module, findCode(module).content);
  let at = end;
  return Array.from({ length: count }, () => {
    const length = readLength(module, at);
    at = length.end + length.value;
    return module.subarray(length.end, at);
  });
}

/** An instruction's argument where it holds other instructions. */
interface Held {
  readonly blockType: unknown;
  readonly instructions: readonly Instruction[] | { if: readonly Instruction[]; else?: readonly Instruction[] };
}

function heldBy({ name, immediate }: Instruction): Held | undefined {
  return name === "block" || name === "loop" || name === "if" ? (immediate as Held) : undefined;
}

/** Bodies as rows of the different instructions that they are made of. */
class Dictionary {
  readonly #numbers = new Map<string, number>();
  readonly instructions: Instruction[] = [];

  /** The numbers of a body's instructions in their order; END and ELSE are below zero. */
  numbersOf(body: readonly Instruction[], row: number[] = []): number[] {
    for (const instruction of body) {
      const held = heldBy(instruction);
      if (!held) {
        row.push(this.#numberOf(keyOf(instruction), instruction));
        continue;
      }
      const { name } = instruction;
      const { blockType, instructions } = held;
      const isIf = "if" in instructions;
      const empty = { name, immediate: { blockType, instructions: isIf ? { if: [] } : [] } };
      row.push(this.#numberOf(`${name} ${blockType}`, empty));
      this.numbersOf(isIf ? instructions.if : instructions, row);
      if (isIf && instructions.else) {
        row.push(-ELSE);
        this.numbersOf(instructions.else, row);
      }
      row.push(-END);
    }
    return row;
  }

  #numberOf(key: string, instruction: Instruction): number {
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#numbers.set(key, this.instructions.length);
    return this.instructions.push(instruction) - 1;
  }
}

/** Equal for equal instructions alone. */
function keyOf({ name, immediate }: Instruction): string {
  if (typeof immediate === "object") return `${name} ${JSON.stringify(immediate)}`;
  return `${name} ${Object.is(immediate, -0) ? "-0" : immediate}`;
}

/** What `built.toBytes()` gives, for modules of any size. */
export function encodeModule(built: BuiltModule): Uint8Array {
  const whole = built.module;
  const encode = (funcs: readonly Func[], others: Partial<typeof whole> = {}) => {
    built.module = { ...whole, ...others, funcs: [...funcs] };
    const bytes = built.toBytes();
    built.module = whole;
    return bytes;
  };
  const dictionary = new Dictionary();
  const rows = whole.funcs.map(({ body }) => dictionary.numbersOf(body));
  const codes: Uint8Array[] = [];
  for (let first = 0; first < dictionary.instructions.length; first += AT_ONCE) {
    const some = dictionary.instructions.slice(first, first + AT_ONCE);
    const funcs = some.map((instruction): Func => ({ ...whole.funcs[0]!, locals: [], body: [instruction] }));
    for (const [index, body] of bodiesIn(encode(funcs, { types: [], imports: [], exports: [] })).entries()) {
      // Without the number of locals and END, and the END of an instruction that holds nothing here.
      codes.push(body.subarray(1, heldBy(some[index]!) ? -2 : -1));
    }
  }
  const hollow = encode(whole.funcs.map((func) => ({ ...func, body: [] })));
  const bodies = bodiesIn(hollow).map((locals, index) => {
    const code = rows[index]!.map((number) => (number < 0 ? [-number] : codes[number]!));
    return join([locals.subarray(0, -1), ...code, [END]]);
  });
  const { start, end } = findCode(hollow);
  const code = join([lengthBytes(bodies.length), ...bodies.flatMap((body) => [lengthBytes(body.length), body])]);
  return join([hollow.subarray(0, start), [CODE_SECTION], lengthBytes(code.length), code, hollow.subarray(end)]);
}
