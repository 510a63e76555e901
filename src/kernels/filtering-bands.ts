/**
 * In what order filtering takes the rows of tiles of a batch: by bands, and groups of bands.
 */
import { i32, local } from "wasmati";
import type { Emitter, I32 } from "../wasm/emitter.ts";
import type { Layout } from "./filtering-plan.ts";

/**
 * Rows of tiles whose outputs are finished together, because they hold whole pooling windows: two where a tile has an odd
 * number of outputs, else one.
 */
export interface Band {
  /** Its number in the group. */
  readonly index: I32;
  /** Its sample, the number of its first row of tiles there, and how many it has. */
  readonly sample: I32;
  readonly tileRow: I32;
  readonly rows: I32;
}

/** Bands that are computed together. Of their rows of tiles those that are the last of their samples come last. */
export interface Group {
  /** Number of rows of tiles, and of those that are not the last of their samples. */
  readonly rows: I32;
  readonly inner: I32;
  /** How many of the latter, and how many samples, are before the group. */
  readonly firstInner: I32;
  readonly firstSample: I32;
}

/** The rows of tiles of the bands from `first` to `end`. */
export function groupOf(e: Emitter, layout: Layout, first: I32, end: I32): Group {
  const [from, to] = [bandOf(e, layout, first), bandOf(e, layout, end)];
  // All before a band, and those of them that are the last of their samples.
  const before = ({ sample, tileRow }: Pick<Band, "sample" | "tileRow">) =>
    e.i32(i32.add(i32.mul(sample, layout.tileRows), tileRow));
  const rows = e.i32(i32.sub(before(to), before(from)));
  const inner = e.i32(i32.sub(rows, i32.sub(to.sample, from.sample)));
  const firstInner = e.i32(i32.sub(before(from), from.sample));
  return { rows, inner, firstInner, firstSample: from.sample };
}

/** A band by its number in the batch. */
export function bandOf(e: Emitter, { bands, bandRows, tileRows }: Layout, number: I32): Omit<Band, "index"> {
  const sample = e.i32(i32.div_u(number, bands));
  const tileRow = e.i32(i32.mul(i32.rem_u(number, bands), bandRows));
  const rows = e.i32(i32.sub(tileRows, tileRow));
  e.atMost(rows, bandRows);
  return { sample, tileRow, rows };
}

/** Runs `body` for a band's rows of tiles, with their numbers in the sample and in the group. */
export function eachTileRow(
  e: Emitter,
  { tileRows }: Layout,
  group: Group,
  { sample, tileRow, rows }: Band,
  body: (tileRow: I32, row: I32) => void,
): void {
  const end = e.i32(i32.add(tileRow, rows));
  const number = e.i32();
  e.for(number, tileRow, end, 1, () => {
    const row = e.i32(i32.sub(i32.add(i32.mul(sample, tileRows - 1), number), group.firstInner));
    e.if(i32.eq(number, tileRows - 1), () => {
      local.set(row, i32.add(group.inner, i32.sub(sample, group.firstSample)));
    });
    body(number, row);
  });
}
