/**
 * The two-dimensional transforms of filtering: of kernels, of the input's tiles and of the products. Each goes along both
 * axes of a square of vectors: over the columns of kernels and inputs, then over the rows; of products over each row when
 * it is there, in the end over the columns.
 */
import { i32, local, v128 } from "wasmati";
import type { Emitter, I32 } from "../wasm/emitter.ts";
import { PANEL_BYTES } from "./block.ts";
import type { Filtering, Passes, Vectors } from "./filtering.ts";
import type { Group } from "./filtering-bands.ts";
import type { Panel, Stage } from "./filtering-plan.ts";

/** Where a matrix of vectors is, and bytes between its rows and columns. */
interface MatrixPlace {
  readonly from: I32;
  readonly fromRow: number;
  readonly fromColumn: number;
  /** As well of the result. */
  readonly to: I32;
  readonly toRow: number;
  readonly toColumn: number;
}

/** A row of tiles' inputs: their first, and bytes from row to row. */
export interface Inputs {
  readonly at: I32;
  readonly pitch: number;
}

/** Vectors in memory at `at + offset(index)`, where steps of whole numbers are equal. */
interface Place {
  readonly at: I32;
  readonly offset: (index: number) => number;
}

function vectorsOf(e: Emitter, from: Place, to: Place): Vectors {
  const loadAt = (at: I32) => (index: number) => e.v128(v128.load({ offset: from.offset(index), align: 4 }, at));
  return {
    load: loadAt(from.at),
    repeat(count, step, body) {
      const at = e.i32(from.at);
      e.for(e.i32(), 0, count, 1, () => {
        body(loadAt(at));
        local.set(at, i32.add(at, from.offset(step)));
      });
    },
    store: (index, vector) => v128.store({ offset: to.offset(index), align: 4 }, to.at, vector),
  };
}

/** Memory for what is between the passes of a transform, and for its own use in one. */
export interface Workspace {
  readonly square: I32;
  readonly desk: I32;
}

const deskOf = (e: Emitter, { base, layout }: Stage) => e.i32(i32.add(base, layout.desk));

/** Transforms the columns and then the rows of matrices; gives a function that writes it, for one place. */
export function squareTransform(e: Emitter, { rows, parts }: Filtering, passes: Passes, { square, desk }: Workspace) {
  const [, width] = passes.size;
  const down = passes.down(e, desk);
  const across = passes.across(e, desk);
  const rowBytes = width * parts * 16;
  return (place: MatrixPlace) => {
    const [column, line] = [e.i32(square), e.i32(square)];
    const from = e.i32(place.from);
    const to = e.i32(place.to);
    const inSquare = (index: number) => Math.floor(index / parts) * rowBytes + (index % parts) * 16;
    e.for(e.i32(), 0, width, 1, () => {
      down(vectorsOf(e, { at: from, offset: (i) => i * place.fromRow }, { at: column, offset: inSquare }));
      local.set(from, i32.add(from, place.fromColumn));
      local.set(column, i32.add(column, parts * 16));
    });
    e.for(e.i32(), 0, rows, 1, () => {
      across(vectorsOf(e, { at: line, offset: (i) => i * 16 }, { at: to, offset: (i) => i * place.toColumn }));
      local.set(line, i32.add(line, rowBytes));
      local.set(to, i32.add(to, place.toRow));
    });
  };
}

/** Runs `body` for each vector of a panel's row, with the vector's addresses in place of the row's. */
export function eachVector(
  e: Emitter,
  { bytes }: Panel,
  rows: readonly I32[],
  body: (vectors: readonly I32[]) => void,
): void {
  const offset = e.i32();
  e.for(offset, 0, bytes, 16, () => body(rows.map((row) => e.i32(i32.add(row, offset)))));
}

/** Transforms a row of tiles, the group's `row`th: (rows * columns of products, tile column, row, channels). */
export function transformInput(e: Emitter, stage: Stage, { rows }: Group, row: I32, inputs: Inputs): void {
  const { plan, method, layout, base } = stage;
  const { channels } = plan;
  const workspace = { square: e.i32(i32.add(base, layout.square)), desk: deskOf(e, stage) };
  const transform = squareTransform(e, method, method.input, workspace);
  const from = e.i32(inputs.at);
  const to = e.i32(e.address(layout.tiles, [base, 1], [row, layout.channelBytes]));
  e.for(e.i32(), 0, layout.tileColumns, 1, () => {
    const vector = { from: e.i32(from), to: e.i32(to) };
    const end = e.i32(i32.add(to, layout.channelBytes));
    e.for(vector.to, to, end, 16, () => {
      transform({
        ...vector,
        fromRow: inputs.pitch,
        fromColumn: channels * 4,
        toRow: method.columns * layout.frequencyBytes,
        toColumn: layout.frequencyBytes,
      });
      local.set(vector.from, i32.add(vector.from, 16));
    });
    local.set(from, i32.add(from, method.m[1] * channels * 4));
    local.set(to, i32.add(to, i32.mul(rows, layout.channelBytes)));
  });
}

/** Transforms back one row of the products of all of a group's tiles: (m, parts, tiles, 8), the `y`th of such. */
export function transformProducts(e: Emitter, stage: Stage, { rows }: Group, y: I32, panel: Panel): void {
  const { method, layout, base } = stage;
  const pitch = layout.productBytes;
  const apply = method.output.across(e, deskOf(e, stage));
  const from = e.i32();
  const start = e.i32(i32.add(base, layout.products));
  const end = e.i32(e.address(0, [start, 1], [rows, layout.tileColumns * PANEL_BYTES]));
  const to = e.i32(e.address(layout.halves, [base, 1], [y, method.m[1] * method.parts * pitch]));
  const offset = (index: number) => index * pitch;
  e.for(from, start, end, PANEL_BYTES, () => {
    eachVector(e, panel, [from, to], ([from, to]) => apply(vectorsOf(e, { at: from!, offset }, { at: to!, offset })));
    local.set(to, i32.add(to, PANEL_BYTES));
  });
}

/** Transforms back the columns of each tile of a row, the group's `row`th: m rows of outputs at `outputs`. */
export function transformOutput(e: Emitter, stage: Stage, { rows }: Group, row: I32, outputs: I32, panel: Panel): void {
  const { method, layout, base } = stage;
  const { parts } = method;
  const [, width] = method.m;
  const pitch = layout.productBytes;
  const apply = method.output.down(e, deskOf(e, stage));
  const inHalf = (index: number) => (Math.floor(index / parts) * width * parts + (index % parts)) * pitch;
  const inStrip = (index: number) => index * layout.strip.columns * PANEL_BYTES;
  const from = e.i32(e.address(layout.halves, [base, 1], [row, PANEL_BYTES]));
  const output = e.i32(outputs);
  e.for(e.i32(), 0, layout.tileColumns, 1, () => {
    const half = e.i32(from);
    e.for(e.i32(), 0, width, 1, () => {
      eachVector(e, panel, [half, output], ([at, to]) => {
        apply(vectorsOf(e, { at: at!, offset: inHalf }, { at: to!, offset: inStrip }));
      });
      local.set(half, i32.add(half, parts * pitch));
      local.set(output, i32.add(output, PANEL_BYTES));
    });
    local.set(from, i32.add(from, i32.mul(rows, PANEL_BYTES)));
  });
}
