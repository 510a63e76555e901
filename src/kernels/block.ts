/**
 * The register block that every dense kernel is made of: `rows` scalars times `vectors` vectors of four columns,
 * accumulated over a run of products.
 *
 * The block is four rows by two vectors: eight sums hide the latency of a fused multiply-add on two ports, and with two
 * vectors and four splats all of them live at once, 14 registers, they stay within the 15 that V8 gives on x86-64. The
 * innermost loop is not unrolled: Node 20's compiler hoists loads over multiply-adds and would spill.
 */
import { br_if, f32x4, i32, local, loop, v128 } from "wasmati";
import type { Emitter, I32, V128 } from "../wasm/emitter.ts";

export const BLOCK_ROWS = 4;
const BLOCK_VECTORS = 2;
/** Columns of a full block: the width of a packed panel. */
export const PANEL_COLUMNS = BLOCK_VECTORS * 4;

export const PANEL_BYTES = PANEL_COLUMNS * 4;

/** Columns of a cache line: who reads less of each brings it twice. */
const LINE_COLUMNS = 16;

/**
 * Cuts `total` columns into panels, a narrower one at the end, shares them out among the threads, and runs `body` for
 * each panel of this thread, with the byte offset of its first column; it is written once for full panels and once for the
 * last. Panels are as wide as cache lines, or half as wide where there would be one.
 */
export function eachPanel(emitter: Emitter, total: number, body: (offset: I32, columns: number) => void): void {
  const width = total > LINE_COLUMNS ? LINE_COLUMNS : PANEL_COLUMNS;
  const { from, to } = emitter.share(Math.ceil(total / width));
  const index = emitter.i32();
  emitter.for(index, from, to, 1, () => {
    const offset = emitter.i32(i32.mul(index, width * 4));
    withColumns(emitter, total, index, (columns) => body(offset, columns), width);
  });
}

/** Runs `body` for the number of columns of a panel; it is written once for full panels and once for a narrower last. */
export function withColumns(
  emitter: Emitter,
  total: number,
  index: I32,
  body: (columns: number) => void,
  width = PANEL_COLUMNS,
): void {
  const full = Math.floor(total / width);
  const rest = total % width;
  if (!rest) emitter.scope(() => body(width));
  else if (!full) emitter.scope(() => body(rest));
  else
    emitter.if(
      i32.lt_s(index, full),
      () => body(width),
      () => body(rest),
    );
}

/** Sums of one block, `sums[row][vector]`. */
export type Sums = readonly (readonly V128[])[];

export function takeSums(emitter: Emitter, rows: number, columns: number): Sums {
  const vectors = Math.ceil(columns / 4);
  return Array.from({ length: rows }, () => Array.from({ length: vectors }, () => emitter.v128()));
}

export function clearSums(sums: Sums): void {
  for (const sum of sums.flat()) local.set(sum, f32x4.splat(0));
}

export interface Run {
  /** Byte offsets of the rows' scalars from pointer `a`. */
  readonly rowOffsets: readonly number[];
  /** Bytes by which `a` and `b` move after each product. */
  readonly aStep: number;
  readonly bStep: number;
}

/**
 * `sums[r][v] += a[rowOffsets[r]] * b[v]`, moving `a` by `aStep` and `b` by `bStep` until `a` reaches `aEnd`, which must
 * lie ahead. Both pointers are left at the end of the run.
 */
export function multiplyRun(emitter: Emitter, run: Run, sums: Sums, a: I32, b: I32, aEnd: I32): void {
  emitter.scope(() => {
    const columns = sums[0]!.map(() => emitter.v128());
    const scalar = emitter.v128();
    loop(null, (again) => {
      for (const [v, column] of columns.entries()) local.set(column, v128.load({ offset: v * 16, align: 4 }, b));
      for (const [r, row] of sums.entries()) {
        local.set(scalar, v128.load32_splat({ offset: run.rowOffsets[r]! }, a));
        for (const [v, sum] of row.entries()) emitter.accumulate(sum, scalar, columns[v]!);
      }
      local.set(b, i32.add(b, run.bStep));
      local.set(a, i32.add(a, run.aStep));
      i32.ne(a, aEnd);
      br_if(again);
    });
  });
}

/** Stores the sums: row r at `address + rowOffsets[r]`, the first `columns` columns of it. */
export function storeSums(emitter: Emitter, sums: Sums, address: I32, rowOffsets: readonly number[], columns: number) {
  for (const [r, row] of sums.entries()) {
    for (const [v, sum] of row.entries()) {
      emitter.storeLanes(address, rowOffsets[r]! + v * 16, sum, Math.min(4, columns - v * 4));
    }
  }
}

/** Loads what `storeSums` stored; lanes past the last column hold anything. */
export function loadSums(sums: Sums, address: I32, rowOffsets: readonly number[]): void {
  for (const [r, row] of sums.entries()) {
    for (const [v, sum] of row.entries()) {
      local.set(sum, v128.load({ offset: rowOffsets[r]! + v * 16, align: 4 }, address));
    }
  }
}

/** Adds a bias vector at `address` to every row, then applies ReLU where asked. */
export function finishSums(sums: Sums, biasAddress: I32 | undefined, relu: boolean): void {
  for (const row of sums) {
    row.forEach((sum, v) => {
      if (biasAddress) local.set(sum, f32x4.add(sum, v128.load({ offset: v * 16, align: 4 }, biasAddress)));
      // pmax(x, 0) is `x < 0 ? 0 : x`: one instruction, and a NaN stays visible.
      if (relu) local.set(sum, f32x4.pmax(sum, f32x4.splat(0)));
    });
  }
}
