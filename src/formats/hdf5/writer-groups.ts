/**
 * What is in a group of an HDF5 file that is written, in HDF5's oldest way: a heap with the members' names, nodes of
 * members in the order of their names, and a B-tree of version 1 above them.
 */
import { aligned, type ByteWriter, type FileLayout, NO_ADDRESS } from "./writer-bytes.ts";

/** Half of what a node of members holds, and half of what a node of the tree holds: HDF5's own defaults. */
export const [MEMBERS_RANK, TREE_RANK] = [4, 16];
const [NODE_MEMBERS, NODE_CHILDREN] = [2 * MEMBERS_RANK, 2 * TREE_RANK];

const NODE_HEADER_BYTES = 8;
export const MEMBER_BYTES = 40;
const NODE_BYTES = NODE_HEADER_BYTES + NODE_MEMBERS * MEMBER_BYTES;
const TREE_HEADER_BYTES = 24;
const TREE_NODE_BYTES = TREE_HEADER_BYTES + 8 * NODE_CHILDREN + 8 * (NODE_CHILDREN + 1);
const HEAP_HEADER_BYTES = 32;

/** Where a list of free space ends. */
const NO_FREE_SPACE = 1;

/** Where a group's members are. */
export interface SymbolTable {
  readonly tree: number;
  readonly heap: number;
}

/** An object in a group, or the root. */
export interface Member {
  /** In UTF-8. */
  readonly name: Uint8Array;
  /** Of its header. */
  readonly address: number;
  /** Of groups. */
  readonly table?: SymbolTable;
}

/** A member whose name stands at a place in the heap. */
interface NamedMember extends Member {
  readonly offset: number;
}

/** A node of the tree or of members; `last` is the place of its last member's name. */
interface Node {
  readonly address: number;
  readonly last: number;
}

/** Places the tables of a group's members, whose names must differ. */
export function addSymbolTable(layout: FileLayout, members: readonly Member[]): SymbolTable {
  // The first name is the empty one, for the tree.
  let bytes = 8;
  const sorted: NamedMember[] = [...members].sort(byName).map((member) => {
    const offset = bytes;
    bytes += aligned(member.name.length + 1);
    return { ...member, offset };
  });
  const heap = addNames(layout, sorted, bytes);
  let nodes = cut(sorted, NODE_MEMBERS).map((part) => addMembers(layout, part));
  let depth = 0;
  do nodes = addTreeLevel(layout, depth++, nodes);
  while (nodes.length > 1);
  return { tree: nodes[0]!.address, heap };
}

/** The order of their bytes. */
function byName({ name: a }: Member, { name: b }: Member): number {
  const place = a.findIndex((byte, i) => byte !== b[i]);
  return place < 0 ? a.length - b.length : a[place]! - (b[place] ?? -1);
}

const cut = <Item>(items: readonly Item[], size: number): Item[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));

function addNames(layout: FileLayout, members: readonly NamedMember[], bytes: number): number {
  const address = layout.size;
  return layout.add(HEAP_HEADER_BYTES + bytes, (out) => {
    out.signature("HEAP");
    out.uint32(0);
    out.int64(bytes);
    out.int64(NO_FREE_SPACE);
    out.int64(address + HEAP_HEADER_BYTES);
    out.zeros(8);
    for (const { name } of members) {
      out.bytes(name);
      out.zeros(1);
      out.align();
    }
  });
}

function addMembers(layout: FileLayout, members: readonly NamedMember[]): Node {
  const address = layout.add(NODE_BYTES, (out) => {
    out.signature("SNOD");
    out.uint16(1);
    out.uint16(members.length);
    for (const member of members) writeMember(out, member);
  });
  return { address, last: members.at(-1)!.offset };
}

/** Writes what leads to an object; of groups also where their members are, so that HDF5 need not look. */
export function writeMember(out: ByteWriter, { offset, address, table }: Omit<NamedMember, "name">): void {
  const IS_GROUP = 1;
  out.int64(offset);
  out.int64(address);
  out.int64(table ? IS_GROUP : 0);
  out.int64(table?.tree ?? 0);
  out.int64(table?.heap ?? 0);
}

/** Places the nodes above those of a level; above none is an empty one. */
function addTreeLevel(layout: FileLayout, depth: number, below: readonly Node[]): Node[] {
  const parts = below.length === 0 ? [[]] : cut(below, NODE_CHILDREN);
  const nodes: Node[] = [];
  for (const [i, children] of parts.entries()) {
    const before = nodes[i - 1]?.last ?? 0;
    const address = layout.add(TREE_NODE_BYTES, (out) => {
      out.signature("TREE");
      out.uint8(0);
      out.uint8(depth);
      out.uint16(children.length);
      out.int64(nodes[i - 1]?.address ?? NO_ADDRESS);
      out.int64(nodes[i + 1]?.address ?? NO_ADDRESS);
      // A child has the names that come after the key before it, up to the key behind it.
      out.int64(before);
      for (const child of children) {
        out.int64(child.address);
        out.int64(child.last);
      }
    });
    nodes.push({ address, last: children.at(-1)?.last ?? 0 });
  }
  return nodes;
}
