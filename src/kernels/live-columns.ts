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
const ENTRY_BYTES = 48;
const SPREAD = 16;
const PLACE = 32;

export interface Columns {
  readonly columns: number;
  /** Bytes from row to row where these are squeezed. */
  readonly pitch: number;
  /** Address of the map. */
  readonly map: I32;
}

export const columnMapBytes = (columns: number) => Math.ceil(columns / 4) * ENTRY_BYTES;

/**
 * Maps the columns of a matrix at `from`, whose rows are `columns` long; `table` is that of `writeTable`. Returns the
 * bytes of a squeezed row.
 */
export function mapColumns(e: Emitter, live: Columns, from: I32, rows: I32, table: I32): I32 {
  const { columns } = live;
  const place = e.i32(0);
  eachFour(e, live, (entry, offset, count) => {
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
export function squeezeRows(e: Emitter, live: Columns, { from, to, rows }: { from: I32; to: I32; rows?: I32 }): void {
  const { columns, pitch } = live;
  eachFour(e, live, (entry, offset) => {
    const order = e.v128(v128.load({}, entry));
    const source = e.i32(i32.add(from, offset));
    const target = e.i32(i32.add(to, i32.load({ offset: PLACE }, entry)));
    const squeeze = (count: number) => {
      for (let row = 0; row < count; row++) {
        const vector = v128.load({ offset: row * columns * 4, align: 4 }, source);
        v128.store({ offset: row * pitch, align: 4 }, target, e.v128(e.swizzle(vector, order)));
      }
      local.set(source, i32.add(source, count * columns * 4));
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

/** Squeezed rows that are spread some vectors at a time. */
export interface Rows {
  /** The present row, and the bytes before it where rows are spread. */
  readonly row: I32;
  readonly place: I32;
  /** The next vector, in bytes from the row's first. */
  readonly offset: I32;
  /** Vectors that are left of all rows. */
  readonly left: I32;
}

export const noRows = (e: Emitter): Rows => {
  return { row: e.i32(0), place: e.i32(0), offset: e.i32(0), left: e.i32(0) };
};

/** Takes so many squeezed rows at `from`, where those before are spread; `to` is where the first begins when it is spread. */
export function beginRows(
  { columns }: Columns,
  next: Rows,
  { from, to, rows }: Record<"from" | "to" | "rows", I32>,
): void {
  local.set(next.row, from);
  local.set(next.place, to);
  local.set(next.left, i32.mul(rows, Math.ceil(columns / 4)));
}

/** Spreads the next vectors, at most `count`: runs `body` for each, with its place in bytes; at a row's end for less. */
export function spreadVectors(
  e: Emitter,
  { columns, pitch, map }: Columns,
  { row, place, offset, left }: Rows,
  count: I32,
  body: (vector: V128, place: I32, lanes: number) => void,
): void {
  const last = (Math.ceil(columns / 4) - 1) * 16;
  const rest = columns % 4;
  const taken = e.i32(count);
  e.atMost(taken, left);
  local.set(left, i32.sub(left, taken));
  const spread = (lanes: number) => {
    const entry = e.i32(e.address(0, [map, 1], [offset, ENTRY_BYTES / 16]));
    const from = e.i32(i32.add(row, i32.load({ offset: PLACE }, entry)));
    const order = e.v128(v128.load({ offset: SPREAD }, entry));
    const vector = e.v128(e.swizzle(v128.load({ align: 4 }, from), order));
    body(vector, e.i32(i32.add(place, offset)), lanes);
  };
  e.for(e.i32(), 0, taken, 1, () => {
    if (rest === 0) spread(4);
    else
      e.if(
        i32.lt_u(offset, last),
        () => spread(4),
        () => spread(rest),
      );
    local.set(offset, i32.add(offset, 16));
    e.if(i32.gt_u(offset, last), () => {
      local.set(offset, i32.const(0));
      local.set(row, i32.add(row, pitch));
      local.set(place, i32.add(place, columns * 4));
    });
  });
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
