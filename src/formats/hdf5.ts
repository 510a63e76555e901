/**
 * The little of HDF5 that model files need, over h5wasm. Every read is checked against the size of the file before
 * anything is allocated; every fault of a file becomes a UserError.
 */
import type { Dataset, Group } from "h5wasm";
import { UserError } from "../errors.ts";

type Library = typeof import("h5wasm");

/** Loads h5wasm when it is needed: it costs as much start-up time as all the rest. */
async function load(): Promise<Library> {
  const library = await import("h5wasm");
  const module = await library.ready;
  // Errors come as exceptions instead of text on the error output.
  module.activate_throwing_error_handler();
  return library;
}

let files = 0;

/** Reads `bytes`, or writes a new file and returns its bytes. Nothing is left in the library's memory. */
export function withFile<Result>(bytes: Uint8Array, use: (root: HdfGroup) => Result): Promise<Result>;
export function withFile(bytes: undefined, use: (root: HdfGroup) => void): Promise<Uint8Array>;
export async function withFile<Result>(bytes: Uint8Array | undefined, use: (root: HdfGroup) => Result) {
  if (bytes?.length === 0) throw new UserError("the file is empty.");
  const { File, FS } = await load();
  const path = `/file-${files++}.h5`;
  if (bytes) FS!.writeFile(path, bytes);
  try {
    const file = open(() => new File(path, bytes ? "r" : "w"));
    try {
      const result = guard(() => use(new HdfGroup(file, bytes?.length ?? Number.POSITIVE_INFINITY)));
      if (bytes) return result;
      file.flush();
    } finally {
      file.close();
    }
    return FS!.readFile(path).slice();
  } finally {
    if (FS!.analyzePath(path).exists) FS!.unlink(path);
  }
}

function open<Result>(action: () => Result): Result {
  try {
    return action();
  } catch {
    throw new UserError("it is no HDF5 file, or a damaged one.");
  }
}

/** Faults that HDF5 finds in a file are the file's. */
function guard<Result>(action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    if (error instanceof UserError) throw error;
    const message = String((error as Error)?.message ?? error).split("\n")[0];
    throw new UserError(`the file is damaged (${message}).`, { cause: error });
  }
}

/** A group of the file. */
export class HdfGroup {
  readonly #group: Group;
  readonly #fileBytes: number;

  constructor(group: Group, fileBytes: number) {
    this.#group = group;
    this.#fileBytes = fileBytes;
  }

  get path(): string {
    return this.#group.path;
  }

  has(attribute: string): boolean {
    return attribute in this.#group.attrs;
  }

  /** An attribute that is a string. */
  text(attribute: string): string | undefined {
    const value = this.#group.attrs[attribute]?.value;
    return typeof value === "string" ? value : undefined;
  }

  /** An attribute that is a list of strings; Keras writes the empty list as one of numbers. */
  texts(attribute: string): string[] | undefined {
    const found = this.#group.attrs[attribute];
    if (!found) return undefined;
    const value = found.value;
    if (value instanceof Float64Array && value.length === 0) return [];
    const list = Array.isArray(value) ? value : [value];
    if (list.every((item) => typeof item === "string")) return list as string[];
    throw new UserError(`its attribute ${attribute} of ${this.path} is no list of names.`);
  }

  group(name: string): HdfGroup | undefined {
    const found = this.#child(name);
    return found?.type === "Group" ? new HdfGroup(found as Group, this.#fileBytes) : undefined;
  }

  dataset(name: string): HdfDataset | undefined {
    const found = this.#child(name);
    return found?.type === "Dataset" ? new HdfDataset(found as Dataset, name, this.#fileBytes) : undefined;
  }

  /** Walks a path of names one by one, looking before each step. */
  #child(path: string): { type: string } | undefined {
    let group = this.#group;
    const names = path.split("/").filter((name) => name !== "");
    for (const [i, name] of names.entries()) {
      if (!group.keys().includes(name)) return undefined;
      const found = group.get(name) as { type: string } | null;
      if (!found) return undefined;
      if (i === names.length - 1) return found;
      if (found.type !== "Group") return undefined;
      group = found as Group;
    }
    return undefined;
  }

  setText(attribute: string, value: string): void {
    this.#group.create_attribute(attribute, value, [], "S");
  }

  setTexts(attribute: string, values: readonly string[]): void {
    if (values.length > 0) this.#group.create_attribute(attribute, [...values], [values.length], "S");
    else this.#group.create_attribute(attribute, new Float64Array(0), [0], "<d");
  }

  createGroup(name: string): HdfGroup {
    return new HdfGroup(this.#group.create_group(name), this.#fileBytes);
  }

  createFloats(path: string, shape: readonly number[], data: Float32Array): void {
    const { group, name } = this.#parentOf(path);
    group.create_dataset({ name, data, shape: [...shape], dtype: "<f" });
  }

  createInteger(path: string, value: number): void {
    const { group, name } = this.#parentOf(path);
    group.create_dataset({ name, data: BigInt64Array.of(BigInt(value)), shape: [], dtype: "<q" });
  }

  /** The group that a path's last name belongs in, made where it is missing. */
  #parentOf(path: string): { group: Group; name: string } {
    const names = path.split("/");
    const name = names.pop()!;
    let group = this.#group;
    for (const part of names) {
      group = group.keys().includes(part) ? (group.get(part) as Group) : group.create_group(part);
    }
    return { group, name };
  }
}

/** A data set of the file. */
export class HdfDataset {
  readonly #dataset: Dataset;
  readonly #name: string;
  readonly #fileBytes: number;

  constructor(dataset: Dataset, name: string, fileBytes: number) {
    this.#dataset = dataset;
    this.#name = name;
    this.#fileBytes = fileBytes;
  }

  get shape(): readonly number[] {
    return this.#dataset.shape ?? [];
  }

  /** The elements as float32. @throws UserError for other than floating-point numbers, or more than the file can hold. */
  floats(): Float32Array {
    const value = this.#value();
    if (value instanceof Float32Array) return value;
    if (value instanceof Float64Array) return Float32Array.from(value);
    if (typeof value === "number") return Float32Array.of(value);
    throw new UserError(`"${this.#name}" has type ${this.#dataset.dtype}, expected float32 or float64.`);
  }

  /** The only element, an integer. */
  integer(): number {
    const value = this.#value();
    if (typeof value === "bigint" || typeof value === "number") return Number(value);
    throw new UserError(`"${this.#name}" must be one integer.`);
  }

  #value(): unknown {
    const { metadata, filters } = this.#dataset;
    const bytes = metadata.size * this.shape.reduce((product, size) => product * size, 1);
    if (filters.length > 0) {
      throw new UserError(
        `"${this.#name}" is compressed (${filters.map(({ name }) => name).join(", ")}): not supported.`,
      );
    }
    if (!(bytes <= this.#fileBytes)) {
      throw new UserError(`"${this.#name}" claims ${bytes} bytes, more than the whole file has (${this.#fileBytes}).`);
    }
    return this.#dataset.value;
  }
}
