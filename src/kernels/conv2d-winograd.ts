/**
 * Convolution with stride 1 by Winograd's filtering (`winograd.ts`): tiles of m x m outputs come from n x n products of
 * matrices (tiles x input channels times input channels x output channels) in place of r x r, and m * m times as few.
 *
 * Work goes by groups of bands, which are rows of tiles and may belong to neighbouring samples, and within a group by
 * panels of eight output channels; threads take whole groups or, where there are few, single panels of them, so that one
 * image keeps several of them busy. All that a group needs, its transformed tiles, the transformed kernel and what one
 * panel's products give, lies in scratch memory and in cache. A band is turned back into a strip of outputs, which holds
 * whole pooling windows, and from which bias, ReLU and 2x2 pooling go out.
 *
 * Its rounding must decide nothing: `winograd-repairs.ts`.
 */
import { i32, local } from "wasmati";
import type { Emitter, F32, I32 } from "../wasm/emitter.ts";
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
import { elementsOf } from "./op.ts";
import { mapPitch } from "./window-map.ts";
import type { Filtering } from "./winograd.ts";
import { type Band, bandOf, eachTileRow, type Group, groupOf } from "./winograd-bands.ts";
import { layoutOf, mappedImage, type Stage, type Tensors, type WinogradConvolution } from "./winograd-plan.ts";
import { boundErrors, copyRepeats, listRepeats, mapRepeats, settle } from "./winograd-repairs.ts";
import { transformInput, transformKernel, transformOutput, transformProducts } from "./winograd-transforms.ts";

/** Fewer groups than these are cut into panels: the last would keep one thread busy. */
const GROUPS_PER_THREAD = 4;

export function emitWinograd(e: Emitter, plan: WinogradConvolution, method: Filtering, tensors: Tensors): void {
  const layout = layoutOf(plan, method);
  const { bands, groupBands, panels, strip } = layout;
  const stage: Stage = { ...tensors, plan, method, layout, base: e.scratch() };
  const total = e.i32(i32.mul(e.batch, bands));
  const groups = e.i32(i32.div_u(i32.add(total, groupBands - 1), groupBands));
  const parts = e.i32(1);
  e.if(i32.lt_u(groups, e.i32(i32.mul(e.threads, GROUPS_PER_THREAD))), () => local.set(parts, i32.const(panels)));
  clearMemory(e.i32(i32.add(stage.base, layout.inputs)), method.n * layout.stripPitch);
  const zeros = layout.outputs + strip.rows * strip.columns * PANEL_BYTES;
  clearMemory(e.i32(i32.add(stage.base, zeros)), PANEL_BYTES);
  clearMemory(e.i32(i32.add(stage.base, layout.ready)), panels);
  clearTiles(e, stage);
  const loaded = e.i32(-1);
  const mapped = { sample: e.i32(-1), largest: e.f32() };
  e.eachUnit(e.i32(i32.mul(groups, parts)), (unit) => {
    const number = e.i32(i32.div_u(unit, parts));
    const first = e.i32(i32.mul(number, groupBands));
    const end = e.i32(i32.add(first, groupBands));
    e.atMost(end, total);
    const group: Group = groupOf(e, layout, first, end);
    const eachBand = (body: (band: Band) => void) => {
      const band = e.i32();
      e.for(band, first, end, 1, () => body({ ...bandOf(e, layout, band), index: e.i32(i32.sub(band, first)) }));
    };
    e.if(i32.ne(number, loaded), () => {
      eachBand((band) => {
        e.scope(() => loadBand(e, stage, group, band));
        e.scope(() => listOutputs(e, stage, band, mapped));
      });
      local.set(loaded, number);
    });
    const from = e.i32(i32.rem_u(unit, parts));
    const to = e.i32(i32.add(from, 1));
    e.if(i32.eq(parts, 1), () => local.set(to, i32.const(panels)));
    eachPanelOf(e, stage, { from, to }, (panel, columns) => {
      e.scope(() => prepareKernel(e, stage, panel, columns));
      e.scope(() => multiply(e, stage, group, { panel, columns }));
      eachBand((band) => {
        e.scope(() => transformOutputs(e, stage, group, band, columns));
        e.scope(() => repairOutputs(e, stage, band, panel, columns));
        e.scope(() => finishStrip(e, stage, band, panel, columns));
      });
    });
  });
}

/**
 * Clears tiles and products as far as they are used: products that are left out, and tiles behind the last, are computed
 * with all the same, and what another kernel left there may be denormal numbers, which are slow.
 */
function clearTiles(e: Emitter, { layout, base, method }: Stage): void {
  const tiles = e.i32(i32.mul(e.batch, layout.tileRows * layout.tileColumns));
  local.set(tiles, i32.add(tiles, BLOCK_ROWS));
  e.atMost(tiles, layout.groupTiles);
  const clear = (start: number, count: number, pitch: number, tileBytes: number) => {
    const address = e.i32(i32.add(base, start));
    const bytes = e.i32(i32.mul(tiles, tileBytes));
    e.for(e.i32(), 0, count, 1, () => {
      clearMemory(address, bytes);
      local.set(address, i32.add(address, pitch));
    });
  };
  clear(layout.tiles, method.n ** 2, layout.frequencyBytes, layout.channelBytes);
  clear(layout.products, method.n, layout.productBytes, PANEL_BYTES);
}

/** Transforms the tiles of a band. */
function loadBand(e: Emitter, stage: Stage, group: Group, band: Band): void {
  eachTileRow(e, stage.layout, group, band, (tileRow, row) => {
    e.scope(() => loadInputs(e, stage, band.sample, tileRow));
    e.scope(() => transformInput(e, stage, group, row));
  });
}

/** Transforms the products of a band to its outputs. */
function transformOutputs(e: Emitter, stage: Stage, group: Group, band: Band, columns: number): void {
  const { layout, base, method } = stage;
  const outputs = e.i32(i32.add(base, layout.outputs));
  eachTileRow(e, layout, group, band, (_, row) => {
    transformOutput(e, stage, group, row, outputs, columns);
    local.set(outputs, i32.add(outputs, method.m * layout.strip.columns * PANEL_BYTES));
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

/** Copies the n rows of the input that a row of tiles needs, with zeros around. */
function loadInputs(e: Emitter, { plan, method, layout, base, x }: Stage, sample: I32, tileRow: I32): void {
  const { height, width, channels, top, left } = plan;
  const rowBytes = width * channels * 4;
  const y = e.i32(i32.sub(i32.mul(tileRow, method.m), top));
  const from = e.i32(e.address(x.address, [sample, height * rowBytes], [y, rowBytes]));
  const to = e.i32(i32.add(base, layout.inputs + left * channels * 4));
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

/**
 * The n * n products of matrices of one panel; each row of them is at once transformed along the rows of tiles. A tile's
 * last product along an axis serves its last output alone, so it is left out where that lies beyond the image.
 */
function multiply(e: Emitter, stage: Stage, group: Group, { panel, columns }: { panel: I32; columns: number }): void {
  const { plan, method, layout, base } = stage;
  const { rows, inner } = group;
  const { channels, output } = plan;
  const { m, n } = method;
  const { channelBytes } = layout;
  const vectors = Math.ceil(columns / 4);
  const tiles = e.i32(i32.add(base, layout.tiles));
  const kernel = e.i32(e.address(layout.kernel, [base, 1], [panel, layout.kernelBytes]));
  const products = e.i32();
  const tileOffsets = [0, 1, 2, 3].map((tile) => tile * channelBytes);
  const productOffsets = [0, 1, 2, 3].map((tile) => tile * PANEL_BYTES);
  const [y, x] = [e.i32(), e.i32()];
  const [isCutBelow, isCutRight] = output.map((size) => size % m > 0);
  e.for(y, 0, n, 1, () => {
    local.set(products, i32.add(base, layout.products));
    e.for(x, 0, n, 1, () => {
      // Tiles lie column by column, the rows that are their samples' last at the end of each.
      const tileColumns = e.i32(layout.tileColumns);
      if (isCutRight) e.if(i32.eq(x, n - 1), () => local.set(tileColumns, layout.tileColumns - 1));
      const runs = e.i32(1);
      const length = e.i32(i32.mul(tileColumns, rows));
      if (isCutBelow) {
        e.if(i32.eq(y, n - 1), () => {
          local.set(runs, tileColumns);
          local.set(length, inner);
        });
      }
      const run = { from: e.i32(tiles), to: e.i32(products) };
      e.for(e.i32(), 0, runs, 1, () => {
        const tile = e.i32();
        const product = e.i32(run.to);
        const end = e.i32(i32.add(run.from, i32.mul(length, channelBytes)));
        e.for(tile, run.from, end, BLOCK_ROWS * channelBytes, () => {
          const sums = takeSums(e, BLOCK_ROWS, columns);
          clearSums(sums);
          const a = e.i32(tile);
          const aEnd = e.i32(i32.add(tile, channels * 4));
          const b = e.i32(kernel);
          multiplyRun(e, { rowOffsets: tileOffsets, aStep: 4, bStep: PANEL_BYTES }, sums, a, b, aEnd);
          storeSums(e, sums, product, productOffsets, vectors * 4);
          local.set(product, i32.add(product, BLOCK_ROWS * PANEL_BYTES));
        });
        local.set(run.from, i32.add(run.from, i32.mul(rows, channelBytes)));
        local.set(run.to, i32.add(run.to, i32.mul(rows, PANEL_BYTES)));
      });
      local.set(tiles, i32.add(tiles, layout.frequencyBytes));
      local.set(kernel, i32.add(kernel, channels * PANEL_BYTES));
      local.set(products, i32.add(products, layout.productBytes));
    });
    transformProducts(e, stage, group, y, columns);
  });
}

function boundPanel(e: Emitter, { plan, method, layout, base, kernel }: Stage, panel: I32, columns: number): void {
  const from = e.i32(e.address(kernel.address, [panel, PANEL_BYTES]));
  const bounds = e.i32(e.address(layout.bounds, [base, 1], [panel, PANEL_BYTES]));
  const taps = method.r * method.r * plan.channels;
  // Errors grow as the root of the number of taps, the sum of the kernel's magnitudes as the number.
  const error = method.error * Math.max(1, Math.sqrt(20 / plan.channels));
  boundErrors(e, { error, taps, kernelPitch: plan.outputChannels * 4, columns }, from, bounds);
}

/** A band's rows of outputs, or of windows of `size` by `size`: the first, and how many there are in the image. */
function rowsOf(e: Emitter, { method, layout }: Stage, { tileRow }: Band, height: number, size = 1) {
  const first = e.i32(i32.div_u(i32.mul(tileRow, method.m), size));
  const rows = e.i32(i32.sub(height, first));
  e.atMost(rows, layout.strip.rows / size);
  return { first, rows };
}

const listOf = (e: Emitter, { layout, base }: Stage, { index }: Band) =>
  e.i32(e.address(layout.repeats, [base, 1], [index, layout.listBytes]));

/** The sample whose map is in scratch memory, and its largest magnitude. */
interface Mapped {
  readonly sample: I32;
  readonly largest: F32;
}

function listOutputs(e: Emitter, stage: Stage, band: Band, mapped: Mapped): void {
  const { plan, method, layout, base, x } = stage;
  const { sample } = band;
  const [height, used] = plan.output;
  const shape = mappedImage(plan, method);
  const map = e.i32(i32.add(base, layout.map));
  e.if(i32.ne(sample, mapped.sample), () => {
    const image = e.i32(e.address(x.address, [sample, plan.height * plan.width * plan.channels * 4]));
    local.set(mapped.largest, mapRepeats(e, shape, image, map));
    local.set(mapped.sample, sample);
  });
  const { first, rows } = rowsOf(e, stage, band, height);
  const line = e.i32(e.address(0, [map, 1], [first, mapPitch(shape.map)]));
  const list = listOf(e, stage, band);
  listRepeats(e, shape.map, layout.strip, { largest: mapped.largest, map: line, list, rows, used });
}

function repairOutputs(e: Emitter, stage: Stage, band: Band, panel: I32, columns: number): void {
  const { sample, tileRow } = band;
  const { plan, method, layout, base, x, y, kernel } = stage;
  const { height, width, channels, relu, pool } = plan;
  const list = listOf(e, stage, band);
  const outputs = e.i32(i32.add(base, layout.outputs));
  e.scope(() => copyRepeats(e, list, outputs, columns));
  if (!pool && !relu) return;
  const size = pool ? 2 : 1;
  const choices = {
    rows: rowsOf(e, stage, band, y.shape[0]!, size).rows,
    width: y.shape[1]!,
    size,
    relu,
    outputs,
    rowBytes: layout.strip.columns * PANEL_BYTES,
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
function finishStrip(e: Emitter, stage: Stage, band: Band, panel: I32, columns: number): void {
  const { plan, layout, base, y, winners } = stage;
  const size = plan.pool ? 2 : 1;
  const [height, width] = y.shape as [number, number];
  const { first, rows } = rowsOf(e, stage, band, height, size);
  const pitch = plan.outputChannels * 4;
  const place = e.i32(
    e.address(0, [band.sample, elementsOf(y.shape) * 4], [first, width * pitch], [panel, PANEL_BYTES]),
  );
  const out = e.i32(i32.add(place, y.address));
  const won = winners && e.i32(i32.add(place, winners.address));
  const bias = biasOf(e, plan, panel);
  const line = e.i32(i32.add(base, layout.outputs));
  const rowBytes = layout.strip.columns * PANEL_BYTES;
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
