/**
 * Convolution with stride 1 by Winograd's filtering (`winograd.ts`): tiles of m x m outputs come from n x n products of
 * matrices (tiles x input channels times input channels x output channels) in place of r x r, and m * m times as few.
 *
 * Work goes by groups of tile rows, which may belong to neighbouring samples, and within a group by panels of eight
 * output channels; threads take whole groups or, where there are few, single panels of them, so that one image keeps
 * several of them busy. All that a
 * group needs, its transformed tiles, the transformed kernel and one panel's products, lies in scratch memory and in
 * cache. A row of tiles is turned back into a strip of outputs, from which bias, ReLU and 2x2 pooling go out.
 *
 * Its rounding must decide nothing: `winograd-repairs.ts`.
 */
import { i32, local, v128 } from "wasmati";
import type { Emitter, F32, I32, V128 } from "../wasm/emitter.ts";
import {
  BLOCK_ROWS,
  clearSums,
  finishSums,
  loadSums,
  multiplyRun,
  PANEL_BYTES,
  PANEL_COLUMNS,
  storeSums,
  takeSums,
} from "./block.ts";
import { clearMemory, copyMemory, storeMaximum } from "./convolution.ts";
import { elementsOf, type Operand } from "./op.ts";
import { mapBytes, mapPitch } from "./window-map.ts";
import { type Filtering, filtering, multiplyPairedColumns, multiplyPairedRows, takeConstants } from "./winograd.ts";
import {
  boundErrors,
  copyRepeats,
  listRepeats,
  type MappedImage,
  mapRepeats,
  patchBytes,
  repairListBytes,
  settle,
} from "./winograd-repairs.ts";

export interface WinogradConvolution {
  /** Of the input, without its padding. */
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly top: number;
  readonly left: number;
  /** Size of the output before pooling. */
  readonly output: readonly [height: number, width: number];
  readonly outputChannels: number;
  readonly bias?: number;
  readonly relu: boolean;
  readonly pool: boolean;
}

/** Bytes that a group's transformed tiles may take: a part of the second-level cache. */
const GROUP_BYTES = 96 * 1024;

/** Fewer groups than these are cut into panels: the last would keep one thread busy. */
const GROUPS_PER_THREAD = 4;

/** Additions and multiplications that a tile costs in its transforms, for each input and each output channel. */
const TRANSFORM_COST = 6;

/**
 * The filtering that does a convolution of a square kernel with the fewest operations; none where the direct method
 * has no more. It depends on shapes alone: the order of sums must not depend on the machine.
 */
export function bestFiltering(
  kernelShape: readonly number[],
  [height, width]: readonly [number, number],
): Filtering | undefined {
  const [r, kernelWidth, channels, outs] = kernelShape as [number, number, number, number];
  if (r !== kernelWidth || (r !== 3 && r !== 5)) return undefined;
  let best: Filtering | undefined;
  let lowest = height * width * r * r * channels * outs;
  for (const m of [4, 2]) {
    const candidate = filtering(m, r);
    const { n } = candidate;
    const tiles = Math.ceil(height / m) * Math.ceil(width / m);
    const cost = tiles * n * n * (channels * outs + TRANSFORM_COST * (channels + outs));
    if (cost < lowest) {
      best = candidate;
      lowest = cost;
    }
  }
  return best;
}

/** The plan's sizes, in bytes where they are called so. */
function layoutOf(plan: WinogradConvolution, method: Filtering) {
  const { channels, output, outputChannels } = plan;
  const { m, n, r } = method;
  const tileRows = Math.ceil(output[0] / m);
  const tileColumns = Math.ceil(output[1] / m);
  const channelBytes = Math.ceil(channels / 4) * 16;
  const groupRows = rowsPerGroup(tileColumns, GROUP_BYTES / (n * n * channelBytes));
  const groupTiles = Math.ceil((groupRows * tileColumns) / BLOCK_ROWS) * BLOCK_ROWS;
  const panels = Math.ceil(outputChannels / PANEL_COLUMNS);
  const columns = tileColumns * m;
  const stripPitch = (columns + r - 1) * channels * 4;
  const frequencyBytes = groupTiles * channelBytes;
  const kernelBytes = n * n * channels * PANEL_BYTES;
  let end = 0;
  const take = (bytes: number) => {
    const offset = end;
    // Vectors may be read past the end.
    end += Math.ceil(bytes / 64) * 64 + 64;
    return offset;
  };
  const listBytes = repairListBytes({ rows: m, columns });
  return {
    tileRows,
    tileColumns,
    /** Rows of tiles of a group, and its tiles in whole blocks. */
    groupRows,
    groupTiles,
    panels,
    /** Outputs in a row of tiles. */
    columns,
    stripPitch,
    /** One tile's input channels; all tiles of one product; one panel of the transformed kernel; a row's list. */
    channelBytes,
    frequencyBytes,
    kernelBytes,
    listBytes,
    /** Where in scratch memory lies what. */
    patch: take(patchBytes(plan.pool ? 2 : 1, r, channels)),
    bounds: take(panels * PANEL_BYTES),
    /** A byte a panel of the kernel: whether it is transformed. */
    ready: take(panels),
    repeats: take(groupRows * listBytes),
    square: take(n * n * 16),
    /** With a place of zeros at the end. */
    outputs: take((m * columns + 1) * PANEL_BYTES),
    products: take(n * n * groupTiles * PANEL_BYTES),
    strip: take(n * stripPitch),
    map: take(mapBytes(mappedImage(plan, method).map)),
    tiles: take(n * n * frequencyBytes),
    kernel: take(panels * kernelBytes),
    bytes: end,
  };
}

/** A sample with its border, in whole tiles, and its windows. */
function mappedImage(plan: WinogradConvolution, { m, r }: Filtering): MappedImage {
  const { height, width, channels, top, left, output } = plan;
  const side = (size: number) => Math.ceil(size / m) * m + r - 1;
  const map = { height: side(output[0]), width: side(output[1]), channels, window: [r, r] as const };
  return { image: [height, width, channels], top, left, map };
}

/** As many rows of tiles as fit, but rather fewer than more tiles that fill no whole blocks. */
function rowsPerGroup(tileColumns: number, mostTiles: number): number {
  const most = Math.max(1, Math.min(16, Math.floor(mostTiles / tileColumns)));
  const filled = (rows: number) => (rows * tileColumns) / Math.ceil((rows * tileColumns) / BLOCK_ROWS);
  let best = most;
  for (let rows = most - 1; rows > most / 2; rows--) if (filled(rows) > filled(best)) best = rows;
  return best;
}

type Layout = ReturnType<typeof layoutOf>;

export function winogradScratchBytes(plan: WinogradConvolution, method: Filtering): number {
  return layoutOf(plan, method).bytes;
}

interface Tensors {
  readonly x: Operand;
  readonly kernel: Operand;
  readonly y: Operand;
  readonly winners?: Operand | undefined;
}

/** What the stages below share. */
interface Stage extends Tensors {
  readonly plan: WinogradConvolution;
  readonly method: Filtering;
  readonly layout: Layout;
  /** Address of the scratch memory. */
  readonly base: I32;
}

/** A row of tiles: its number in the group, its sample, and its number in the sample. */
interface TileRow {
  readonly row: I32;
  readonly sample: I32;
  readonly tileRow: I32;
}

export function emitWinograd(e: Emitter, plan: WinogradConvolution, method: Filtering, tensors: Tensors): void {
  const layout = layoutOf(plan, method);
  const { groupRows, tileRows, panels } = layout;
  const stage: Stage = { ...tensors, plan, method, layout, base: e.scratch() };
  const total = e.i32(i32.mul(e.batch, tileRows));
  const groups = e.i32(i32.div_u(i32.add(total, groupRows - 1), groupRows));
  const parts = e.i32(1);
  e.if(i32.lt_u(groups, e.i32(i32.mul(e.threads, GROUPS_PER_THREAD))), () => local.set(parts, i32.const(panels)));
  clearMemory(e.i32(i32.add(stage.base, layout.strip)), method.n * layout.stripPitch);
  const zeros = layout.outputs + method.m * layout.columns * PANEL_BYTES;
  clearMemory(e.i32(i32.add(stage.base, zeros)), PANEL_BYTES);
  clearMemory(e.i32(i32.add(stage.base, layout.ready)), panels);
  const loaded = e.i32(-1);
  const mapped = { sample: e.i32(-1), largest: e.f32() };
  e.eachUnit(e.i32(i32.mul(groups, parts)), (unit) => {
    const group = e.i32(i32.div_u(unit, parts));
    const firstRow = e.i32(i32.mul(group, groupRows));
    const rows = e.i32(i32.sub(total, firstRow));
    e.if(i32.gt_s(rows, groupRows), () => local.set(rows, i32.const(groupRows)));
    const eachRow = (body: (row: TileRow) => void) => {
      const row = e.i32();
      e.for(row, 0, rows, 1, () => {
        const sample = e.i32(i32.div_u(i32.add(firstRow, row), tileRows));
        const tileRow = e.i32(i32.rem_u(i32.add(firstRow, row), tileRows));
        body({ row, sample, tileRow });
      });
    };
    e.if(i32.ne(group, loaded), () => {
      eachRow((row) => {
        e.scope(() => loadStrip(e, stage, row));
        e.scope(() => listOutputs(e, stage, row, mapped));
        e.scope(() => transformInput(e, stage, row));
      });
      local.set(loaded, group);
    });
    const from = e.i32(i32.rem_u(unit, parts));
    const to = e.i32(i32.add(from, 1));
    e.if(i32.eq(parts, 1), () => local.set(to, i32.const(panels)));
    eachPanelOf(e, stage, { from, to }, (panel, columns) => {
      e.scope(() => prepareKernel(e, stage, panel, columns));
      e.scope(() => multiply(e, stage, { panel, columns, rows }));
      eachRow((row) => {
        e.scope(() => transformOutput(e, stage, row, columns));
        e.scope(() => repairOutputs(e, stage, row, panel, columns));
        e.scope(() => finishStrip(e, stage, row, panel, columns));
      });
    });
  });
}

/** Transforms a panel of the kernel when it is first needed. */
function prepareKernel(e: Emitter, stage: Stage, panel: I32, columns: number): void {
  const isReady = e.i32(e.address(stage.layout.ready, [stage.base, 1], [panel, 1]));
  e.if(i32.eqz(i32.load8_u({}, isReady)), () => {
    e.scope(() => transformKernel(e, stage, panel, columns));
    e.scope(() => boundPanel(e, stage, panel, columns));
    i32.store8({}, isReady, 1);
  });
}

/** Runs `body` for panels; it is written once for full panels and once for a narrower last. */
function eachPanelOf(
  e: Emitter,
  { plan }: Stage,
  { from, to }: { from: I32 | number; to: I32 | number },
  body: (panel: I32, columns: number) => void,
): void {
  const full = Math.floor(plan.outputChannels / PANEL_COLUMNS);
  const rest = plan.outputChannels % PANEL_COLUMNS;
  const panel = e.i32();
  e.for(panel, from, to, 1, () => {
    if (!rest) body(panel, PANEL_COLUMNS);
    else if (!full) body(panel, rest);
    else
      e.if(
        i32.lt_u(panel, full),
        () => body(panel, PANEL_COLUMNS),
        () => body(panel, rest),
      );
  });
}

/** Applies a transform to the columns and then to the rows of a matrix of vectors. */
interface SquareTransform {
  /** Size of the matrix before, and of the result. */
  readonly before: number;
  readonly after: number;
  readonly apply: (vector: readonly V128[]) => V128[];
  /** Where the matrix is, and bytes between its rows and columns. */
  readonly from: I32;
  readonly fromRow: number;
  readonly fromColumn: number;
  readonly to: I32;
  readonly toRow: number;
  readonly toColumn: number;
}

function transformSquare(e: Emitter, { layout, base }: Stage, transform: SquareTransform): void {
  const { before, after, apply, fromRow, fromColumn, toRow, toColumn } = transform;
  const square = e.i32(i32.add(base, layout.square));
  const column = e.i32(square);
  const from = e.i32(transform.from);
  const to = e.i32(transform.to);
  const load = (address: I32, pitch: number) =>
    Array.from({ length: before }, (_, i) => e.v128(v128.load({ offset: i * pitch, align: 4 }, address)));
  const store = (address: I32, pitch: number, vectors: readonly V128[]) => {
    for (const [i, vector] of vectors.entries()) v128.store({ offset: i * pitch, align: 4 }, address, vector);
  };
  e.for(e.i32(), 0, before, 1, () => {
    store(column, before * 16, apply(load(from, fromRow)));
    local.set(from, i32.add(from, fromColumn));
    local.set(column, i32.add(column, 16));
  });
  e.for(e.i32(), 0, after, 1, () => {
    store(to, toColumn, apply(load(square, 16)));
    local.set(square, i32.add(square, before * 16));
    local.set(to, i32.add(to, toRow));
  });
}

/** G g G^T for one panel of output channels: (n * n, channels, 8). */
function transformKernel(e: Emitter, stage: Stage, panel: I32, columns: number): void {
  const { plan, method, layout, base, kernel } = stage;
  const { channels, outputChannels } = plan;
  const { n, r } = method;
  const constants = takeConstants(e, method.kernel);
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
          apply: (column) => multiplyPairedRows(e, method.kernel, constants, column),
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

/** Copies the n rows of the input that a row of tiles needs to a strip with zeros around. */
function loadStrip(e: Emitter, { plan, method, layout, base, x }: Stage, { sample, tileRow }: TileRow): void {
  const { height, width, channels, top, left } = plan;
  const rowBytes = width * channels * 4;
  const y = e.i32(i32.sub(i32.mul(tileRow, method.m), top));
  const from = e.i32(e.address(x.address, [sample, height * rowBytes], [y, rowBytes]));
  const to = e.i32(i32.add(base, layout.strip + left * channels * 4));
  e.for(e.i32(), 0, method.n, 1, () => {
    // A row above the first is, as an unsigned number, past the last.
    e.if(
      i32.lt_u(y, height),
      () => copyMemory(from, to, rowBytes),
      () => clearMemory(to, rowBytes),
    );
    local.set(y, i32.add(y, 1));
    local.set(from, i32.add(from, rowBytes));
    local.set(to, i32.add(to, layout.stripPitch));
  });
}

/** B^T d B for each tile of the strip: (n * n, tiles, channels). */
function transformInput(e: Emitter, stage: Stage, { row }: TileRow): void {
  const { plan, method, layout, base } = stage;
  const { channels } = plan;
  const { n, m } = method;
  const constants = takeConstants(e, method.input);
  const from = e.i32(i32.add(base, layout.strip));
  const to = e.i32(e.address(layout.tiles, [base, 1], [row, layout.tileColumns * layout.channelBytes]));
  e.for(e.i32(), 0, layout.tileColumns, 1, () => {
    const vector = { from: e.i32(from), to: e.i32(to) };
    const end = e.i32(i32.add(to, layout.channelBytes));
    e.for(vector.to, to, end, 16, () => {
      transformSquare(e, stage, {
        ...vector,
        before: n,
        after: n,
        apply: (column) => multiplyPairedRows(e, method.input, constants, column),
        fromRow: layout.stripPitch,
        fromColumn: channels * 4,
        toRow: n * layout.frequencyBytes,
        toColumn: layout.frequencyBytes,
      });
      local.set(vector.from, i32.add(vector.from, 16));
    });
    local.set(from, i32.add(from, m * channels * 4));
    local.set(to, i32.add(to, layout.channelBytes));
  });
}

/** The n * n products of matrices of one panel: (n * n, tiles, 8). */
function multiply(
  e: Emitter,
  { plan, method, layout, base }: Stage,
  { panel, columns, rows }: { panel: I32; columns: number; rows: I32 },
): void {
  const { channels } = plan;
  const vectors = Math.ceil(columns / 4);
  const tiles = e.i32(i32.add(base, layout.tiles));
  const kernel = e.i32(e.address(layout.kernel, [base, 1], [panel, layout.kernelBytes]));
  const products = e.i32(i32.add(base, layout.products));
  const used = e.i32(i32.mul(rows, layout.tileColumns * layout.channelBytes));
  const tileOffsets = [0, 1, 2, 3].map((tile) => tile * layout.channelBytes);
  const productOffsets = [0, 1, 2, 3].map((tile) => tile * PANEL_BYTES);
  e.for(e.i32(), 0, method.n * method.n, 1, () => {
    const tile = e.i32();
    const product = e.i32(products);
    const end = e.i32(i32.add(tiles, used));
    e.for(tile, tiles, end, BLOCK_ROWS * layout.channelBytes, () => {
      const sums = takeSums(e, BLOCK_ROWS, columns);
      clearSums(sums);
      const a = e.i32(tile);
      const aEnd = e.i32(i32.add(tile, channels * 4));
      const b = e.i32(kernel);
      multiplyRun(e, { rowOffsets: tileOffsets, aStep: 4, bStep: PANEL_BYTES }, sums, a, b, aEnd);
      storeSums(e, sums, product, productOffsets, vectors * 4);
      local.set(product, i32.add(product, BLOCK_ROWS * PANEL_BYTES));
    });
    local.set(tiles, i32.add(tiles, layout.frequencyBytes));
    local.set(kernel, i32.add(kernel, channels * PANEL_BYTES));
    local.set(products, i32.add(products, layout.groupTiles * PANEL_BYTES));
  });
}

/** A^T M A for each tile of a row: a strip of m rows of outputs. */
function transformOutput(e: Emitter, stage: Stage, { row }: TileRow, columns: number): void {
  const { method, layout, base } = stage;
  const { n, m } = method;
  const constants = takeConstants(e, method.output);
  const from = e.i32(e.address(layout.products, [base, 1], [row, layout.tileColumns * PANEL_BYTES]));
  const to = e.i32(i32.add(base, layout.outputs));
  const pitch = layout.groupTiles * PANEL_BYTES;
  e.for(e.i32(), 0, layout.tileColumns, 1, () => {
    const end = e.i32(i32.add(from, Math.ceil(columns / 4) * 16));
    const vector = { from: e.i32(), to: e.i32(to) };
    e.for(vector.from, from, end, 16, () => {
      transformSquare(e, stage, {
        ...vector,
        before: n,
        after: m,
        apply: (column) => multiplyPairedColumns(e, method.output, constants, column),
        fromRow: n * pitch,
        fromColumn: pitch,
        toRow: layout.columns * PANEL_BYTES,
        toColumn: PANEL_BYTES,
      });
      local.set(vector.to, i32.add(vector.to, 16));
    });
    local.set(from, i32.add(from, PANEL_BYTES));
    local.set(to, i32.add(to, m * PANEL_BYTES));
  });
}

function boundPanel(e: Emitter, { plan, method, layout, base, kernel }: Stage, panel: I32, columns: number): void {
  const from = e.i32(e.address(kernel.address, [panel, PANEL_BYTES]));
  const bounds = e.i32(e.address(layout.bounds, [base, 1], [panel, PANEL_BYTES]));
  const taps = method.r * method.r * plan.channels;
  boundErrors(e, { error: method.error, taps, kernelPitch: plan.outputChannels * 4, columns }, from, bounds);
}

/** Number of rows of outputs, or of windows where pooling, that a row of tiles has in the image. */
function rowsOf(e: Emitter, height: number, rows: number, tileRow: I32): I32 {
  const left = e.i32(i32.sub(height, i32.mul(tileRow, rows)));
  e.if(i32.gt_s(left, rows), () => local.set(left, i32.const(rows)));
  return left;
}

const listOf = (e: Emitter, { layout, base }: Stage, row: I32) =>
  e.i32(e.address(layout.repeats, [base, 1], [row, layout.listBytes]));

/** The sample whose map is in scratch memory, and its largest magnitude. */
interface Mapped {
  readonly sample: I32;
  readonly largest: F32;
}

function listOutputs(e: Emitter, stage: Stage, { row, sample, tileRow }: TileRow, mapped: Mapped): void {
  const { plan, method, layout, base, x } = stage;
  const [height, used] = plan.output;
  const shape = mappedImage(plan, method);
  const map = e.i32(i32.add(base, layout.map));
  e.if(i32.ne(sample, mapped.sample), () => {
    const image = e.i32(e.address(x.address, [sample, plan.height * plan.width * plan.channels * 4]));
    local.set(mapped.largest, mapRepeats(e, shape, image, map));
    local.set(mapped.sample, sample);
  });
  const rows = rowsOf(e, height, method.m, tileRow);
  const first = e.i32(e.address(0, [map, 1], [tileRow, method.m * mapPitch(shape.map)]));
  const list = listOf(e, stage, row);
  const strip = { rows: method.m, columns: layout.columns };
  listRepeats(e, shape.map, strip, { largest: mapped.largest, map: first, list, rows, used });
}

function repairOutputs(e: Emitter, stage: Stage, { row, sample, tileRow }: TileRow, panel: I32, columns: number): void {
  const { plan, method, layout, base, x, y, kernel } = stage;
  const { height, width, channels, relu, pool } = plan;
  const list = listOf(e, stage, row);
  const outputs = e.i32(i32.add(base, layout.outputs));
  e.scope(() => copyRepeats(e, list, outputs, columns));
  if (!pool && !relu) return;
  const size = pool ? 2 : 1;
  const choices = {
    rows: rowsOf(e, y.shape[0]!, method.m / size, tileRow),
    width: y.shape[1]!,
    size,
    relu,
    outputs,
    rowBytes: layout.columns * PANEL_BYTES,
    list,
    bias: biasOf(e, plan, panel),
    bounds: e.i32(e.address(layout.bounds, [base, 1], [panel, PANEL_BYTES])),
    columns,
  };
  const source = {
    image: [height, width, channels] as const,
    sample: e.i32(e.address(x.address, [sample, height * width * channels * 4])),
    kernel: e.i32(e.address(kernel.address, [panel, PANEL_BYTES])),
    kernelPitch: plan.outputChannels * 4,
    r: method.r,
    top: e.i32(i32.sub(i32.mul(tileRow, method.m), plan.top)),
    left: plan.left,
    patch: e.i32(i32.add(base, layout.patch)),
  };
  settle(e, choices, source);
}

const biasOf = (e: Emitter, { bias }: WinogradConvolution, panel: I32) =>
  bias === undefined ? undefined : e.i32(e.address(bias, [panel, PANEL_BYTES]));

/** Bias, ReLU and pooling, from the strip of outputs to the result. */
function finishStrip(e: Emitter, stage: Stage, { sample, tileRow }: TileRow, panel: I32, columns: number): void {
  const { plan, method, layout, base, y, winners } = stage;
  const size = plan.pool ? 2 : 1;
  const [height, width] = y.shape as [number, number];
  const tileHeight = method.m / size;
  const firstRow = e.i32(i32.mul(tileRow, tileHeight));
  const rows = rowsOf(e, height, tileHeight, tileRow);
  const pitch = plan.outputChannels * 4;
  const place = e.i32(e.address(0, [sample, elementsOf(y.shape) * 4], [firstRow, width * pitch], [panel, PANEL_BYTES]));
  const out = e.i32(i32.add(place, y.address));
  const won = winners && e.i32(i32.add(place, winners.address));
  const bias = biasOf(e, plan, panel);
  const line = e.i32(i32.add(base, layout.outputs));
  const rowBytes = layout.columns * PANEL_BYTES;
  const window = plan.pool ? [0, PANEL_BYTES, rowBytes, rowBytes + PANEL_BYTES] : [0];
  e.for(e.i32(), 0, rows, 1, () => {
    const from = e.i32(line);
    e.for(e.i32(), 0, width, 1, () => {
      const sums = takeSums(e, window.length, columns);
      loadSums(sums, from, window);
      finishSums(sums, bias, false);
      if (plan.pool) storeMaximum(e, sums, plan.relu, out, won, columns);
      else {
        finishSums(sums, undefined, plan.relu);
        storeSums(e, sums, out, [0], columns);
      }
      local.set(from, i32.add(from, size * PANEL_BYTES));
      local.set(out, i32.add(out, pitch));
      if (won) local.set(won, i32.add(won, pitch));
    });
    local.set(line, i32.add(line, size * rowBytes));
  });
}
