/** What is in a group: links to objects by their names, kept in one of three ways. */
import { type Cursor, damaged, type FileBytes, NOWHERE, textOf } from "./bytes.ts";
import { FractalHeap, treeRecords } from "./dense.ts";
import { bodyOf, findMessage, MESSAGE, type Message } from "./objects.ts";

export interface Link {
  readonly kind: "object" | "a soft link" | "a link to another file" | "a link of another kind";
  /** Of the object's header; of objects only. */
  readonly address: number;
}

/** The links of a group; undefined for an object that is none. */
export function readLinks(file: FileBytes, messages: readonly Message[]): Map<string, Link> | undefined {
  const table = findMessage(file, messages, MESSAGE.symbolTable);
  if (table) return readSymbolTable(file, table.uint64(), table.uint64());
  const info = findMessage(file, messages, MESSAGE.linkInfo);
  if (!info) return undefined;
  const own = messages.filter(({ type }) => type === MESSAGE.link).map((message) => bodyOf(file, message));
  return new Map([...own, ...denseLinks(file, info)].map(readLink));
}

/** The old way: a B-tree of version 1, whose leaves have addresses, and a heap with the names. */
function readSymbolTable(file: FileBytes, tree: number, heapAddress: number): Map<string, Link> {
  const heap = file.cursor("a heap of names", heapAddress);
  heap.expect("HEAP", 0);
  heap.skip(3);
  const [namesBytes, , namesStart] = [heap.uint64(), heap.uint64(), heap.uint64()];
  file.check("a heap of names", namesStart, namesBytes);
  const names = file.all.subarray(namesStart, namesStart + namesBytes);
  const links = new Map<string, Link>();
  for (const leaf of oldTreeLeaves(file, tree, { kind: 0, keyBytes: 8 })) {
    const node = file.cursor("a group's node", leaf.child);
    node.expect("SNOD", 1);
    node.skip(1);
    for (let count = node.uint16(); count > 0; count--) {
      const [nameStart, address, cache] = [node.uint64(), node.uint64(), node.uint32()];
      node.skip(20);
      const SOFT_LINK = 2;
      const end = names.indexOf(0, nameStart);
      if (end < 0) throw damaged("a name lies outside of its heap");
      file.count(end - nameStart);
      links.set(textOf(names.subarray(nameStart, end)), {
        kind: cache === SOFT_LINK ? "a soft link" : "object",
        address,
      });
    }
  }
  return links;
}

/** The leaves of a B-tree of version 1: a child's address, and the key before it. */
export function* oldTreeLeaves(
  file: FileBytes,
  address: number,
  { kind, keyBytes, level }: { kind: number; keyBytes: number; level?: number },
): Generator<{ key: Cursor; child: number }> {
  const node = file.cursor("a tree's node", address);
  node.expect("TREE", kind);
  const own = node.uint8();
  if (level !== undefined && own !== level) throw damaged("a tree's levels are in disorder");
  const count = node.uint16();
  // The neighbours.
  node.skip(16);
  for (let i = 0; i < count; i++) {
    const [key, child] = [node.part(keyBytes), node.uint64()];
    if (own === 0) yield { key, child };
    else yield* oldTreeLeaves(file, child, { kind, keyBytes, level: own - 1 });
  }
}

/** The new way, for groups of many links: messages as in a header, in a heap. */
function denseLinks(file: FileBytes, info: Cursor): Cursor[] {
  info.skip(1);
  const HAS_ORDER = 1;
  info.skip(info.uint8() & HAS_ORDER ? 8 : 0);
  const HASH_BYTES = 4;
  return denseObjects(file, info, HASH_BYTES);
}

/**
 * The objects of a fractal heap that a B-tree lists. Both addresses come next in `info`.
 *
 * @param before bytes of a record before the object's id
 */
export function denseObjects(file: FileBytes, info: Cursor, before: number): Cursor[] {
  const [heapAddress, tree] = [info.uint64(), info.uint64()];
  if (heapAddress === NOWHERE) return [];
  const heap = new FractalHeap(file, heapAddress);
  return Array.from(treeRecords(file, tree), (record) => {
    record.skip(before);
    return heap.object(record.part(heap.idBytes));
  });
}

const LINK_KINDS: Record<number, Link["kind"]> = { 0: "object", 1: "a soft link", 64: "a link to another file" };

/** A link as a message has it. */
function readLink(message: Cursor): [name: string, link: Link] {
  message.skip(1);
  const flags = message.uint8();
  const [sizeBytes, hasOrder, hasKind, hasCharacterSet] = [2 ** (flags & 3), flags & 4, flags & 8, flags & 16];
  const kind = LINK_KINDS[hasKind ? message.uint8() : 0] ?? "a link of another kind";
  message.skip((hasOrder ? 8 : 0) + (hasCharacterSet ? 1 : 0));
  const name = textOf(message.bytes(message.uint(sizeBytes)));
  return [name, { kind, address: kind === "object" ? message.uint64() : NOWHERE }];
}
