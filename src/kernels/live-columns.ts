/**
 * The columns of a matrix that are not zero in all of its rows. A quarter of the units of a dense layer with ReLU are
 * usually awake for no sample of a batch, so that their gradients are columns of zeros; without them rows are shorter.
 *
 * Rows are squeezed to their live columns, and spread again with zeros between, four columns at a time: the map has, for
 * each four, the orders of bytes for that, and where in a squeezed row their first is.
 */
import { f32x4, i8x16, i32, i32x4, local, v128 } from "wasmati";
import type { Emitter, I32, V128 } from "../wasm/emitter.ts";
import { firstLanes, lanes } from "./packing.ts";

/** Bytes of the map of four columns, and from its first to the order for spreading and to the place. */
export const ENTRY_BYTES = 48;
const SPREAD = 16;
const PLACE = 32;

export interface Columns {
  readonly columns: number;
  /** Address of the map. */
  readonly map: I32;
}

export const columnMapBytes = (columns: number) => Math.ceil(columns / 4) * ENTRY_BYTES;

/**
 * Maps the columns of a matrix at `from`, whose rows are `columns` long; `table` is that of `writeTable`. Returns the
 * bytes of a squeezed row.
 */
export function mapColumns(e: Emitter, { columns, map }: Columns, from: I32, rows: I32, table: I32): I32 {
  const place = e.i32(0);
  eachFour(e, { columns, map }, (entry, offset, count) => {
    const element = e.i32(i32.add(from, offset));
    const isLive = e.v128(f32x4.splat(0));
    e.for(e.i32(), 0, rows, 1, () => {
      local.set(isLive, v128.or(isLive, f32x4.ne(v128.load({ align: 4 }, element), f32x4.splat(0))));
      local.set(element, i32.add(element, columns * 4));
    });
    if (count < 4) local.set(isLive, v128.and(isLive, firstLanes(e, count)));
    const mask = e.i32(i32x4.bitmask(isLive));
    v128.store({}, entry, e.v128(v128.load({}, i32.add(table, i32.shl(mask, 4)))));
    v128.store({ offset: SPREAD }, entry, spreadingOrder(e, isLive));
    i32.store({ offset: PLACE }, entry, place);
    local.set(place, i32.add(place, i32.shl(i32.popcnt(mask), 2)));
  });
  return place;
}

/** For lanes that are live the bytes of as many lanes as are live before them; for others what gives zero. */
function spreadingOrder(e: Emitter, isLive: V128): V128 {
  const zero = e.v128(f32x4.splat(0));
  const one = e.v128(v128.and(isLive, i32x4.splat(1)));
  const shifted = (by: number) => i8x16.shuffle(lanes(...[4, 4, 4, 0, 1, 2, 3].slice(3 - by, 7 - by)), one, zero);
  const before = e.v128(i32x4.add(i32x4.add(shifted(1), shifted(2)), shifted(3)));
  const bytes = e.v128(i32x4.add(i32x4.mul(before, i32x4.splat(0x04040404)), i32x4.splat(0x03020100)));
  return e.v128(v128.or(bytes, v128.not(isLive)));
}

/** Squeezes rows at `from` to rows at `to`, where up to four zeros are written behind each; one row where no number is given. */
export function squeezeRows(
  e: Emitter,
  columns: Columns,
  { from, to, rows, pitch }: { from: I32; to: I32; rows?: I32; pitch: number },
): void {
  eachFour(e, columns, (entry, offset) => {
    const order = e.v128(v128.load({}, entry));
    const source = e.i32(i32.add(from, offset));
    const target = e.i32(i32.add(to, i32.load({ offset: PLACE }, entry)));
    const squeeze = (count: number) => {
      for (let row = 0; row < count; row++) {
        const vector = v128.load({ offset: row * columns.columns * 4, align: 4 }, source);
        v128.store({ offset: row * pitch, align: 4 }, target, e.v128(e.swizzle(vector, order)));
      }
      local.set(source, i32.add(source, count * columns.columns * 4));
      local.set(target, i32.add(target, count * pitch));
    };
    if (!rows) squeeze(1);
    else {
      const whole = e.i32(i32.and(rows, -4));
      e.for(e.i32(), 0, whole, 4, () => squeeze(4));
      e.for(e.i32(), whole, rows, 1, () => squeeze(1));
    }
  });
}

/** Four columns of a squeezed row, spread; `entry` is what the map has for them. */
export function spreadVector(e: Emitter, entry: I32, row: I32): V128 {
  const place = e.i32(i32.add(row, i32.load({ offset: PLACE }, entry)));
  const order = e.v128(v128.load({ offset: SPREAD }, entry));
  return e.v128(e.swizzle(v128.load({ align: 4 }, place), order));
}

function eachFour(e: Emitter, { columns, map }: Columns, body: (entry: I32, offset: I32, count: number) => void): void {
  const entry = e.i32(map);
  const offset = e.i32(0);
  e.for(offset, 0, Math.floor(columns / 4) * 16, 16, () => {
    body(entry, offset, 4);
    local.set(entry, i32.add(entry, ENTRY_BYTES));
  });
  if (columns % 4) body(entry, offset, columns % 4);
}
