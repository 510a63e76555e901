/**
 * Weight gradient of a dense layer: the product of the transposed inputs with the output gradients, summed over the
 * batch in ascending order.
 *
 * Threads share the rows of the gradient in chunks of 32. The chunk's columns of x are gathered into contiguous scratch
 * memory, because one sample's neighbour lies a whole row away, on another page.
 */
import { i32, local, v128 } from "wasmati";
import type { Emitter, I32 } from "../wasm/emitter.ts";
import { BLOCK_ROWS, clearSums, multiplyRun, PANEL_COLUMNS, storeSums, takeSums } from "./block.ts";
import { elementsOf, type Op, type Operand } from "./op.ts";

const CHUNK_ROWS = 32;
const CHUNK_BYTES = CHUNK_ROWS * 4;

/** x (in), dy (out), both batched → (in, out), the sum over the batch. */
export const matmulWeightGradient: Op<object> = {
  name: "matmulWeightGradient",

  infer: (_, [x, dy]) => [{ shape: [elementsOf(x!.shape), elementsOf(dy!.shape)], batched: false, dtype: "float32" }],

  reference(_, [x, dy], [dw], batch) {
    const [rows, columns] = dw!.shape as [number, number];
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        let sum = 0;
        for (let n = 0; n < batch; n++) sum += x!.data[n * rows + i]! * dy!.data[n * columns + j]!;
        dw!.data[i * columns + j] = sum;
      }
    }
  },

  scratchBytes: (_, __, batchSize) => batchSize * CHUNK_BYTES,

  emit(e, _, [x, dy], [dw]) {
    const [rows, columns] = dw!.shape as [number, number];
    const fullChunks = Math.floor(rows / CHUNK_ROWS);
    const restRows = rows % CHUNK_ROWS;
    const { from, to } = e.share(fullChunks + (restRows ? 1 : 0));
    const chunk = e.i32();
    const gathered = e.scratch();
    e.for(chunk, from, to, 1, () => {
      gather(e, x!, rows, chunk, gathered);
      const run = (count: number) => multiplyChunk(e, { dy: dy!, dw: dw!, columns, count }, chunk, gathered);
      if (!restRows) run(CHUNK_ROWS);
      else if (!fullChunks) run(restRows);
      else
        e.if(
          i32.lt_s(chunk, fullChunks),
          () => run(CHUNK_ROWS),
          () => run(restRows),
        );
    });
  },
};

/** Copies 32 values of each sample to scratch memory; past the last value of x it copies what lies there. */
function gather(e: Emitter, x: Operand, rows: number, chunk: I32, gathered: I32): void {
  const n = e.i32();
  const source = e.i32(e.address(x.address, [chunk, CHUNK_BYTES]));
  const target = e.i32(gathered);
  e.for(n, 0, e.batch, 1, () => {
    for (let offset = 0; offset < CHUNK_BYTES; offset += 16) {
      v128.store({ offset, align: 4 }, target, v128.load({ offset, align: 4 }, source));
    }
    local.set(source, i32.add(source, rows * 4));
    local.set(target, i32.add(target, CHUNK_BYTES));
  });
}

interface ChunkPlan {
  readonly dy: Operand;
  readonly dw: Operand;
  readonly columns: number;
  /** Rows of this chunk. */
  readonly count: number;
}

function multiplyChunk(e: Emitter, plan: ChunkPlan, chunk: I32, gathered: I32): void {
  const { columns, count } = plan;
  const column = e.i32();
  const restColumns = columns % PANEL_COLUMNS;
  const lastFull = columns - restColumns;
  const end = e.i32(i32.add(gathered, i32.mul(e.batch, CHUNK_BYTES)));
  const rowsAt = (width: number) => {
    const restRows = count % BLOCK_ROWS;
    const row = e.i32();
    e.for(row, 0, count - restRows, BLOCK_ROWS, () => block(BLOCK_ROWS, row, width));
    if (restRows) block(restRows, e.i32(count - restRows), width);
  };
  const block = (rows: number, row: I32, width: number) => {
    const sums = takeSums(e, rows, width);
    clearSums(sums);
    const a = e.i32(i32.add(gathered, i32.mul(row, 4)));
    const aEnd = e.i32(i32.add(end, i32.mul(row, 4)));
    const b = e.i32(e.address(plan.dy.address, [column, 4]));
    const rowOffsets = sums.map((_, r) => r * 4);
    multiplyRun(e, { rowOffsets, aStep: CHUNK_BYTES, bStep: columns * 4 }, sums, a, b, aEnd);
    const target = e.i32(
      e.address(plan.dw.address, [chunk, CHUNK_ROWS * columns * 4], [row, columns * 4], [column, 4]),
    );
    storeSums(
      e,
      sums,
      target,
      sums.map((_, r) => r * columns * 4),
      width,
    );
  };
  e.for(column, 0, lastFull, PANEL_COLUMNS, () => rowsAt(PANEL_COLUMNS));
  if (restColumns) rowsAt(restColumns);
}
