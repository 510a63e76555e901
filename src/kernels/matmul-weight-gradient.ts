/**
 * Weight gradient of a dense layer: the product of the transposed inputs with the output gradients, summed over the
 * batch in ascending order; and, where an optimizer is fused behind it, the weight's update, chunk by chunk, so that the
 * gradient never leaves the cache.
 *
 * Threads share the gradient by chunks of rows, which belong to inputs. ReLU leaves about half of the inputs zero: of each row's
 * inputs, over the batch, those that are not zero become a list, and their samples' output gradients are added up, packed
 * by panels of columns that lie in the first-level cache.
 */
import { f32x4, i32, i32x4, local, v128 } from "wasmati";
import type { Emitter, I32 } from "../wasm/emitter.ts";
import { elementsOf, type Op, type Operand, type TensorType } from "./op.ts";
import { packPanel, transpose } from "./packing.ts";
import type { UpdateOp, VectorUpdate } from "./parameter-update.ts";
import { addEntries, append, listBytes, MOST_SUMS, nonzeroLanes, TABLE_BYTES, writeTable } from "./sparse-list.ts";

export interface MatmulWeightGradientAttributes {
  /** The optimizer's update, which takes the place of the output. */
  readonly update?: { readonly op: UpdateOp<unknown>; readonly attributes: unknown };
}

/** Rows whose lists are made together: two cache lines of inputs a sample. */
const CHUNK_ROWS = 32;

/** Bytes before a list, with its end. */
const HEADER_BYTES = 16;

/**
 * x (in), dy (out), both batched → (in, out), the sum over the batch. With an update x, dy and the update's inputs but
 * for the gradient; no output.
 */
export const matmulWeightGradient: Op<MatmulWeightGradientAttributes> = {
  name: "matmulWeightGradient",

  infer: ({ update }, [x, dy]) => (update ? [] : [gradientType(x!, dy!)]),

  reference({ update }, [x, dy, parameter, ...rest], [output], batch) {
    const type = gradientType(x!, dy!);
    const [rows, columns] = type.shape as [number, number];
    const dw = output ?? { ...type, data: new Float32Array(rows * columns) };
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        let sum = 0;
        for (let n = 0; n < batch; n++) sum += x!.data[n * rows + i]! * dy!.data[n * columns + j]!;
        dw.data[i * columns + j] = sum;
      }
    }
    update?.op.reference(update.attributes, [parameter!, dw, ...rest], [], batch);
  },

  operations: (_, [x, dy]) => elementsOf(x!.shape) * elementsOf(dy!.shape),

  scratchBytes: (_, [x, dy], batchSize) => planOf(x!, dy!, batchSize).bytes,

  emit(e, { update }, [x, dy, parameter, ...rest], [dw]) {
    const plan = planOf(x!, dy!, e.batchSize);
    const base = e.scratch();
    writeTable(e, e.i32(i32.add(base, plan.table)));
    packGradients(e, plan, dy!, base);
    const updateVector = update?.op.prepare(e, update.attributes, parameter!, rest);
    e.eachUnit(e.i32(Math.ceil(plan.rows / CHUNK_ROWS)), (chunk) => {
      const first = e.i32(i32.mul(chunk, CHUNK_ROWS));
      const count = e.i32(i32.sub(plan.rows, first));
      e.atMost(count, CHUNK_ROWS);
      makeLists(e, plan, x!, { first, count, base });
      const start = e.i32(e.address(0, [first, plan.columns * 4]));
      const target = e.i32(dw ? i32.add(start, dw.address) : i32.add(base, plan.chunk));
      for (const { panels, width, start: from } of plan.pieces) {
        const panel = e.i32();
        e.for(panel, from, from + panels, 1, () => addPanel(e, plan, { count, base, panel, width, target }));
      }
      if (updateVector) updateChunk(e, plan, { count, start, gradient: target }, updateVector);
    });
  },
};

function gradientType(x: TensorType, dy: TensorType): TensorType {
  return { shape: [elementsOf(x.shape), elementsOf(dy.shape)], batched: false, dtype: "float32" };
}

function planOf(x: TensorType, dy: TensorType, batchSize: number) {
  const columns = elementsOf(dy.shape);
  const vectors = Math.ceil(columns / 4);
  const panelVectors = Math.ceil(vectors / Math.ceil(vectors / MOST_SUMS));
  const full = Math.floor(columns / 4 / panelVectors);
  const distance = listBytes(batchSize);
  const slotBytes = HEADER_BYTES + 2 * distance;
  const panelBytes = batchSize * panelVectors * 16;
  const lists = TABLE_BYTES;
  const gradients = lists + CHUNK_ROWS * slotBytes;
  const chunk = gradients + Math.ceil(vectors / panelVectors) * panelBytes;
  return {
    rows: elementsOf(x.shape),
    columns,
    /** Bytes of a sample's part of a panel, and of a panel. */
    rowBytes: panelVectors * 16,
    panelBytes,
    /** Panels of full width, in columns, and a narrower last. */
    pieces: [
      { panels: full, width: panelVectors * 4, start: 0 },
      { panels: columns > full * panelVectors * 4 ? 1 : 0, width: columns - full * panelVectors * 4, start: full },
    ].filter(({ panels }) => panels > 0),
    /** Bytes from an entry's offset to its value, and from list to list. */
    distance,
    slotBytes,
    /** Where in scratch memory lies what. */
    table: 0,
    lists,
    gradients,
    chunk,
    bytes: chunk + CHUNK_ROWS * columns * 4 + 64,
  };
}

type Plan = ReturnType<typeof planOf>;

/** Packs dy by panels: (panel, sample, column). */
function packGradients(e: Emitter, plan: Plan, dy: Operand, base: I32): void {
  const { columns, rowBytes } = plan;
  for (const { panels, width, start } of plan.pieces) {
    const panel = e.i32();
    e.for(panel, start, start + panels, 1, () => {
      const from = e.i32(e.address(dy.address, [panel, rowBytes]));
      const to = e.i32(e.address(plan.gradients, [base, 1], [panel, plan.panelBytes]));
      packPanel(e, { rows: e.batch, columns: width, rowBytes: columns * 4, panelBytes: rowBytes }, from, to);
    });
  }
}

interface Chunk {
  /** The first of this chunk's rows, and how many there are. */
  readonly first: I32;
  readonly count: I32;
  readonly base: I32;
}

/** Lists the inputs of each row of a chunk that are not zero, four rows and four samples at a time. */
function makeLists(e: Emitter, plan: Plan, x: Operand, { first, count, base }: Chunk): void {
  const { rows, rowBytes, distance, slotBytes } = plan;
  const table = e.i32(i32.add(base, plan.table));
  const step = e.v128(v128.const("i32x4", [0, rowBytes, 2 * rowBytes, 3 * rowBytes]));
  const row = e.i32();
  e.for(row, 0, count, 4, () => {
    const slot = e.i32(e.address(plan.lists, [base, 1], [row, slotBytes]));
    const ends = [0, 1, 2, 3].map((lane) => e.i32(i32.add(slot, lane * slotBytes + HEADER_BYTES)));
    const places = e.v128(step);
    const from = e.i32(e.address(x.address, [first, 4], [row, 4]));
    const n = e.i32();
    e.for(n, 0, e.batch, 4, () => {
      const left = e.i32(i32.sub(e.batch, n));
      const isSample = e.i32(i32.const(15));
      e.if(i32.lt_s(left, 4), () => local.set(isSample, i32.sub(i32.shl(1, left), 1)));
      // Behind the last sample the first of the four is read again, and masked out.
      const samples = [0, 1, 2, 3].map((i) => {
        const isThere = i32.and(i32.shr_u(isSample, i), 1);
        return e.v128(v128.load({ align: 4 }, i32.add(from, i32.mul(isThere, i * rows * 4))));
      });
      for (const [lane, values] of transpose(e, samples).entries()) {
        const mask = e.i32(i32.and(nonzeroLanes(e, values), isSample));
        append(e, { end: ends[lane]!, distance, table }, values, places, mask);
      }
      local.set(places, i32x4.add(places, i32x4.splat(4 * rowBytes)));
      local.set(from, i32.add(from, 4 * rows * 4));
    });
    for (const [lane, end] of ends.entries()) {
      i32.store({ offset: lane * slotBytes }, slot, end);
      e.countEntries(e.i32(i32.add(slot, lane * slotBytes + HEADER_BYTES)), end, e.batch);
    }
  });
}

/** Sums one panel of a chunk's rows. */
function addPanel(
  e: Emitter,
  plan: Plan,
  { count, base, panel, width, target }: { count: I32; base: I32; panel: I32; width: number; target: I32 },
): void {
  const { columns, slotBytes, distance } = plan;
  const gradients = e.i32(e.address(plan.gradients, [base, 1], [panel, plan.panelBytes]));
  const slot = e.i32(i32.add(base, plan.lists));
  const row = e.i32(e.address(0, [target, 1], [panel, plan.rowBytes]));
  e.for(e.i32(), 0, count, 1, () => {
    const from = e.i32(i32.add(slot, HEADER_BYTES));
    const end = e.i32(i32.load({}, slot));
    const sums = Array.from({ length: Math.ceil(width / 4) }, (_, v) => {
      return { sum: e.v128(f32x4.splat(0)), offset: v * 16 };
    });
    addEntries(e, sums, { from, end, distance }, gradients);
    for (const { sum, offset } of sums) e.storeLanes(row, offset, sum, Math.min(4, width - offset / 4));
    local.set(slot, i32.add(slot, slotBytes));
    local.set(row, i32.add(row, columns * 4));
  });
}

/** Updates a chunk's rows, which lie one after another, from their gradient. */
function updateChunk(
  e: Emitter,
  { columns }: Plan,
  { count, start, gradient }: { count: I32; start: I32; gradient: I32 },
  update: VectorUpdate,
): void {
  const elements = e.i32(i32.mul(count, columns));
  const offset = e.i32(start);
  const from = e.i32(gradient);
  const end = e.i32(i32.add(start, i32.shl(i32.and(elements, -4), 2)));
  const updateLanes = (lanes: number) => update(offset, e.v128(v128.load({ align: 4 }, from)), lanes);
  e.for(offset, start, end, 16, () => {
    updateLanes(4);
    local.set(from, i32.add(from, 16));
  });
  if (columns % 4 === 0) return;
  for (const lanes of [1, 2, 3]) e.if(i32.eq(i32.and(elements, 3), lanes), () => updateLanes(lanes));
}
