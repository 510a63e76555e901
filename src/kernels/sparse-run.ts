/**
 * The inner loop of all sparse kernels: a list of (offset, value) entries against rows of dense values.
 *
 * Each entry adds `value * row[offset]` to a few vectors of sums that stay in registers. The compiler of Node 20 moves
 * all loads of a basic block above its multiply-adds, and would spill what does not fit into 15 registers; a branch that
 * is never taken, but that the compiler cannot know, ends the block after every few of them.
 */
import { block, br_if, i32, local, loop, v128 } from "wasmati";
import type { Emitter, I32, V128 } from "../wasm/emitter.ts";

/** Bytes of an entry: the offset (int32), then the value (float32). */
export const ENTRY_BYTES = 8;

/** Multiply-adds between two of the branches. */
const BLOCK_LENGTH = 4;

export interface SparseSum {
  readonly sum: V128;
  /** Bytes from an entry's row to the vector that belongs to this sum. */
  readonly offset: number;
}

/** Adds all entries from `from` to `end`, which may be the same; rows are at `base` + the entry's offset. */
export function addEntries(e: Emitter, sums: readonly SparseSum[], from: I32, end: I32, base: I32): void {
  e.scope(() => {
    const entry = e.i32(from);
    const row = e.i32();
    const value = e.v128();
    const vector = e.v128();
    block(null, (exit) => {
      i32.ge_u(entry, end);
      br_if(exit);
      loop(null, (again) => {
        local.set(value, v128.load32_splat({ offset: 4 }, entry));
        local.set(row, i32.add(base, i32.load({}, entry)));
        for (const [i, { sum, offset }] of sums.entries()) {
          if (i > 0 && i % BLOCK_LENGTH === 0) {
            // Entries never lie at address 0.
            i32.eqz(entry);
            br_if(exit);
          }
          local.set(vector, v128.load({ offset, align: 4 }, row));
          e.accumulate(sum, vector, value);
        }
        local.set(entry, i32.add(entry, ENTRY_BYTES));
        i32.lt_u(entry, end);
        br_if(again);
      });
    });
  });
}
