/**
 * The little of HDF5 that reading models needs. Nothing is allocated before its size was held against the file's;
 * links, filters and virtual data sets, which lead out of the file or blow it up, are refused by name.
 */
import { UserError } from "../errors.ts";
import { checkGlobalHeaps } from "./hdf5-global-heap.ts";
import { damaged, type Hdf5Module, isolated, loadHdf5, withBoundedMemory, withoutOtherFiles } from "./hdf5-library.ts";

type Metadata = ReturnType<Hdf5Module["get_dataset_metadata"]>;

/** Bytes for the library's tables and caches, besides what is read. */
const SPARE_MEMORY = 2 ** 26;

/** Reads a file. @throws UserError for bytes that are no HDF5 file, or a damaged one. */
export async function readHdf5<Result>(bytes: Uint8Array, use: (root: GroupReader) => Result): Promise<Result> {
  if (bytes.length === 0) throw new UserError("the file is empty.");
  const library = await loadHdf5();
  try {
    return isolated(library, (path) =>
      withBoundedMemory(2 * bytes.length + SPARE_MEMORY, () => {
        // Not copied: the file is only read.
        library.FS.writeFile(path, bytes, { canOwn: true });
        const file = new library.File(path, "r");
        try {
          checkGlobalHeaps(bytes);
          const open = new OpenFile(library.module, file.file_id, bytes.length);
          return withoutOtherFiles(library.FS, () => use(new GroupReader(open, "/")));
        } finally {
          file.close();
        }
      }),
    );
  } catch (error) {
    throw damaged(error);
  }
}

/** An open file, and what may still be read of it. */
class OpenFile {
  readonly module: Hdf5Module;
  readonly id: bigint;
  readonly bytes: number;
  readonly #names = new Map<string, ReadonlySet<string>>();
  #unread: number;

  constructor(module: Hdf5Module, id: bigint, bytes: number) {
    this.module = module;
    this.id = id;
    this.bytes = bytes;
    this.#unread = bytes;
  }

  /** The names in a group. */
  names(group: string): ReadonlySet<string> {
    const known = this.#names.get(group);
    if (known) return known;
    const names = new Set(this.module.get_names(this.id, group, false));
    this.#names.set(group, names);
    return names;
  }

  /**
   * Counts `size` bytes as read. A file holds each tensor once, so that more than the whole file is never read,
   * whatever its tables say.
   */
  claim(what: string, size: number): void {
    // Also refuses NaN and infinity.
    if (!(size <= this.#unread)) {
      throw new UserError(`${what} claims ${size} bytes, more than the file holds (${this.bytes} in all).`);
    }
    this.#unread -= size;
  }

  /** Lets `fill` put `size` bytes into the library's memory, and gives them to `use`; then they are gone. */
  fetch<Result>(size: number, fill: (pointer: number) => number, use: (bytes: Uint8Array) => Result): Result {
    const pointer = this.module._malloc(Math.max(size, 8));
    if (pointer === 0) throw new UserError(`there is no memory for ${size} bytes of the file.`);
    try {
      if (fill(pointer) < 0) throw new UserError("the file is damaged.");
      return use(this.module.HEAPU8.subarray(pointer, pointer + size));
    } finally {
      this.module._free(pointer);
    }
  }
}

const join = (group: string, name: string) => (group === "/" ? `/${name}` : `${group}/${name}`);

/** A group of the file. */
export class GroupReader {
  readonly path: string;
  readonly #file: OpenFile;

  constructor(file: OpenFile, path: string) {
    this.#file = file;
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

  #strings(attribute: string): { values: string[]; isList: boolean } | undefined {
    const { module, id, bytes } = this.#file;
    if (!module.get_attribute_names(id, this.path).includes(attribute)) return undefined;
    const metadata = module.get_attribute_metadata(id, this.path, attribute);
    const isList = metadata.shape !== null && metadata.shape.length > 0;
    if (isList && metadata.total_size === 0) return { values: [], isList };
    if (metadata.type !== module.H5T_class_t.H5T_STRING.value || metadata.shape === null) {
      throw new UserError(`its attribute ${attribute} of ${this.path} must be made of strings.`);
    }
    const size = metadata.size * metadata.total_size;
    if (!(size <= bytes)) {
      throw new UserError(`its attribute ${attribute} of ${this.path} claims ${size} bytes, the file has ${bytes}.`);
    }
    const fill = (pointer: number) => module.get_attribute_data(id, this.path, attribute, BigInt(pointer));
    const values = this.#file.fetch(size, fill, (data) => {
      if (!metadata.vlen) return fixedStrings(data, metadata);
      try {
        return variableStrings(data, module);
      } finally {
        module.reclaim_vlen_memory(id, this.path, attribute, BigInt(data.byteOffset));
      }
    });
    return { values, isList };
  }

  /** A group below this one. */
  group(path: string): GroupReader | undefined {
    const found = this.#find(path);
    return found?.type === this.#file.module.H5G_GROUP ? new GroupReader(this.#file, found.path) : undefined;
  }

  /** A data set below this group. */
  dataset(path: string): DatasetReader | undefined {
    const found = this.#find(path);
    return found?.type === this.#file.module.H5G_DATASET ? new DatasetReader(this.#file, found.path, path) : undefined;
  }

  /** Walks a path name by name and looks at each before following it. */
  #find(path: string): { path: string; type: number } | undefined {
    const { module, id } = this.#file;
    let found: { path: string; type: number } = { path: this.path, type: module.H5G_GROUP };
    for (const name of path.split("/").filter((part) => part !== "")) {
      if (found.type !== module.H5G_GROUP || !this.#file.names(found.path).has(name)) return undefined;
      const next = join(found.path, name);
      if (module.get_symbolic_link(id, next) !== null) {
        throw new UserError(`${next} is a soft link; links are not followed.`);
      }
      if ("filename" in module.get_external_link(id, next)) {
        throw new UserError(`${next} is a link to another file; links are not followed.`);
      }
      found = { path: next, type: module.get_type(id, next) };
    }
    return found;
  }
}

/** Keras writes UTF-8 whatever the character set of the attribute says. */
const utf8 = new TextDecoder();

function untilZero(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

function fixedStrings(data: Uint8Array, { size, strpad }: Metadata): string[] {
  const SPACE_PADDED = 2;
  return Array.from({ length: data.length / size }, (_, i) => {
    const value = utf8.decode(untilZero(data.subarray(i * size, (i + 1) * size)));
    return strpad === SPACE_PADDED ? value.replace(/ +$/, "") : value;
  });
}

/** The data are pointers to strings that end in a zero byte. */
function variableStrings(data: Uint8Array, { HEAPU8 }: Hdf5Module): string[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return Array.from({ length: data.length / 4 }, (_, i) => {
    const pointer = view.getUint32(i * 4, true);
    return pointer === 0 ? "" : utf8.decode(untilZero(HEAPU8.subarray(pointer)));
  });
}

/** A data set of the file. */
export class DatasetReader {
  readonly #file: OpenFile;
  readonly #path: string;
  readonly #name: string;
  readonly #metadata: Metadata;

  constructor(file: OpenFile, path: string, name: string) {
    this.#file = file;
    this.#path = path;
    this.#name = name;
    this.#metadata = file.module.get_dataset_metadata(file.id, path);
  }

  get shape(): readonly number[] {
    return this.#metadata.shape ?? [];
  }

  /**
   * The elements, as float32.
   *
   * @throws UserError for other than floating-point numbers, for compressed data, for more than the file can hold.
   */
  floats(): Float32Array {
    const { size } = this.#metadata;
    if (this.#metadata.type !== this.#file.module.H5T_class_t.H5T_FLOAT.value || ![2, 4, 8].includes(size)) {
      throw new UserError(`"${this.#name}" is ${this.#typeName()}, expected float16, float32 or float64.`);
    }
    const { buffer } = this.#read();
    if (size === 4) return new Float32Array(buffer);
    return size === 8 ? Float32Array.from(new Float64Array(buffer)) : halvesToFloats(new Uint16Array(buffer));
  }

  #integer(): number {
    const { size, signed, type, total_size: count } = this.#metadata;
    if (type !== this.#file.module.H5T_class_t.H5T_INTEGER.value || count !== 1 || ![1, 2, 4, 8].includes(size)) {
      throw new UserError(`"${this.#name}" is ${this.#typeName()} of ${count} element(s), expected one integer.`);
    }
    const bits = this.#read().reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
    return Number(signed ? BigInt.asIntN(size * 8, bits) : bits);
  }

  /** The only element, a number of steps. */
  count(): number {
    const value = this.#integer();
    if (Number.isSafeInteger(value) && value >= 0) return value;
    throw new UserError(`"${this.#name}" must be a number of steps, got ${value}.`);
  }

  #read(): Uint8Array<ArrayBuffer> {
    const { module, id } = this.#file;
    const { shape, size, total_size: count, virtual_sources: sources } = this.#metadata;
    if (!shape) throw new UserError(`"${this.#name}" has no elements.`);
    if (sources?.length) throw new UserError(`"${this.#name}" takes its data from other files: not supported.`);
    const filters = module.get_dataset_filters(id, this.#path).map(({ name }) => name);
    if (filters.length > 0) {
      throw new UserError(`"${this.#name}" passed through the filter(s) ${filters.join(", ")}: not supported.`);
    }
    this.#file.claim(`"${this.#name}"`, size * count);
    const fill = (pointer: number) => module.get_dataset_data(id, this.#path, null, null, null, BigInt(pointer));
    return this.#file.fetch(size * count, fill, (bytes) => new Uint8Array(bytes));
  }

  #typeName(): string {
    const { type, size, signed } = this.#metadata;
    const { H5T_INTEGER, H5T_FLOAT, H5T_STRING } = this.#file.module.H5T_class_t;
    if (type === H5T_INTEGER.value) return `${signed ? "" : "u"}int${size * 8}`;
    if (type === H5T_FLOAT.value) return `float${size * 8}`;
    return type === H5T_STRING.value ? "text" : "of another type";
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
