/**
 * The little of HDF5 that writing models needs, in its oldest format, as h5py writes it: every program that knows HDF5
 * reads it. First all is collected, then each part gets its place, then the file is written in one go. Nothing in it
 * depends on the time: the same model makes the same bytes.
 * https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
 *
 * `writer-bytes.ts` gives parts their places, `writer-objects.ts` has headers, attributes and data sets,
 * `writer-groups.ts` the tables of groups, `writer-strings.ts` strings.
 */
import { show } from "../../arguments.ts";
import { InternalError, UserError } from "../../errors.ts";
import { DEEPEST } from "./bytes.ts";
import { SIGNATURE } from "./objects.ts";
import { elementsOf } from "./types.ts";
import { encodeText, FileLayout, NO_ADDRESS } from "./writer-bytes.ts";
import { addSymbolTable, MEMBER_BYTES, MEMBERS_RANK, type Member, TREE_RANK, writeMember } from "./writer-groups.ts";
import {
  type Attribute,
  addDataset,
  addObject,
  attributeMessage,
  type Dataset,
  fixedText,
  symbolTableMessage,
  TYPES,
} from "./writer-objects.ts";
import { REFERENCE_BYTES, StringHeaps, writeReference } from "./writer-strings.ts";

interface Group {
  readonly attributes: Map<string, Attribute>;
  readonly members: Map<string, Group | Dataset>;
}

const emptyGroup = (): Group => ({ attributes: new Map(), members: new Map() });

/** What `writeHdf5` is told. */
export interface WriteOptions {
  /** Memory for the file, such as that of bytes from before: overwritten where it is large enough. */
  readonly into?: ArrayBuffer | undefined;
}

/**
 * Writes a file and returns its bytes.
 *
 * @param build what is in the file; tensors are copied when it has returned
 * @throws UserError for what HDF5 cannot hold
 */
export function writeHdf5(build: (root: GroupWriter) => void, { into }: WriteOptions = {}): Uint8Array<ArrayBuffer> {
  const [root, strings, layout] = [emptyGroup(), new StringHeaps(), new FileLayout()];
  build(new GroupWriter(root, strings));
  layout.add(SUPERBLOCK_BYTES, (out) => {
    out.bytes(SIGNATURE);
    // Versions of the format's parts, bytes of addresses and of lengths.
    out.bytes([0, 0, 0, 0, 0, 8, 8, 0]);
    out.uint16(MEMBERS_RANK);
    out.uint16(TREE_RANK);
    out.uint32(0);
    for (const address of [0, NO_ADDRESS, layout.size, NO_ADDRESS]) out.int64(address);
    writeMember(out, { offset: 0, ...rootMember });
  });
  strings.addTo(layout);
  const rootMember = addGroup(layout, "", root);
  return layout.toBytes(into);
}

const SUPERBLOCK_BYTES = 56 + MEMBER_BYTES;

/** Places a group and all that is in it. */
function addGroup(layout: FileLayout, name: string, { attributes, members }: Group): Member {
  const placed = Array.from(members, ([own, member]): Member => {
    if ("members" in member) return addGroup(layout, own, member);
    return { name: encodeText(own), address: addDataset(layout, member) };
  });
  const table = addSymbolTable(layout, placed);
  const messages = Array.from(attributes, (attribute) => attributeMessage(...attribute));
  return { name: encodeText(name), address: addObject(layout, [symbolTableMessage(table), ...messages]), table };
}

/** A group of the file that is written. Names of attributes are ASCII. */
export class GroupWriter {
  readonly #group: Group;
  readonly #strings: StringHeaps;

  constructor(group: Group, strings: StringHeaps) {
    this.#group = group;
    this.#strings = strings;
  }

  /** A string of any length, marked as UTF-8. */
  setText(attribute: string, value: string): void {
    this.#setStrings(attribute, TYPES.utf8, [], [value]);
  }

  /** Strings of any length in UTF-8 that are marked as ASCII: so h5py writes Python's bytes. */
  setBytes(attribute: string, value: string | readonly string[]): void {
    if (typeof value === "string") this.#setStrings(attribute, TYPES.ascii, [], [value]);
    else this.#setStrings(attribute, TYPES.ascii, [value.length], value);
  }

  #setStrings(attribute: string, type: readonly number[], shape: readonly number[], values: readonly string[]): void {
    const strings = values.map((value) => this.#strings.add(value));
    this.#set(attribute, {
      ...{ type, shape, bytes: REFERENCE_BYTES * strings.length },
      write: (out) => {
        for (const string of strings) writeReference(out, string);
      },
    });
  }

  /** Strings in UTF-8 of at most `size` bytes each, filled up with zeros. */
  setFixedBytes(attribute: string, values: readonly string[], size: number): void {
    const strings = values.map((value) => encodeText(value));
    const tooLong = strings.findIndex(({ length }) => length > size);
    if (tooLong >= 0) throw new InternalError(`HDF5: ${show(values[tooLong])} has more than ${size} bytes`);
    this.#set(attribute, {
      ...{ type: fixedText(size), shape: [values.length], bytes: size * values.length },
      write: (out) => {
        for (const string of strings) {
          out.bytes(string);
          out.zeros(size - string.length);
        }
      },
    });
  }

  /** An empty list, which NumPy takes for one of float64. */
  setEmptyList(attribute: string): void {
    this.#set(attribute, { type: TYPES.float64, shape: [0], bytes: 0, write: () => {} });
  }

  #set(name: string, attribute: Attribute): void {
    if (this.#group.attributes.has(name)) throw new UserError(`cannot save two attributes ${name} in one group.`);
    this.#group.attributes.set(name, attribute);
  }

  /** The group at a path below this one, made with all that leads there. */
  group(path: string): GroupWriter {
    return new GroupWriter(this.#groupAt(namesOf(path), path), this.#strings);
  }

  setFloats(path: string, shape: readonly number[], data: Float32Array): void {
    if (data.length !== elementsOf(shape)) throw new InternalError(`HDF5: ${show(path)} does not fill its shape`);
    this.#setData(path, {
      ...{ type: TYPES.float32, shape },
      data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    });
  }

  setInteger(path: string, value: number): void {
    const data = new Uint8Array(BigInt64Array.of(BigInt(value)).buffer);
    this.#setData(path, { type: TYPES.int64, shape: [], data });
  }

  #setData(path: string, dataset: Dataset): void {
    const names = namesOf(path);
    const name = names.pop()!;
    const { members } = this.#groupAt(names, path);
    if (members.has(name)) throw new UserError(`cannot save two weights ${show(path)} in one group.`);
    members.set(name, dataset);
  }

  #groupAt(names: readonly string[], path: string): Group {
    let group = this.#group;
    for (const name of names) {
      const next = group.members.get(name) ?? emptyGroup();
      if (!("members" in next)) throw new UserError(`cannot save ${show(path)}: ${show(name)} is a weight.`);
      group.members.set(name, next);
      group = next;
    }
    return group;
  }
}

/**
 * The names of which a path is made.
 *
 * @throws UserError where none could be found again
 */
function namesOf(path: string): string[] {
  const names = path.split("/").filter((name) => name !== "");
  if (names.length > 0 && names.length <= DEEPEST && !names.includes(".")) return names;
  throw new UserError(`cannot save ${show(path)}: HDF5 has no such name, or it is more than ${DEEPEST} groups deep.`);
}
