/** The little of HDF5 that writing models needs. */
import { InternalError, UserError } from "../errors.ts";
import { type Hdf5, isolated, loadHdf5, substituting } from "./hdf5-library.ts";

type Group = InstanceType<Hdf5["File"]>;

/** Writes a file and returns its bytes. */
export async function writeHdf5(build: (root: GroupWriter) => void): Promise<Uint8Array> {
  const library = await loadHdf5();
  try {
    return isolated(library, (path) => {
      // The oldest format that holds what is written, as h5py does; the newer ones note times everywhere.
      const file = new library.File(path, "w", { libver: ["earliest", "latest"] });
      try {
        // HDF5 notes when a data set was made; h5wasm has no option against it. The same model makes the same bytes.
        substituting(
          Date,
          "now",
          () => 0,
          () => build(new GroupWriter(file, "", new Set([""]))),
        );
      } finally {
        file.close();
      }
      return library.FS.readFile(path);
    });
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new InternalError(`HDF5: ${(error as Error).message}`, { cause: error });
  }
}

/** A group of the file that is written. */
export class GroupWriter {
  readonly #root: Group;
  readonly #path: string;
  readonly #made: Set<string>;

  /** `made` holds the paths of the groups that exist. */
  constructor(root: Group, path: string, made: Set<string>) {
    this.#root = root;
    this.#path = path;
    this.#made = made;
  }

  /** A string of any length, marked as UTF-8. */
  setText(attribute: string, value: string): void {
    this.#target().create_attribute(attribute, value, [], "S");
  }

  /** Strings of any length in UTF-8 that are marked as ASCII: so h5py writes Python's bytes. */
  setBytes(attribute: string, value: string | readonly string[]): void {
    if (typeof value === "string") this.#target().create_attribute(attribute, value, [], "A");
    else this.#target().create_attribute(attribute, [...value], [value.length], "A");
  }

  /** Strings in UTF-8 of at most `size` bytes each, filled up with zeros. */
  setFixedBytes(attribute: string, values: readonly string[], size: number): void {
    // One byte more than the longest, since HDF5 wants room for the zero that ends it.
    this.#target().create_attribute(attribute, [...values], [values.length], `A${size + 1}`);
  }

  /** An empty list, which NumPy takes for one of float64. */
  setEmptyList(attribute: string): void {
    this.#target().create_attribute(attribute, new Float64Array(0), [0], "<d");
  }

  /** The group at a path below this one, made with all that leads there. */
  group(path: string): GroupWriter {
    const parts = path.split("/");
    for (const [i] of parts.entries()) {
      const next = `${this.#path}/${parts.slice(0, i + 1).join("/")}`;
      if (!this.#made.has(next)) this.#root.create_group(next.slice(1));
      this.#made.add(next);
    }
    return new GroupWriter(this.#root, `${this.#path}/${path}`, this.#made);
  }

  setFloats(path: string, shape: readonly number[], data: Float32Array): void {
    this.#create(path, { data, shape: [...shape], dtype: "<f" });
  }

  setInteger(path: string, value: number): void {
    this.#create(path, { data: BigInt64Array.of(BigInt(value)), shape: [], dtype: "<q" });
  }

  #create(path: string, dataset: { data: Float32Array | BigInt64Array; shape: number[]; dtype: string }): void {
    const end = path.lastIndexOf("/");
    if (end > 0) this.group(path.slice(0, end));
    this.#root.create_dataset({ name: `${this.#path}/${path}`.slice(1), ...dataset });
  }

  #target(): Group {
    return this.#path === "" ? this.#root : (this.#root.get(this.#path) as Group);
  }
}
