/**
 * Python's pickles, as far as CIFAR-10's batches need them: dictionaries, lists, numbers, strings and NumPy's arrays of
 * bytes. Nothing in a file can run code: the only calls understood are those that make such an array, and every opcode
 * that the batches do not consist of is refused. https://docs.python.org/3/library/pickletools.html
 */
import { show } from "../arguments.ts";
import { formatShape, NDArray, sizeOf } from "../array.ts";
import { UserError } from "../errors.ts";
import { toRowMajor } from "../formats/npy.ts";

const MARK = Symbol("mark");

/** The three globals that NumPy names in a pickled array; any other is refused. */
const GLOBALS = {
  "numpy.core.multiarray._reconstruct": "reconstruct",
  "numpy._core.multiarray._reconstruct": "reconstruct",
  "numpy.ndarray": "ndarray",
  "numpy.dtype": "dtype",
} as const;

class Global {
  readonly role: (typeof GLOBALS)[keyof typeof GLOBALS];
  constructor(role: Global["role"]) {
    this.role = role;
  }
}

/** What is being built by a call of one of the globals: first made, then given its state. */
class PickledObject {
  readonly role: Global["role"];
  readonly args: readonly unknown[];
  array: NDArray<"uint8"> | undefined;
  constructor(role: Global["role"], args: readonly unknown[]) {
    this.role = role;
    this.args = args;
  }
}

class Unpickler {
  /** What each opcode does, by its letter; what stands in no row is refused. */
  static readonly #opcodes: Readonly<Record<string, (machine: Unpickler) => unknown>> = {
    "\x80": (machine) => machine.#uint(1),
    "(": (machine) => machine.#stack.push(MARK),
    "}": (machine) => machine.#stack.push(new Map()),
    "]": (machine) => machine.#stack.push([]),
    N: (machine) => machine.#stack.push(null),
    "\x88": (machine) => machine.#stack.push(true),
    "\x89": (machine) => machine.#stack.push(false),
    K: (machine) => machine.#stack.push(machine.#uint(1)),
    M: (machine) => machine.#stack.push(machine.#uint(2)),
    J: (machine) => machine.#stack.push(machine.#uint(4) | 0),
    U: (machine) => machine.#stack.push(machine.#take(machine.#uint(1))),
    T: (machine) => machine.#stack.push(machine.#take(machine.#uint(4))),
    C: (machine) => machine.#stack.push(machine.#take(machine.#uint(1))),
    B: (machine) => machine.#stack.push(machine.#take(machine.#uint(4))),
    X: (machine) => machine.#stack.push(text(machine.#take(machine.#uint(4)))),
    "\x85": (machine) => machine.#stack.push(machine.#popTo(1)),
    "\x86": (machine) => machine.#stack.push(machine.#popTo(2)),
    "\x87": (machine) => machine.#stack.push(machine.#popTo(3)),
    t: (machine) => machine.#stack.push(machine.#popMarked()),
    a: (machine) => machine.#append(machine.#popTo(1)),
    e: (machine) => machine.#append(machine.#popMarked()),
    s: (machine) => machine.#setItems(machine.#popTo(2)),
    u: (machine) => machine.#setItems(machine.#popMarked()),
    q: (machine) => machine.#memo.set(machine.#uint(1), machine.#stack.at(-1)),
    r: (machine) => machine.#memo.set(machine.#uint(4), machine.#stack.at(-1)),
    h: (machine) => machine.#stack.push(machine.#memo.get(machine.#uint(1))),
    j: (machine) => machine.#stack.push(machine.#memo.get(machine.#uint(4))),
    c: (machine) => machine.#stack.push(machine.#global(machine.#line(), machine.#line())),
    R: (machine) => machine.#call(),
    b: (machine) => machine.#build(),
  };

  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #name: string;
  readonly #memo = new Map<number, unknown>();
  readonly #stack: unknown[] = [];
  #at = 0;

  constructor(bytes: Uint8Array, name: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#name = name;
  }

  refuse(what: string): UserError {
    return new UserError(`${this.#name}: no batch of CIFAR-10, or a damaged one: ${what} (byte ${this.#at}).`);
  }

  /** The value that the program of opcodes leaves behind. */
  load(): unknown {
    for (;;) {
      const code = this.#uint(1);
      const opcode = String.fromCharCode(code);
      if (opcode === ".") return this.#pop();
      const run = Object.hasOwn(Unpickler.#opcodes, opcode) ? Unpickler.#opcodes[opcode] : undefined;
      if (!run) throw this.refuse(`opcode 0x${code.toString(16).padStart(2, "0")} does not belong there`);
      run(this);
    }
  }

  #take(count: number): Uint8Array {
    if (count < 0 || count > this.#bytes.length - this.#at) throw this.refuse("it is cut off");
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  #uint(size: 1 | 2 | 4): number {
    const start = this.#take(size).byteOffset - this.#bytes.byteOffset;
    if (size === 1) return this.#view.getUint8(start);
    return size === 2 ? this.#view.getUint16(start, true) : this.#view.getUint32(start, true);
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    const line = text(this.#take(end - this.#at));
    this.#at++;
    return line;
  }

  #pop(): unknown {
    if (this.#stack.length === 0) throw this.refuse("its stack is empty");
    return this.#stack.pop();
  }

  #popTo(count: number): unknown[] {
    if (count > this.#stack.length) throw this.refuse("its stack is empty");
    return this.#stack.splice(this.#stack.length - count);
  }

  #popMarked(): unknown[] {
    const items = this.#popTo(this.#stack.length - 1 - this.#stack.lastIndexOf(MARK));
    this.#pop();
    return items;
  }

  #top<Kind>(kind: new (...args: never[]) => Kind): Kind {
    const value = this.#stack.at(-1);
    if (value instanceof kind) return value;
    throw this.refuse(`a ${kind.name} is missing`);
  }

  #append(items: readonly unknown[]): void {
    const list = this.#top(Array);
    for (const item of items) list.push(item);
  }

  #setItems(items: readonly unknown[]): void {
    const dictionary = this.#top(Map);
    for (let i = 0; i + 1 < items.length; i += 2) {
      const key = items[i];
      dictionary.set(key instanceof Uint8Array ? text(key) : key, items[i + 1]);
    }
  }

  #global(module: string, name: string): Global {
    const full = `${module}.${name}`;
    if (Object.hasOwn(GLOBALS, full)) return new Global(GLOBALS[full as keyof typeof GLOBALS]);
    throw this.refuse(`it names ${show(full)}, which could run code`);
  }

  #call(): void {
    const args = this.#pop();
    const callee = this.#top(Global);
    this.#pop();
    if (!Array.isArray(args) || callee.role === "ndarray") throw this.refuse("a call that makes no array");
    this.#stack.push(new PickledObject(callee.role, args));
  }

  /** Gives an array its shape and bytes; the state of a type of element says nothing that is needed. */
  #build(): void {
    const state = this.#pop();
    const object = this.#top(PickledObject);
    if (object.role === "dtype") return;
    const [, shape, dtype, isFortran, bytes] = Array.isArray(state) ? state : [];
    const code = dtype instanceof PickledObject && dtype.role === "dtype" ? dtype.args[0] : undefined;
    if ((code instanceof Uint8Array ? text(code) : code) !== "u1")
      throw this.refuse("an array of something else than bytes");
    const isShape = Array.isArray(shape) && shape.every((size) => typeof size === "number" && size >= 0);
    if (!isShape || !(bytes instanceof Uint8Array) || bytes.length !== sizeOf(shape)) {
      throw this.refuse(`an array${isShape ? ` of shape ${formatShape(shape)}` : ""} whose bytes do not fill it`);
    }
    const data = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    object.array = new NDArray<"uint8">(isFortran === true ? toRowMajor(data, shape) : data, shape);
  }
}

/** Byte strings of Python 2 as text; all that matter are ASCII. */
function text(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}

/** One of CIFAR-10's batches. */
export interface PickledBatch {
  /** (n, 3072): a row an image; red, then green, then blue, each row by row. */
  readonly data: NDArray<"uint8">;
  readonly labels: readonly number[];
}

/**
 * Reads a pickled batch: a dictionary with `data` and `labels`.
 *
 * @param name how messages call the file
 * @throws UserError for anything else, before any of it takes effect.
 */
export function parsePickledBatch(bytes: Uint8Array, name: string): PickledBatch {
  const unpickler = new Unpickler(bytes, name);
  const batch = unpickler.load();
  const [pickled, labels] = batch instanceof Map ? [batch.get("data"), batch.get("labels")] : [];
  const data = pickled instanceof PickledObject ? pickled.array : undefined;
  const isBatch = data?.shape.length === 2 && data.shape[1] === 3072 && Array.isArray(labels);
  if (!isBatch || labels.length !== data.length)
    throw unpickler.refuse("expected n labels and data of shape (n, 3072)");
  const wrong = labels.find((label) => !Number.isInteger(label) || label < 0 || label > 9);
  if (wrong !== undefined) throw unpickler.refuse(`a label is ${String(wrong)}, expected 0 to 9`);
  return { data, labels };
}
