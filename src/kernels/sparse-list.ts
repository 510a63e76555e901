/**
 * Lists of what is not zero, and the inner loop of all sparse kernels: a list's entries against rows of dense values.
 *
 * A list is two arrays, of offsets (int32) and of values (float32), whose distance is known when the kernel is written.
 * Each entry adds `value * row[offset]` to a few vectors of sums that stay in registers. What is not in a list adds
 * nothing, whatever it would be multiplied by: 0 · NaN and 0 · ∞ count as 0 here, where IEEE 754 has NaN. A value that is
 * NaN is in the list.
 *
 * The compiler of Node 20 moves all loads of a basic block above its multiply-adds, and would spill what does not fit into
 * 15 registers; a branch that is never taken, but that the compiler cannot know, ends the block after every few of them.
 */
import { block, br_if, f32x4, i32, i32x4, local, loop, v128 } from "wasmati";
import { type Emitter, type I32, type V128, ZERO_BYTE } from "../wasm/emitter.ts";
import { lanes } from "./packing.ts";

/** Multiply-adds between two of the branches. */
const BLOCK_LENGTH = 4;

/** Sums that may be in registers at a time; with the value and a row they stay within 15. */
export const MOST_SUMS = 10;

/** Bytes of the table that `append` needs. */
export const TABLE_BYTES = 256;

/** Bytes of an array of `length` entries; whole vectors are written at its end. */
export const listBytes = (length: number) => Math.ceil(length / 4) * 16 + 64;

type Bytes = Parameters<typeof v128.const<"i8x16">>[1];

/** Writes the table: for each set of lanes, as bits, the bytes that bring those lanes to the front, and zeros behind. */
export function writeTable(e: Emitter, table: I32): void {
  for (let mask = 0; mask < 16; mask++) {
    const kept = lanes(...[0, 1, 2, 3].filter((lane) => mask & (1 << lane)));
    const bytes = Array.from({ length: 16 }, (_, i) => kept[i] ?? ZERO_BYTE);
    v128.store({ offset: mask * 16 }, table, e.v128(v128.const("i8x16", bytes as Bytes)));
  }
}

/** Appends those lanes of `values` and `offsets` whose bits are set in `mask`, and moves `end` past them. */
export function append(
  e: Emitter,
  list: { readonly end: I32; readonly distance: number; readonly table: I32 },
  values: V128,
  offsets: V128,
  mask: I32,
): void {
  const { end, distance, table } = list;
  const order = e.v128(v128.load({}, i32.add(table, i32.shl(mask, 4))));
  v128.store({ align: 4 }, end, e.swizzle(offsets, order));
  v128.store({ offset: distance, align: 4 }, end, e.swizzle(values, order));
  local.set(end, i32.add(end, i32.shl(i32.popcnt(mask), 2)));
}

/** Bits of the lanes that are not zero, of the first `lanes`. */
export function nonzeroLanes(e: Emitter, values: V128, lanes = 4): I32 {
  const mask = i32x4.bitmask(f32x4.ne(values, f32x4.splat(0)));
  return e.i32(lanes < 4 ? i32.and(mask, (1 << lanes) - 1) : mask);
}

export interface SparseSum {
  readonly sum: V128;
  /** Bytes from an entry's row to the vector that belongs to this sum. */
  readonly offset: number;
}

/** Part of a list; `from` and `end` are places in its array of offsets. */
export interface ListPart {
  readonly from: I32;
  readonly end: I32;
  /** Bytes from an entry's offset to its value. */
  readonly distance: number;
}

/**
 * Adds all entries of a part, which may be empty, to `sums`; rows are at `base` + the entry's offset. Few sums would
 * wait for each other: then the entries take turns between several sets of sums, which are added up at the end.
 */
export function addEntries(e: Emitter, sums: readonly SparseSum[], part: ListPart, base: I32): void {
  e.scope(() => {
    const sets = Math.floor(MOST_SUMS / sums.length) || 1;
    const entry = e.i32(part.from);
    const turns =
      sets < 2 ? [] : Array.from({ length: sets - 1 }, () => sums.map(({ offset }) => ({ sum: e.v128(), offset })));
    if (turns.length > 0) {
      for (const { sum } of turns.flat()) local.set(sum, f32x4.splat(0));
      const end = e.i32(i32.sub(part.end, (sets - 1) * 4));
      runEntries(e, [sums, ...turns], { ...part, end }, entry, base);
      for (const turn of turns)
        for (const [i, { sum }] of turn.entries()) local.set(sums[i]!.sum, f32x4.add(sums[i]!.sum, sum));
    }
    runEntries(e, [sums], part, entry, base);
  });
}

/** Adds as many entries at a time as there are sets, until `entry` reaches the end. */
function runEntries(e: Emitter, sets: readonly (readonly SparseSum[])[], part: ListPart, entry: I32, base: I32): void {
  e.scope(() => {
    const row = e.i32();
    const value = e.v128();
    const vector = e.v128();
    let count = 0;
    block(null, (exit) => {
      i32.ge_s(entry, part.end);
      br_if(exit);
      loop(null, (again) => {
        for (const [turn, sums] of sets.entries()) {
          local.set(value, v128.load32_splat({ offset: turn * 4 + part.distance }, entry));
          local.set(row, i32.add(base, i32.load({ offset: turn * 4 }, entry)));
          for (const { sum, offset } of sums) {
            if (count > 0 && count % BLOCK_LENGTH === 0) {
              // Entries lie at multiples of four. The numbers differ, for the compiler leaves out a test that it has seen.
              i32.eq(entry, 4 * count + 1);
              br_if(exit);
            }
            count++;
            local.set(vector, v128.load({ offset, align: 4 }, row));
            e.accumulate(sum, vector, value);
          }
        }
        local.set(entry, i32.add(entry, sets.length * 4));
        i32.lt_s(entry, part.end);
        br_if(again);
      });
    });
  });
}

/** Where the rows begin, the vectors of weights, and a vector a list entry. */
export interface Pairing {
  readonly rows: I32;
  readonly weights: I32;
  readonly products: I32;
}

/**
 * As `addEntries`; and to each entry's vector of `products` are added those of its row with `weights`, which lie as the
 * sums do. Branches that end blocks do not pay here, though some vectors are spilled: 10.0 in place of 8.7 milliseconds.
 */
export function addPairs(e: Emitter, sums: readonly SparseSum[], part: ListPart, pairing: Pairing): void {
  e.scope(() => {
    const pairs = sums.map((sum) => {
      return { ...sum, weight: e.v128(v128.load({ offset: sum.offset, align: 4 }, pairing.weights)) };
    });
    const entry = e.i32(part.from);
    const place = e.i32(pairing.products);
    const [row, value, vector, product] = [e.i32(), e.v128(), e.v128(), e.v128()];
    block(null, (exit) => {
      i32.ge_s(entry, part.end);
      br_if(exit);
      loop(null, (again) => {
        local.set(value, v128.load32_splat({ offset: part.distance }, entry));
        local.set(row, i32.add(pairing.rows, i32.load({}, entry)));
        local.set(product, v128.load({}, place));
        for (const { sum, weight, offset } of pairs) {
          local.set(vector, v128.load({ offset, align: 4 }, row));
          e.accumulate(sum, vector, value);
          e.accumulate(product, vector, weight);
        }
        v128.store({}, place, product);
        local.set(place, i32.add(place, 16));
        local.set(entry, i32.add(entry, 4));
        i32.lt_s(entry, part.end);
        br_if(again);
      });
    });
  });
}
