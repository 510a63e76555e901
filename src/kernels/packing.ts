/**
 * Packing: a matrix's columns copied, eight at a time, into a contiguous panel that the register block reads from the
 * first byte to the last.
 */
import { i8x16, i32, local, v128 } from "wasmati";
import type { Emitter, I32, V128 } from "../wasm/emitter.ts";
import { PANEL_BYTES } from "./block.ts";

/**
 * Copies `columns` columns of `inner` rows, `rowBytes` apart, from `from` to `to`, moving both pointers past what they
 * read and wrote. Columns past the last hold anything.
 */
export function packPanel(
  e: Emitter,
  { inner, columns, rowBytes }: { inner: number; columns: number; rowBytes: number },
  from: I32,
  to: I32,
): void {
  e.for(e.i32(), 0, inner, 1, () => {
    for (let offset = 0; offset < columns * 4; offset += 16) {
      v128.store({ offset, align: 4 }, to, v128.load({ offset, align: 4 }, from));
    }
    local.set(from, i32.add(from, rowBytes));
    local.set(to, i32.add(to, PANEL_BYTES));
  });
}

/**
 * As `packPanel`, from a transposed matrix: `columns` rows of `inner` elements at `from` become columns at `to`.
 * Leaves the pointers where they were, and may write up to three rows past the panel.
 */
export function packTransposedPanel(
  e: Emitter,
  { inner, columns }: { inner: number; columns: number },
  from: I32,
  to: I32,
): void {
  e.scope(() => {
    const source = e.i32(from);
    const target = e.i32(to);
    e.for(e.i32(), 0, inner, 4, () => {
      for (let column = 0; column < columns; column += 4) {
        // Rows past the last are read as the last: their columns are never stored from a block.
        const rows = [0, 1, 2, 3].map((r) => {
          const offset = Math.min(column + r, columns - 1) * inner * 4;
          return e.v128(v128.load({ offset, align: 4 }, source));
        });
        transpose(e, rows).forEach((row, r) => {
          v128.store({ offset: r * PANEL_BYTES + column * 4, align: 4 }, target, row);
        });
      }
      local.set(source, i32.add(source, 16));
      local.set(target, i32.add(target, 4 * PANEL_BYTES));
    });
  });
}

/** Transposes a 4 x 4 matrix of float32, given and returned as rows. */
function transpose(e: Emitter, [a, b, c, d]: readonly V128[]): V128[] {
  const lanes = (...words: number[]) => words.flatMap((word) => [0, 1, 2, 3].map((byte) => word * 4 + byte));
  const mix = (order: number[], left: V128, right: V128) => e.v128(i8x16.shuffle(lanes(...order), left, right));
  const ab = mix([0, 4, 1, 5], a!, b!);
  const abHigh = mix([2, 6, 3, 7], a!, b!);
  const cd = mix([0, 4, 1, 5], c!, d!);
  const cdHigh = mix([2, 6, 3, 7], c!, d!);
  return [
    mix([0, 1, 4, 5], ab, cd),
    mix([2, 3, 6, 7], ab, cd),
    mix([0, 1, 4, 5], abHigh, cdHigh),
    mix([2, 3, 6, 7], abHigh, cdHigh),
  ];
}
