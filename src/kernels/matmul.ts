/**
 * Matrix product of a batch of rows with a weight matrix, with bias and ReLU behind it: the dense layer, forward, and,
 * with the matrix transposed, its input gradient.
 *
 * ReLU leaves about half of such rows zero, so they are compressed to lists, and only the matrix's rows that meet a value
 * are added. The matrix is taken in blocks of some rows by one panel of columns, packed so that a block lies in the
 * first-level cache, and each block runs against all samples. Each output is one sum in ascending order; where a
 * panel has few columns, several that take turns in each block (`sparse-list.ts`). Threads share the samples, so that each
 * finds in its own cache what it made before, or, where the matrix is too large for that, the pairs of panel and sample. Fewer than
 * four samples do not repay the packing: there the matrix is read where it lies.
 */
import { f32x4, i32, i32x4, local, v128 } from "wasmati";
import type { Emitter, I32 } from "../wasm/emitter.ts";
import { keepPositive, reluGradient } from "./activations.ts";
import { finishSums } from "./block.ts";
import { channelSum } from "./channel-sum.ts";
import { matmulWeightGradient } from "./matmul-weight-gradient.ts";
import { elementsOf, type Op, type Operand, type TensorType } from "./op.ts";
import { packPanel, packTransposedPanel } from "./packing.ts";
import { addEntries, append, listBytes, MOST_SUMS, nonzeroLanes, TABLE_BYTES, writeTable } from "./sparse-list.ts";

export interface MatmulAttributes {
  /** Multiply by the transposed matrix. */
  readonly transposed?: boolean;
  readonly relu?: boolean;
  /** Behind the product the gradient of a ReLU: zero wherever the last input, of the output's size, is not positive. */
  readonly masked?: boolean;
}

/** Rows of a block: by ten vectors of columns 30 KB. */
const BLOCK_ROWS = 192;

/** Samples from which on packing pays. */
const PACKED_BATCH = 4;

/** Lists of all blocks are made at once where a sample's take no more: those of a batch stay in second-level cache. */
const LISTS_AT_ONCE_BYTES = 5 * 1024;

/** How many numbers of the matrix a thread packs rather than list, or fetch, one that belongs to another's samples. */
const PACKED_FOR_ONE = 4;

/** Bytes before a list, with its end. */
const HEADER_BYTES = 16;

/** x (in), w (in, out) or (out, in) where transposed, optionally bias (out) or, where masked, the mask → (out). */
export const matmul: Op<MatmulAttributes> = {
  name: "matmul",

  infer({ transposed }, [, w]) {
    return [{ shape: [w!.shape[transposed ? 0 : 1]!], batched: true, dtype: "float32" }];
  },

  reference({ transposed, relu, masked }, [x, w, last], [y], batch) {
    const [bias, mask] = masked ? [undefined, last] : [last, undefined];
    const inner = elementsOf(x!.shape);
    const columns = y!.shape[0]!;
    for (let i = 0; i < batch; i++) {
      for (let j = 0; j < columns; j++) {
        let sum = bias ? bias.data[j]! : 0;
        for (let k = 0; k < inner; k++) {
          sum += x!.data[i * inner + k]! * w!.data[transposed ? j * inner + k : k * columns + j]!;
        }
        const isOff = (relu && sum < 0) || (mask && !(mask.data[i * columns + j]! > 0));
        y!.data[i * columns + j] = isOff ? 0 : sum;
      }
    }
  },

  gradient(graph, { attributes, inputs: [x, w, bias], outputs: [y] }, [dy], wanted) {
    const dz = attributes.relu ? graph.apply(reluGradient, {}, y!, dy!) : dy!;
    return [
      wanted[0] ? graph.apply(matmul, { transposed: true }, dz, w!) : undefined,
      graph.apply(matmulWeightGradient, {}, x!, dz),
      bias ? graph.apply(channelSum, {}, dz) : undefined,
    ];
  },

  operations: (_, [, w]) => elementsOf(w!.shape),

  scratchBytes(attributes, [x, w], batchSize) {
    const { lists, listsAtOnce, blocks, slotBytes } = planOf(attributes, x!, w!);
    return lists + (listsAtOnce ? blocks : 1) * batchSize * slotBytes;
  },

  emit(e, attributes, [x, w, last], [y]) {
    const plan = planOf(attributes, x!, w!);
    const { blocks, listsAtOnce } = plan;
    const base = e.scratch();
    writeTable(e, e.i32(i32.add(base, plan.table)));
    const share = shareOf(e, plan);
    const isPacked = e.i32(attributes.transposed ? i32.const(1) : i32.ge_s(share.samples, PACKED_BATCH));
    const pitch = e.i32(i32.const(plan.panelBytes));
    e.if(i32.eqz(isPacked), () => local.set(pitch, i32.const(plan.columns * 4)));
    const work: Work = { plan, attributes, x: x!, w: w!, last, y: y!, base, isPacked, pitch, share };
    const block = e.i32();
    const eachBlock = (body: () => void) => e.for(block, 0, blocks, 1, body);
    const panel = e.i32();
    const eachPanel = (body: () => void) => e.for(panel, share.panels.from, share.panels.to, 1, body);
    if (listsAtOnce) {
      eachBlock(() => makeLists(e, work, block));
      eachPanel(() => eachBlock(() => runBlock(e, work, block, panel)));
    } else {
      eachBlock(() => {
        makeLists(e, work, block);
        eachPanel(() => runBlock(e, work, block, panel));
      });
    }
  },
};

function planOf({ transposed }: MatmulAttributes, x: TensorType, w: TensorType) {
  const inner = elementsOf(x.shape);
  const columns = w.shape[transposed ? 0 : 1]!;
  const vectors = Math.ceil(columns / 4);
  const panels = Math.ceil(vectors / MOST_SUMS);
  const panelVectors = Math.ceil(vectors / panels);
  const panelBytes = panelVectors * 16;
  const blocks = Math.ceil(inner / BLOCK_ROWS);
  const distance = listBytes(Math.min(inner, BLOCK_ROWS));
  const slotBytes = HEADER_BYTES + 2 * distance;
  return {
    inner,
    columns,
    blocks,
    panels: Math.ceil(vectors / panelVectors),
    /** Columns and bytes of a row of a full panel. */
    panelColumns: panelVectors * 4,
    panelBytes,
    /** Bytes from an entry's offset to its value, and from list to list. */
    distance,
    slotBytes,
    listsAtOnce: blocks * slotBytes <= LISTS_AT_ONCE_BYTES,
    /** Where in scratch memory lies what. Packing may write three rows too many. */
    table: 0,
    block: TABLE_BYTES,
    lists: TABLE_BYTES + (BLOCK_ROWS + 4) * panelBytes,
  };
}

type Plan = ReturnType<typeof planOf>;

interface Work {
  readonly plan: Plan;
  readonly attributes: MatmulAttributes;
  readonly x: Operand;
  readonly w: Operand;
  /** The bias or the mask. */
  readonly last: Operand | undefined;
  readonly y: Operand;
  readonly base: I32;
  /** Whether blocks are packed, and the bytes from row to row of a block. */
  readonly isPacked: I32;
  readonly pitch: I32;
  readonly share: Share;
}

interface Range {
  readonly from: I32;
  readonly to: I32;
}

/** A thread's part of the panels and, of each, of the samples. */
interface Share {
  /** How many samples it has, at most, of a panel. */
  readonly samples: I32;
  readonly panels: Range;
  /** Which samples it has of a panel. */
  readonly samplesOf: (panel: I32) => Range;
  /** Runs `body` for each sample that it has of any panel. */
  readonly eachSample: (body: (n: I32) => void) => void;
}

/**
 * By samples, which are those that this thread has in other kernels, it packs all of the matrix; by pairs of panel and sample
 * it lists the inputs of nearly all samples, and fetches from other threads' caches what goes with them.
 */
function shareOf(e: Emitter, { inner, columns, panels }: Plan): Share {
  const n = e.i32();
  if (inner * columns <= PACKED_FOR_ONE * e.batchSize * (inner + columns)) {
    const samples = e.samples();
    const count = e.i32(i32.sub(samples.to, samples.from));
    const to = e.i32(i32.const(panels));
    e.if(i32.eqz(count), () => local.set(to, i32.const(0)));
    return {
      samples: count,
      panels: { from: e.i32(0), to },
      samplesOf: () => samples,
      eachSample: (body) => e.for(n, samples.from, samples.to, 1, () => body(n)),
    };
  }
  const pairs = e.share(e.i32(i32.mul(e.batch, panels)));
  return {
    samples: e.batch,
    panels: {
      from: e.i32(i32.div_u(pairs.from, e.batch)),
      to: e.i32(i32.div_u(i32.add(pairs.to, i32.sub(e.batch, 1)), e.batch)),
    },
    samplesOf(panel) {
      const begin = e.i32(i32.mul(panel, e.batch));
      const from = e.i32(i32.sub(pairs.from, begin));
      e.atLeast(from, 0);
      const to = e.i32(i32.sub(pairs.to, begin));
      e.atMost(to, e.batch);
      return { from, to };
    },
    eachSample: (body) =>
      e.for(n, 0, e.batch, 1, () => {
        e.if(e.isShared(pairs, n, e.batch), () => body(n));
      }),
  };
}

/** Address of a sample's list of a block. */
function slotOf(e: Emitter, { plan, base }: Work, block: I32, n: I32): I32 {
  const slot = e.i32(plan.listsAtOnce ? i32.add(i32.mul(block, e.batch), n) : n);
  return e.i32(e.address(plan.lists, [base, 1], [slot, plan.slotBytes]));
}

/** Compresses the values of x that meet a block of rows, for this thread's samples. */
function makeLists(e: Emitter, work: Work, block: I32): void {
  const { plan, x, base, pitch, share } = work;
  const table = e.i32(i32.add(base, plan.table));
  const rest = plan.inner % 4;
  const first = e.i32(i32.mul(block, BLOCK_ROWS));
  const count = e.i32(i32.sub(plan.inner, first));
  e.atMost(count, BLOCK_ROWS);
  const places = e.v128();
  const rows = e.v128(i32x4.mul(v128.const("i32x4", [0, 1, 2, 3]), i32x4.splat(pitch)));
  const step = e.v128(i32x4.splat(i32.shl(pitch, 2)));
  share.eachSample((n) => {
    const slot = slotOf(e, work, block, n);
    const end = e.i32(i32.add(slot, HEADER_BYTES));
    const from = e.i32(e.address(x.address, [n, plan.inner * 4], [first, 4]));
    const last = e.i32(i32.add(from, i32.shl(i32.and(count, -4), 2)));
    local.set(places, rows);
    const appendLanes = (lanes: number) => {
      const values = e.v128(v128.load({ align: 4 }, from));
      append(e, { end, distance: plan.distance, table }, values, places, nonzeroLanes(e, values, lanes));
      local.set(places, i32x4.add(places, step));
    };
    e.for(from, from, last, 16, () => appendLanes(4));
    if (rest) e.if(i32.eq(block, plan.blocks - 1), () => appendLanes(rest));
    i32.store({}, slot, end);
    e.countEntries(e.i32(i32.add(slot, HEADER_BYTES)), end, count);
  });
}

/** One block of the matrix against this thread's samples of its panel. */
function runBlock(e: Emitter, work: Work, block: I32, panel: I32): void {
  const { plan, base, w, isPacked, share, attributes } = work;
  const { from, to } = share.samplesOf(panel);
  const first = e.i32(i32.mul(block, BLOCK_ROWS));
  const column = e.i32(i32.mul(panel, plan.panelColumns));
  const run = (columns: number) => {
    const rows = e.i32(i32.add(base, plan.block));
    const pack = () => packBlock(e, work, { first, column, columns }, rows);
    const takeInPlace = () => local.set(rows, e.address(w.address, [first, plan.columns * 4], [column, 4]));
    if (attributes.transposed) pack();
    else if (e.batchSize < PACKED_BATCH) takeInPlace();
    else e.if(i32.ne(isPacked, 0), pack, takeInPlace);
    const n = e.i32();
    e.for(n, from, to, 1, () => addSample(e, work, { block, n, column, columns, rows }));
  };
  const last = plan.columns - (plan.panels - 1) * plan.panelColumns;
  if (last === plan.panelColumns) run(last);
  else if (plan.panels === 1) run(last);
  else
    e.if(
      i32.lt_u(panel, plan.panels - 1),
      () => run(plan.panelColumns),
      () => run(last),
    );
}

function packBlock(
  e: Emitter,
  { plan, w, attributes }: Work,
  { first, column, columns }: { first: I32; column: I32; columns: number },
  target: I32,
): void {
  const { inner, panelBytes } = plan;
  const rows = e.i32(i32.sub(inner, first));
  e.atMost(rows, BLOCK_ROWS);
  const to = e.i32(target);
  if (attributes.transposed) {
    const from = e.i32(e.address(w.address, [column, inner * 4], [first, 4]));
    packTransposedPanel(e, { rows, columns, rowBytes: inner * 4, panelBytes }, from, to);
  } else {
    const from = e.i32(e.address(w.address, [first, plan.columns * 4], [column, 4]));
    packPanel(e, { rows, columns, rowBytes: plan.columns * 4, panelBytes }, from, to);
  }
}

/** Adds what a block sends to one sample's outputs of one panel. */
function addSample(
  e: Emitter,
  work: Work,
  { block, n, column, columns, rows }: { block: I32; n: I32; column: I32; columns: number; rows: I32 },
): void {
  const { plan, y, last, attributes } = work;
  const slot = slotOf(e, work, block, n);
  const from = e.i32(i32.add(slot, HEADER_BYTES));
  const end = e.i32(i32.load({}, slot));
  const out = e.i32(e.address(y.address, [n, plan.columns * 4], [column, 4]));
  const sums = Array.from({ length: Math.ceil(columns / 4) }, (_, v) => ({ sum: e.v128(), offset: v * 16 }));
  e.if(
    i32.eqz(block),
    () => {
      for (const { sum } of sums) local.set(sum, f32x4.splat(0));
    },
    () => {
      for (const { sum, offset } of sums) local.set(sum, v128.load({ offset, align: 4 }, out));
    },
  );
  addEntries(e, sums, { from, end, distance: plan.distance }, rows);
  const { relu = false, masked } = attributes;
  if (last || relu) {
    e.if(i32.eq(block, plan.blocks - 1), () => {
      if (last && masked) {
        const mask = e.i32(i32.add(out, last.address - y.address));
        for (const { sum, offset } of sums) keepPositive(sum, v128.load({ offset, align: 4 }, mask));
      } else {
        const bias = last && e.i32(e.address(last.address, [column, 4]));
        finishSums([sums.map(({ sum }) => sum)], bias, relu);
      }
    });
  }
  for (const { sum, offset } of sums) e.storeLanes(out, offset, sum, Math.min(4, columns - offset / 4));
}
