/**
 * Weight gradient of a dense layer: the product of the transposed inputs with the output gradients, summed over the
 * batch in ascending order; and, where an optimizer is fused behind it, the weight's update, chunk by chunk, so that the
 * gradient never leaves the cache.
 *
 * Threads share the gradient by chunks of rows, which belong to inputs. ReLU leaves about half of the inputs zero: of each row's
 * inputs, over the batch, those that are not zero become a list, and their samples' output gradients are added up, packed
 * by panels of columns that lie in the first-level cache. Columns that are zero for all samples are left out
 * (`live-columns.ts`): rows of sums, and of weights, are squeezed, and spread again where a row is finished. A chunk's rows
 * are finished some vectors at a time beside the sums of the next: an optimizer's divisions, its roots and what it waits
 * for in memory then go on behind multiplications and additions.
 *
 * Where the inputs come from a ReLU, their own gradients pass it just where they are not zero: for the entries of the same
 * lists. Each is the product of the row of weights with the output gradients that are in registers already, so that both
 * gradients take one pass: `inputGradient`.
 */
import { f32, f32x4, i8x16, i32, i32x4, local, v128 } from "wasmati";
import { type Emitter, type I32, scratchParts } from "../wasm/emitter.ts";
import { clearMemory } from "./convolution.ts";
import {
  beginRows,
  type Columns,
  columnMapBytes,
  mapColumns,
  noRows,
  spreadVectors,
  squeezeRows,
} from "./live-columns.ts";
import { elementsOf, type Op, type Operand, type TensorType } from "./op.ts";
import { lanes as lanesOf, transpose } from "./packing.ts";
import type { UpdateOp } from "./parameter-update.ts";
import {
  addEntries,
  addPairs,
  append,
  listBytes,
  MOST_SUMS,
  nonzeroLanes,
  TABLE_BYTES,
  writeTable,
} from "./sparse-list.ts";

export interface MatmulWeightGradientAttributes {
  /** Also gives the gradient of x, which is the output of a ReLU: zero where x is. */
  readonly inputGradient?: boolean;
  /** The optimizer's update, which takes the place of the output. */
  readonly update?: { readonly op: UpdateOp<unknown>; readonly attributes: unknown };
}

/** Rows whose lists are made together: two cache lines of inputs a sample. */
const CHUNK_ROWS = 32;

/** Vectors of a panel where both gradients are made: as many sums and as many weights are in registers at a time. */
const PAIRED_SUMS = 6;

/** Bytes before a list, with its end. */
const HEADER_BYTES = 16;

/**
 * x (in), dy (out), both batched → (in, out), the sum over the batch. With an update x, dy and the update's inputs but
 * for the gradient; then without that output. With `inputGradient` the third input is the weight, and the gradient of x
 * the first output.
 */
export const matmulWeightGradient: Op<MatmulWeightGradientAttributes> = {
  name: "matmulWeightGradient",

  infer: ({ update, inputGradient }, [x, dy]) => [
    ...(inputGradient ? [{ ...x!, shape: [elementsOf(x!.shape)] }] : []),
    ...(update ? [] : [gradientType(x!, dy!)]),
  ],

  reference({ update, inputGradient }, [x, dy, parameter, ...rest], outputs, batch) {
    const type = gradientType(x!, dy!);
    const [rows, columns] = type.shape as [number, number];
    const dx = inputGradient ? outputs[0]! : undefined;
    const dw = outputs[dx ? 1 : 0] ?? { ...type, data: new Float32Array(rows * columns) };
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        let sum = 0;
        for (let n = 0; n < batch; n++) sum += x!.data[n * rows + i]! * dy!.data[n * columns + j]!;
        dw.data[i * columns + j] = sum;
      }
      for (let n = 0; dx && n < batch; n++) {
        let sum = 0;
        for (let j = 0; j < columns; j++) sum += dy!.data[n * columns + j]! * parameter!.data[i * columns + j]!;
        dx.data[n * rows + i] = x!.data[n * rows + i] === 0 ? 0 : sum;
      }
    }
    update?.op.reference(update.attributes, [parameter!, dw, ...rest], [], batch);
  },

  changes({ update }, [x, dy, parameter, ...state]) {
    const changed = update?.op.changes?.(update.attributes, [parameter!, gradientType(x!, dy!), ...state]);
    return changed?.map(placeOf) ?? [];
  },

  operations: ({ inputGradient }, [x, dy]) => (inputGradient ? 2 : 1) * elementsOf(x!.shape) * elementsOf(dy!.shape),

  scratchBytes: (attributes, [x, dy], batchSize) => planOf(attributes, x!, dy!, batchSize).bytes,

  emit(e, attributes, [x, dy, parameter, ...rest], outputs) {
    const { update, inputGradient } = attributes;
    const plan = planOf(attributes, x!, dy!, e.batchSize);
    const dx = inputGradient ? outputs[0] : undefined;
    const dw = outputs[dx ? 1 : 0];
    const base = e.scratch();
    const table = e.i32(i32.add(base, plan.table));
    writeTable(e, table);
    const live: Columns = { columns: plan.columns, pitch: plan.pitch, map: e.i32(i32.add(base, plan.live)) };
    const used = mapColumns(e, live, e.i32(i32.const(dy!.address)), e.batch, table);
    const work: Work = { plan, base, live, ...cutPanels(e, plan, used) };
    packGradients(e, work, dy!);
    if (dx) clearMemory(e.i32(i32.add(base, plan.weights)), CHUNK_ROWS * plan.pitch);
    const updateVector = update?.op.prepare(e, update.attributes, parameter!, rest);
    const unfinished = noRows(e);
    const finish = (vectors: I32) =>
      spreadVectors(e, live, unfinished, vectors, (gradient, offset, lanes) => {
        if (dw) e.storeLanes(offset, dw.address, gradient, lanes);
        updateVector?.(offset, gradient, lanes);
      });
    const sums = e.i32(i32.add(base, plan.sums));
    const bothSums = e.i32(i32.add(i32.shl(sums, 1), CHUNK_ROWS * plan.pitch));
    e.eachUnit(e.i32(Math.ceil(plan.rows / CHUNK_ROWS)), (number) => {
      const first = e.i32(i32.mul(number, CHUNK_ROWS));
      const count = e.i32(i32.sub(plan.rows, first));
      e.atMost(count, CHUNK_ROWS);
      const start = e.i32(e.address(0, [first, plan.columns * 4]));
      const chunk: Chunk = { ...work, first, count, sums };
      makeLists(e, chunk, x!);
      if (dx) {
        packWeights(e, chunk, e.i32(i32.add(start, parameter!.address)));
        clearProducts(e, chunk);
      }
      // As many at a time as have all of them finished with this chunk's last sums.
      const times = e.i32(i32.mul(count, work.panels));
      const vectors = e.i32(i32.div_u(i32.add(unfinished.left, i32.sub(times, 1)), times));
      eachLivePanel(e, chunk, (panel) => addPanel(e, chunk, panel, dx !== undefined, () => finish(vectors)));
      if (dx) writeInputGradients(e, chunk, dx);
      beginRows(live, unfinished, { from: sums, to: start, rows: count });
      local.set(sums, i32.sub(bothSums, sums));
    });
    finish(unfinished.left);
  },
};

/** The number of an update's input among those of the op that it is fused with: the parameter is behind x and dy. */
const placeOf = (input: number) => (input === 0 ? 2 : input + 1);

function gradientType(x: TensorType, dy: TensorType): TensorType {
  return { shape: [elementsOf(x.shape), elementsOf(dy.shape)], batched: false, dtype: "float32" };
}

function planOf({ inputGradient }: MatmulWeightGradientAttributes, x: TensorType, dy: TensorType, batchSize: number) {
  const columns = elementsOf(dy.shape);
  const vectors = Math.ceil(columns / 4);
  const panels = Math.ceil(vectors / (inputGradient ? PAIRED_SUMS : MOST_SUMS));
  const rowBytes = Math.ceil(vectors / panels) * 16;
  const distance = listBytes(batchSize);
  const slotBytes = HEADER_BYTES + 2 * distance;
  const pitch = panels * rowBytes;
  const panelBytes = batchSize * rowBytes;
  const productBytes = inputGradient ? batchSize * 16 : 0;
  const { take, bytes } = scratchParts();
  return {
    rows: elementsOf(x.shape),
    columns,
    /** Vectors, and bytes, of a sample's part of a panel; bytes of a panel; and of a row of all panels. */
    panelVectors: rowBytes / 16,
    rowBytes,
    panelBytes,
    pitch,
    /** Bytes from an entry's offset to its value, and from list to list. */
    distance,
    slotBytes,
    /** Bytes of a row's products with the weights: a vector an entry, whose lanes are to be added up. */
    productBytes,
    /** Where in scratch memory lies what. */
    table: take(TABLE_BYTES),
    live: take(columnMapBytes(columns)),
    lists: take(CHUNK_ROWS * slotBytes),
    row: take(pitch),
    gradients: take(panels * panelBytes),
    weights: take(inputGradient ? CHUNK_ROWS * pitch : 0),
    products: take(CHUNK_ROWS * productBytes),
    /** For a chunk and for the one before. */
    sums: take(2 * CHUNK_ROWS * pitch),
    bytes: bytes(),
  };
}

type Plan = ReturnType<typeof planOf>;

interface Work {
  readonly plan: Plan;
  readonly base: I32;
  /** The columns of dy that are not zero for all samples. */
  readonly live: Columns;
  /** The panels that hold them, and how many of these are full. */
  readonly panels: I32;
  readonly full: I32;
}

/**
 * Cuts rows of `used` bytes into as few panels as hold them, at least one, and makes of these so many one vector narrower
 * as can be.
 */
function cutPanels(e: Emitter, { panelVectors, rowBytes }: Plan, used: I32): Pick<Work, "panels" | "full"> {
  e.atLeast(used, 4);
  const panels = e.i32(i32.div_u(i32.add(used, rowBytes - 1), rowBytes));
  const full = e.i32(i32.shr_u(i32.add(used, 15), 4));
  local.set(full, i32.sub(full, i32.mul(panels, panelVectors - 1)));
  if (panelVectors > 1) e.atLeast(full, 0);
  return { panels, full };
}

interface Panel {
  readonly number: I32;
  /** Bytes of a row before it. */
  readonly start: I32;
  readonly vectors: number;
}

/** Runs `body` for the panels in order; it is written once for full ones and once for narrower ones. */
function eachLivePanel(e: Emitter, { plan, panels, full }: Work, body: (panel: Panel) => void): void {
  const number = e.i32();
  const start = e.i32(0);
  const run = (from: I32 | number, to: I32, vectors: number) => {
    e.for(number, from, to, 1, () => {
      body({ number, start, vectors });
      local.set(start, i32.add(start, vectors * 16));
    });
  };
  run(0, full, plan.panelVectors);
  if (plan.panelVectors > 1) run(full, panels, plan.panelVectors - 1);
}

/** Packs dy by panels: (panel, sample, column), behind a narrower panel's rows anything. */
function packGradients(e: Emitter, work: Work, dy: Operand): void {
  const { plan, base, live } = work;
  const row = e.i32(i32.add(base, plan.row));
  clearMemory(row, plan.pitch);
  const sample = e.i32();
  e.for(sample, 0, e.batch, 1, () => {
    const from = e.i32(e.address(dy.address, [sample, plan.columns * 4]));
    squeezeRows(e, live, { from, to: row });
    const to = e.i32(e.address(plan.gradients, [base, 1], [sample, plan.rowBytes]));
    eachLivePanel(e, work, ({ start, vectors }) => {
      const part = e.i32(i32.add(row, start));
      for (let v = 0; v < vectors; v++) {
        v128.store({ offset: v * 16 }, to, v128.load({ offset: v * 16 }, part));
      }
      local.set(to, i32.add(to, plan.panelBytes));
    });
  });
}

interface Chunk extends Work {
  /** The first of this chunk's rows, and how many there are. */
  readonly first: I32;
  readonly count: I32;
  /** Address of their sums, squeezed. */
  readonly sums: I32;
}

/** Packs a chunk's weights as dy: (row, column). */
function packWeights(e: Emitter, { plan, base, live, count }: Chunk, from: I32): void {
  squeezeRows(e, live, { from, to: e.i32(i32.add(base, plan.weights)), rows: count });
}

/**
 * Lists the inputs of each row of a chunk that are not zero, four rows and four samples at a time; all rows of the same
 * samples one after another, because each sample is in another page of memory.
 */
function makeLists(e: Emitter, chunk: Chunk, x: Operand): void {
  const { plan, base, first, count } = chunk;
  const { rows, rowBytes, distance, slotBytes } = plan;
  const table = e.i32(i32.add(base, plan.table));
  const lists = e.i32(i32.add(base, plan.lists));
  const eachFourRows = (body: (slot: I32) => void) => {
    const slot = e.i32(lists);
    e.for(e.i32(), 0, count, 4, () => {
      body(slot);
      local.set(slot, i32.add(slot, 4 * slotBytes));
    });
  };
  const lanes = [0, 1, 2, 3];
  eachFourRows((slot) => {
    for (const lane of lanes) {
      const offset = lane * slotBytes;
      i32.store({ offset }, slot, e.i32(i32.add(slot, offset + HEADER_BYTES)));
    }
  });
  const places = e.v128(v128.const("i32x4", [0, rowBytes, 2 * rowBytes, 3 * rowBytes]));
  const line = e.i32(e.address(x.address, [first, 4]));
  const n = e.i32();
  e.for(n, 0, e.batch, 4, () => {
    const left = e.i32(i32.sub(e.batch, n));
    const isSample = e.i32(i32.const(15));
    e.if(i32.lt_s(left, 4), () => local.set(isSample, i32.sub(i32.shl(1, left), 1)));
    // Behind the last sample the first of the four is read again, and masked out.
    const steps = lanes.map((i) => e.i32(i32.mul(i32.and(i32.shr_u(isSample, i), 1), i * rows * 4)));
    const from = e.i32(line);
    eachFourRows((slot) => {
      const samples = steps.map((step) => e.v128(v128.load({ align: 4 }, i32.add(from, step))));
      for (const [lane, values] of transpose(e, samples).entries()) {
        const offset = lane * slotBytes;
        const end = e.i32(i32.load({ offset }, slot));
        append(e, { end, distance, table }, values, places, e.i32(i32.and(nonzeroLanes(e, values), isSample)));
        i32.store({ offset }, slot, end);
      }
      local.set(from, i32.add(from, 16));
    });
    local.set(places, i32x4.add(places, i32x4.splat(4 * rowBytes)));
    local.set(line, i32.add(line, 4 * rows * 4));
  });
  if (e.isProfiling) eachList(e, chunk, (_, from, end) => e.countEntries(from, end, e.batch));
}

/** The lists of a chunk's rows: their numbers, and where their entries begin and end. */
function eachList(e: Emitter, { plan, count, base }: Chunk, body: (row: I32, from: I32, end: I32) => void): void {
  const slot = e.i32(i32.add(base, plan.lists));
  const row = e.i32();
  e.for(row, 0, count, 1, () => {
    body(row, e.i32(i32.add(slot, HEADER_BYTES)), e.i32(i32.load({}, slot)));
    local.set(slot, i32.add(slot, plan.slotBytes));
  });
}

/**
 * Sums one panel of a chunk's rows and, where their weights are packed, adds to the products with them. What is to be done
 * beside is done a bit at a time, row by row.
 */
function addPanel(e: Emitter, chunk: Chunk, panel: Panel, isPaired: boolean, beside: () => void): void {
  const { plan, base } = chunk;
  const rows = e.i32(e.address(plan.gradients, [base, 1], [panel.number, plan.panelBytes]));
  eachList(e, chunk, (row, from, end) => {
    const sums = Array.from({ length: panel.vectors }, (_, v) => {
      return { sum: e.v128(f32x4.splat(0)), offset: v * 16 };
    });
    const list = { from, end, distance: plan.distance };
    if (isPaired) {
      const weights = e.i32(e.address(plan.weights, [base, 1], [row, plan.pitch], [panel.start, 1]));
      const products = e.i32(e.address(plan.products, [base, 1], [row, plan.productBytes]));
      addPairs(e, sums, list, { rows, weights, products });
    } else addEntries(e, sums, list, rows);
    const out = e.i32(e.address(0, [chunk.sums, 1], [row, plan.pitch], [panel.start, 1]));
    for (const { sum, offset } of sums) v128.store({ offset, align: 4 }, out, sum);
    beside();
  });
}

/** Clears the products with the weights, one for each entry of the lists. */
function clearProducts(e: Emitter, chunk: Chunk): void {
  const { plan, base } = chunk;
  eachList(e, chunk, (row, from, end) => {
    const product = e.i32(e.address(plan.products, [base, 1], [row, plan.productBytes]));
    e.for(e.i32(), from, end, 4, () => {
      v128.store({}, product, f32x4.splat(0));
      local.set(product, i32.add(product, 16));
    });
  });
}

/** The gradients of a chunk's inputs: zero, but for the entries of the lists. */
function writeInputGradients(e: Emitter, chunk: Chunk, dx: Operand): void {
  const { plan, first, count, base } = chunk;
  const { rows, rowBytes } = plan;
  const start = e.i32(e.address(dx.address, [first, 4]));
  const sample = e.i32(start);
  e.for(e.i32(), 0, e.batch, 1, () => {
    const place = e.i32(sample);
    e.for(e.i32(), 0, e.i32(i32.shr_u(count, 2)), 1, () => {
      v128.store({ align: 4 }, place, f32x4.splat(0));
      local.set(place, i32.add(place, 16));
    });
    e.for(e.i32(), 0, e.i32(i32.and(count, 3)), 1, () => {
      f32.store({}, place, 0);
      local.set(place, i32.add(place, 4));
    });
    local.set(sample, i32.add(sample, rows * 4));
  });
  eachList(e, chunk, (row, from, end) => {
    const products = e.i32(e.address(plan.products, [base, 1], [row, plan.productBytes]));
    const column = e.i32(e.address(0, [start, 1], [row, 4]));
    const entry = e.i32();
    e.for(entry, from, end, 4, () => {
      const lanes = e.v128(v128.load({}, products));
      const halves = e.v128(f32x4.add(lanes, i8x16.shuffle(lanesOf(2, 3, 0, 1), lanes, lanes)));
      const n = e.i32(i32.div_u(i32.load({}, entry), rowBytes));
      f32.store(
        {},
        i32.add(column, i32.mul(n, rows * 4)),
        f32.add(f32x4.extract_lane(0, halves), f32x4.extract_lane(1, halves)),
      );
      local.set(products, i32.add(products, 16));
    });
  });
}
