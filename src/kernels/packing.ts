/**
 * Packing: a matrix's columns copied, eight at a time, into a contiguous panel that the register block reads from the
 * first byte to the last.
 */
import { i8x16, i32, i32x4, local, v128 } from "wasmati";
import type { Emitter, I32, V128 } from "../wasm/emitter.ts";
import { PANEL_BYTES } from "./block.ts";

export interface Packing {
  /** Rows of the panel. */
  readonly rows: I32 | number;
  readonly columns: number;
  /** Bytes from row to row of the matrix, and of the panel. */
  readonly rowBytes: number;
  readonly panelBytes?: number;
}

/**
 * Copies `columns` columns of some rows from `from` to `to`, moving both pointers past what they read and wrote. Columns
 * past the last hold anything.
 */
export function packPanel(
  e: Emitter,
  { rows, columns, rowBytes, panelBytes = PANEL_BYTES }: Packing,
  from: I32,
  to: I32,
): void {
  e.for(e.i32(), 0, rows, 1, () => {
    for (let offset = 0; offset < columns * 4; offset += 16) {
      v128.store({ offset, align: 4 }, to, v128.load({ offset, align: 4 }, from));
    }
    local.set(from, i32.add(from, rowBytes));
    local.set(to, i32.add(to, panelBytes));
  });
}

/**
 * As `packPanel`, from a transposed matrix: `columns` of its rows at `from` become columns at `to`. Leaves the pointers
 * where they were, and may write up to three rows past the panel.
 */
export function packTransposedPanel(
  e: Emitter,
  { rows, columns, rowBytes, panelBytes = PANEL_BYTES }: Packing,
  from: I32,
  to: I32,
): void {
  e.scope(() => {
    const source = e.i32(from);
    const target = e.i32(to);
    e.for(e.i32(), 0, rows, 4, () => {
      for (let column = 0; column < columns; column += 4) {
        // Rows past the last are read as the last: their columns are never stored from a block.
        e.scope(() => {
          const lines = [0, 1, 2, 3].map((r) => {
            const offset = Math.min(column + r, columns - 1) * rowBytes;
            return e.v128(v128.load({ offset, align: 4 }, source));
          });
          for (const [r, line] of transpose(e, lines).entries()) {
            v128.store({ offset: r * panelBytes + column * 4, align: 4 }, target, line);
          }
        });
      }
      local.set(source, i32.add(source, 16));
      local.set(target, i32.add(target, 4 * panelBytes));
    });
  });
}

/** The bytes of these lanes of 32 bits, 0 to 3 those of the first vector, 4 to 7 of the second: what a shuffle takes. */
export const lanes = (...words: number[]) => words.flatMap((word) => [0, 1, 2, 3].map((byte) => word * 4 + byte));

/** All bits of the first `count` lanes. */
export const firstLanes = (e: Emitter, count: number) =>
  e.v128(i32x4.lt_s(v128.const("i32x4", [0, 1, 2, 3]), i32x4.splat(count)));

/** Transposes a 4 x 4 matrix of float32, given and returned as rows. */
export function transpose(e: Emitter, [a, b, c, d]: readonly V128[]): V128[] {
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
