/**
 * The two-dimensional transforms of Winograd's filtering: of the kernel, of the input's tiles and of the products. Each
 * applies a matrix along both axes of a square of vectors: to the columns of kernels and inputs, then to the rows; of
 * products to each row when it is there, in the end to the columns.
 */
import { i32, local, v128 } from "wasmati";
import type { Emitter, I32 } from "../wasm/emitter.ts";
import { PANEL_BYTES } from "./block.ts";
import { multiplyPairedColumns, multiplyPairedRows, type Transform } from "./winograd.ts";
import type { Group } from "./winograd-bands.ts";
import type { Stage } from "./winograd-plan.ts";

/** Applies a transform to the columns and then to the rows of a matrix of vectors. */
interface SquareTransform {
  /** Size of the matrix before, and of the result. */
  readonly before: number;
  readonly after: number;
  readonly apply: Transform;
  /** Where the matrix is, and bytes between its rows and columns. */
  readonly from: I32;
  readonly fromRow: number;
  readonly fromColumn: number;
  readonly to: I32;
  readonly toRow: number;
  readonly toColumn: number;
}

/** Vectors in memory: the first, and bytes from one to the next. */
interface Vectors {
  readonly at: I32;
  readonly pitch: number;
}

/** Applies a transform to `count` vectors, and stores what it gives. */
function transformVectors(e: Emitter, apply: Transform, count: number, from: Vectors, to: Vectors): void {
  const vectors = Array.from({ length: count }, (_, i) => {
    return e.v128(v128.load({ offset: i * from.pitch, align: 4 }, from.at));
  });
  for (const [i, vector] of apply(vectors).entries()) {
    v128.store({ offset: i * to.pitch, align: 4 }, to.at, vector);
  }
}

function transformSquare(e: Emitter, { layout, base }: Stage, transform: SquareTransform): void {
  const { before, after, apply, fromRow, fromColumn, toRow, toColumn } = transform;
  const square = e.i32(i32.add(base, layout.square));
  const column = e.i32(square);
  const from = e.i32(transform.from);
  const to = e.i32(transform.to);
  e.for(e.i32(), 0, before, 1, () => {
    transformVectors(e, apply, before, { at: from, pitch: fromRow }, { at: column, pitch: before * 16 });
    local.set(from, i32.add(from, fromColumn));
    local.set(column, i32.add(column, 16));
  });
  e.for(e.i32(), 0, after, 1, () => {
    transformVectors(e, apply, before, { at: square, pitch: 16 }, { at: to, pitch: toColumn });
    local.set(square, i32.add(square, before * 16));
    local.set(to, i32.add(to, toRow));
  });
}

/** G g G^T for one panel of output channels: (n * n, channels, 8). */
export function transformKernel(e: Emitter, stage: Stage, panel: I32, columns: number): void {
  const { plan, method, layout, base, kernel } = stage;
  const { channels, outputChannels } = plan;
  const { n, r } = method;
  const apply = multiplyPairedRows(e, method.kernel);
  const from = e.i32(e.address(kernel.address, [panel, PANEL_BYTES]));
  const to = e.i32(e.address(layout.kernel, [base, 1], [panel, layout.kernelBytes]));
  e.for(e.i32(), 0, channels, 1, () => {
    for (let v = 0; v < columns; v += 4) {
      const vector = { from: e.i32(i32.add(from, v * 4)), to: e.i32(i32.add(to, v * 4)) };
      e.scope(() =>
        transformSquare(e, stage, {
          ...vector,
          before: r,
          after: n,
          apply,
          fromRow: r * channels * outputChannels * 4,
          fromColumn: channels * outputChannels * 4,
          toRow: n * channels * PANEL_BYTES,
          toColumn: channels * PANEL_BYTES,
        }),
      );
    }
    local.set(from, i32.add(from, outputChannels * 4));
    local.set(to, i32.add(to, PANEL_BYTES));
  });
}

/** B^T d B for each tile of a row, the group's `row`th: (n * n, tile column, row, channels). */
export function transformInput(e: Emitter, stage: Stage, { rows }: Group, row: I32): void {
  const { plan, method, layout, base } = stage;
  const { channels } = plan;
  const { n, m } = method;
  const apply = multiplyPairedRows(e, method.input);
  const from = e.i32(i32.add(base, layout.inputs));
  const to = e.i32(e.address(layout.tiles, [base, 1], [row, layout.channelBytes]));
  e.for(e.i32(), 0, layout.tileColumns, 1, () => {
    const vector = { from: e.i32(from), to: e.i32(to) };
    const end = e.i32(i32.add(to, layout.channelBytes));
    e.for(vector.to, to, end, 16, () => {
      transformSquare(e, stage, {
        ...vector,
        before: n,
        after: n,
        apply,
        fromRow: layout.stripPitch,
        fromColumn: channels * 4,
        toRow: n * layout.frequencyBytes,
        toColumn: layout.frequencyBytes,
      });
      local.set(vector.from, i32.add(vector.from, 16));
    });
    local.set(from, i32.add(from, m * channels * 4));
    local.set(to, i32.add(to, i32.mul(rows, layout.channelBytes)));
  });
}

/** M A for one row of the products of all of a group's tiles: (m, tiles, 8), the `y`th of n such. */
export function transformProducts(e: Emitter, stage: Stage, { rows }: Group, y: I32, columns: number): void {
  const { method, layout, base } = stage;
  const { n, m } = method;
  const pitch = layout.productBytes;
  const apply = multiplyPairedColumns(e, method.output);
  const from = { at: e.i32(), pitch };
  const start = e.i32(i32.add(base, layout.products));
  const end = e.i32(e.address(0, [start, 1], [rows, layout.tileColumns * PANEL_BYTES]));
  const to = { at: e.i32(e.address(layout.halves, [base, 1], [y, m * pitch])), pitch };
  const step = columns <= 4 ? PANEL_BYTES : 16;
  e.for(from.at, start, end, step, () => {
    transformVectors(e, apply, n, from, to);
    local.set(to.at, i32.add(to.at, step));
  });
}

/** A^T (M A) for each tile of a row, the group's `row`th: m rows of outputs at `outputs`. */
export function transformOutput(
  e: Emitter,
  stage: Stage,
  { rows }: Group,
  row: I32,
  outputs: I32,
  columns: number,
): void {
  const { method, layout, base } = stage;
  const { n, m } = method;
  const apply = multiplyPairedColumns(e, method.output);
  const from = e.i32(e.address(layout.halves, [base, 1], [row, PANEL_BYTES]));
  const output = e.i32(outputs);
  e.for(e.i32(), 0, layout.tileColumns, 1, () => {
    const half = { at: e.i32(from), pitch: m * layout.productBytes };
    e.for(e.i32(), 0, m, 1, () => {
      for (let v = 0; v < columns; v += 4) {
        const [at, to] = [half.at, output].map((address) => e.i32(i32.add(address, v * 4))) as [I32, I32];
        e.scope(() =>
          transformVectors(e, apply, n, { ...half, at }, { at: to, pitch: layout.strip.columns * PANEL_BYTES }),
        );
      }
      local.set(half.at, i32.add(half.at, layout.productBytes));
      local.set(output, i32.add(output, PANEL_BYTES));
    });
    local.set(from, i32.add(from, i32.mul(rows, PANEL_BYTES)));
  });
}
