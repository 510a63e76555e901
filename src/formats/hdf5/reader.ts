/**
 * The little of HDF5 that reading models needs, without HDF5's own library: that is 4 MB and takes longer to start than
 * a model takes to load. Nothing is allocated before its size was held against the file's; links, filters and virtual
 * data sets, which lead out of the file or blow it up, are refused by name.
 *
 * `bytes.ts` reads numbers, `objects.ts` the headers of objects, `links.ts` what groups hold,
 * `types.ts` types and attributes, `data.ts` elements, and `dense.ts` the tables of large groups.
 */
import { UserError } from "../../errors.ts";
import { DEEPEST, type FileBytes } from "./bytes.ts";
import { readElements, storageOf } from "./data.ts";
import { type Link, readLinks } from "./links.ts";
import { findMessage, MESSAGE, type Message, openFile, readHeader } from "./objects.ts";
import {
  type Attribute,
  type ElementType,
  elementsOf,
  readAttributes,
  readShape,
  readType,
  StringReader,
} from "./types.ts";

/** Opens a file at its root. @throws UserError for bytes that are no HDF5 file, or a damaged one. */
export function openHdf5(bytes: Uint8Array): GroupReader {
  if (bytes.length === 0) throw new UserError("the file is empty.");
  const { file, root } = openFile(bytes);
  const open = new OpenFile(file);
  return new GroupReader(open, open.object(root), "/");
}

/** An object of the file; each table is read when it is first asked for. */
class FileObject {
  readonly messages: readonly Message[];
  readonly #file: FileBytes;
  #links: ReadonlyMap<string, Link> | undefined;
  #attributes: ReadonlyMap<string, Attribute> | undefined;

  constructor(file: FileBytes, address: number) {
    this.#file = file;
    this.messages = readHeader(file, address);
  }

  /** Undefined for what is no group. */
  get links(): ReadonlyMap<string, Link> | undefined {
    this.#links ??= readLinks(this.#file, this.messages);
    return this.#links;
  }

  get attributes(): ReadonlyMap<string, Attribute> {
    this.#attributes ??= readAttributes(this.#file, this.messages);
    return this.#attributes;
  }

  get isDataset(): boolean {
    return this.messages.some(({ type }) => type === MESSAGE.layout);
  }
}

/** An open file, and what may still be read of it. */
class OpenFile {
  readonly bytes: FileBytes;
  readonly strings: StringReader;
  readonly #objects = new Map<number, FileObject>();
  #unread: number;

  constructor(bytes: FileBytes) {
    this.bytes = bytes;
    this.strings = new StringReader(bytes);
    this.#unread = bytes.all.length;
  }

  /** The object whose header is at an address. */
  object(address: number): FileObject {
    const object = this.#objects.get(address) ?? new FileObject(this.bytes, address);
    this.#objects.set(address, object);
    return object;
  }

  /**
   * Counts `size` bytes as read. A file holds each tensor once, so that more than the whole file is never read,
   * whatever its tables say.
   */
  claim(what: string, size: number): void {
    // Also refuses NaN and infinity.
    if (!(size <= this.#unread)) {
      throw new UserError(`${what} claims ${size} bytes, more than the file holds (${this.bytes.all.length} in all).`);
    }
    this.#unread -= size;
  }
}

const join = (group: string, name: string) => (group === "/" ? `/${name}` : `${group}/${name}`);

/** A group of the file. */
export class GroupReader {
  readonly path: string;
  readonly #file: OpenFile;
  readonly #object: FileObject;

  constructor(file: OpenFile, object: FileObject, path: string) {
    this.#file = file;
    this.#object = object;
    this.path = path;
  }

  /** An attribute that is one string. */
  text(attribute: string): string | undefined {
    const found = this.#strings(attribute);
    if (found === undefined) return undefined;
    const [value] = found.values;
    if (!found.isList && value !== undefined) return value;
    throw new UserError(`its attribute ${attribute} of ${this.path} must be one string.`);
  }

  /** An attribute that is a list of strings; Keras writes the empty list as one of numbers. */
  texts(attribute: string): readonly string[] | undefined {
    return this.#strings(attribute)?.values;
  }

  #strings(name: string): { values: string[]; isList: boolean } | undefined {
    const attribute = this.#object.attributes.get(name);
    if (!attribute) return undefined;
    const { shape, type } = attribute;
    const isList = shape !== undefined && shape.length > 0;
    if (isList && elementsOf(shape) === 0) return { values: [], isList };
    if (shape === undefined || !["string", "fixed string"].includes(type.kind)) {
      throw new UserError(`its attribute ${name} of ${this.path} must be made of strings.`);
    }
    return { values: this.#file.strings.read(attribute), isList };
  }

  /** A group below this one. */
  group(path: string): GroupReader | undefined {
    const found = this.#find(path);
    return found?.object.links && new GroupReader(this.#file, found.object, found.path);
  }

  /** A data set below this group. */
  dataset(path: string): DatasetReader | undefined {
    const found = this.#find(path);
    return found?.object.isDataset ? new DatasetReader(this.#file, found.object.messages, path) : undefined;
  }

  /** Walks a path name by name and looks at each before following it. */
  #find(path: string): { path: string; object: FileObject } | undefined {
    let found = { path: this.path, object: this.#object };
    const names = path.split("/").filter((part) => part !== "");
    if (names.length > DEEPEST) {
      throw new UserError(`${this.path} names something ${names.length} groups deep; at most ${DEEPEST} are followed.`);
    }
    for (const name of names) {
      const link = found.object.links?.get(name);
      if (!link) return undefined;
      const next = join(found.path, name);
      if (link.kind !== "object") throw new UserError(`${next} is ${link.kind}; links are not followed.`);
      found = { path: next, object: this.#file.object(link.address) };
    }
    return found;
  }
}

/** A data set of the file. */
export class DatasetReader {
  readonly #file: OpenFile;
  readonly #messages: readonly Message[];
  readonly #name: string;
  /** Undefined where there are no elements at all, not even none in a list. */
  readonly #shape: readonly number[] | undefined;
  readonly #type: ElementType;

  constructor(file: OpenFile, messages: readonly Message[], name: string) {
    const [shape, type] = [MESSAGE.dataspace, MESSAGE.datatype].map((kind) => findMessage(file.bytes, messages, kind));
    if (!shape || !type) throw new UserError(`"${name}" is damaged: it has no shape or no type.`);
    this.#file = file;
    this.#messages = messages;
    this.#name = name;
    this.#shape = readShape(shape);
    this.#type = readType(type);
  }

  get shape(): readonly number[] {
    return this.#shape ?? [];
  }

  /**
   * The elements, as float32.
   *
   * @throws UserError for other than floating-point numbers, for compressed data, for more than the file can hold.
   */
  floats(): Float32Array {
    const { kind, size, name } = this.#type;
    if (kind !== "float") throw new UserError(`"${this.#name}" is ${name}, expected float16, float32 or float64.`);
    const { buffer } = this.#read();
    if (size === 4) return new Float32Array(buffer);
    return size === 8 ? Float32Array.from(new Float64Array(buffer)) : halvesToFloats(new Uint16Array(buffer));
  }

  #integer(): number {
    const { kind, size, isSigned, name } = this.#type;
    const count = elementsOf(this.shape);
    if (kind !== "integer" || count !== 1 || ![1, 2, 4, 8].includes(size)) {
      throw new UserError(`"${this.#name}" is ${name} of ${count} element(s), expected one integer.`);
    }
    const bits = this.#read().reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
    return Number(isSigned ? BigInt.asIntN(size * 8, bits) : bits);
  }

  /** The only element, a number of steps. */
  count(): number {
    const value = this.#integer();
    if (Number.isSafeInteger(value) && value >= 0) return value;
    throw new UserError(`"${this.#name}" must be a number of steps, got ${value}.`);
  }

  /** The bytes of all elements, little-endian. */
  #read(): Uint8Array<ArrayBuffer> {
    const { size, isBigEndian } = this.#type;
    if (!this.#shape) throw new UserError(`"${this.#name}" has no elements.`);
    const storage = storageOf(this.#file.bytes, this.#messages, this.#name);
    this.#file.claim(`"${this.#name}"`, size * elementsOf(this.#shape));
    const bytes = readElements(storage, { name: this.#name, shape: this.#shape, size });
    for (let at = 0; isBigEndian && at < bytes.length; at += size) bytes.subarray(at, at + size).reverse();
    return bytes;
  }
}

/** IEEE 754 half precision. */
function halvesToFloats(halves: Uint16Array): Float32Array {
  return Float32Array.from(halves, (bits) => {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
  });
}
