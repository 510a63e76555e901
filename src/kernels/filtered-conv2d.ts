/**
 * Convolution with stride 1 by filtering in tiles (`filtering.ts`): a tile of outputs comes from products of matrices (tiles x
 * input channels times input channels x output channels), one for each number of a transformed tile, of which there are
 * several times fewer than outputs times taps.
 *
 * Work goes by groups of bands, which are rows of tiles and may belong to neighbouring samples, and within a group by
 * panels of eight output channels; threads take whole groups or, where there are few, single panels of them, so that one
 * image keeps several of them busy. All that a group needs, its transformed tiles and what one panel's products give, lies in
 * scratch memory and, with the transformed kernel, in cache. A band is turned back into a strip of outputs, which holds
 * whole pooling windows, and from which bias, ReLU and 2x2 pooling go out.
 *
 * Its rounding must decide nothing: `filtering-repairs.ts`.
 */
import { i32, local } from "wasmati";
import type { Emitter, F32, I32 } from "../wasm/emitter.ts";
import { BLOCK_ROWS, clearSums, finishSums, loadSums, multiplyRun, PANEL_BYTES, storeSums, takeSums } from "./block.ts";
import { type Conv2dAttributes, conv2d, filteredImage } from "./conv2d.ts";
import { clearMemory, copyRows, storeMaximum } from "./convolution.ts";
import type { Filtering } from "./filtering.ts";
import { type Band, bandOf, eachTileRow, type Group, groupOf } from "./filtering-bands.ts";
import {
  type FilteredConvolution,
  layoutOf,
  mappedImage,
  type Panel,
  panelOf,
  type Stage,
  type Tensors,
} from "./filtering-plan.ts";
import { copyRepeats, listRepeats, mapRepeats, settle } from "./filtering-repairs.ts";
import { eachVector, type Inputs, transformInput, transformOutput, transformProducts } from "./filtering-transforms.ts";
import { elementsOf, type Op, type TensorType } from "./op.ts";
import { mapPitch } from "./window-map.ts";

/** Fewer groups than these are cut into panels: the last would keep one thread busy. */
const GROUPS_PER_THREAD = 4;

export interface FilteredConv2dAttributes extends Conv2dAttributes {
  readonly method: Filtering;
  /** Whether rounding must not decide what ReLU and pooling choose: where gradients go the way of the choice. */
  readonly settles: boolean;
}

function planOf(attributes: Conv2dAttributes, x: TensorType, kernel: TensorType): FilteredConvolution {
  const { relu = false, pool = false } = attributes;
  const [channels, outputChannels] = [x.shape[2]!, kernel.shape[3]!];
  return { ...filteredImage(attributes, x, kernel), channels, outputChannels, relu, pool };
}

/**
 * As `conv2d`, with what `filterKernel` makes of the kernel behind the kernel: x, kernel, transformed kernel, bounds,
 * optionally bias → output, optionally winners.
 */
export const filteredConv2d: Op<FilteredConv2dAttributes> = {
  name: "filteredConv2d",

  infer: (attributes, [x, kernel]) => conv2d.infer(attributes, [x!, kernel!]),

  reference(attributes, [x, kernel, , , ...bias], outputs, batch) {
    conv2d.reference(attributes, [x!, kernel!, ...bias], outputs, batch);
  },

  operations: (attributes, [x, kernel], outputs) => conv2d.operations!(attributes, [x!, kernel!], outputs),

  scratchBytes: (attributes, [x, kernel]) => layoutOf(planOf(attributes, x!, kernel!), attributes.method).bytes,

  emit(e, attributes, [x, kernel, filtered, bounds, bias], [y, winners]) {
    const plan = { ...planOf(attributes, x!, kernel!), ...(bias && { bias: bias.address }) };
    const tensors = { x: x!, kernel: kernel!, filtered: filtered!, bounds: bounds!, y: y!, winners };
    emitFiltering(e, plan, attributes, tensors);
  },
};

function emitFiltering(
  e: Emitter,
  plan: FilteredConvolution,
  { method, settles }: FilteredConv2dAttributes,
  tensors: Tensors,
): void {
  const layout = layoutOf(plan, method);
  const { bands, groupBands, panels, strip } = layout;
  const stage: Stage = { ...tensors, plan, method, layout, base: e.scratch() };
  const total = e.i32(i32.mul(e.batch, bands));
  const groups = e.i32(i32.div_u(i32.add(total, groupBands - 1), groupBands));
  const parts = e.i32(1);
  e.if(i32.lt_u(groups, e.i32(i32.mul(e.threads, GROUPS_PER_THREAD))), () => local.set(parts, i32.const(panels)));
  if (!method.isWhole) clearMemory(e.i32(i32.add(stage.base, layout.inputs)), method.input.size[0] * layout.stripPitch);
  const zeros = layout.outputs + strip.rows * strip.columns * PANEL_BYTES;
  clearMemory(e.i32(i32.add(stage.base, zeros)), PANEL_BYTES);
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
    const index = e.i32();
    e.for(index, from, to, 1, () => {
      const panel = panelOf(e, plan.outputChannels, index);
      e.scope(() => multiply(e, stage, group, panel));
      eachBand((band) => {
        e.scope(() => transformOutputs(e, stage, group, band, panel));
        e.scope(() => copyRepeats(e, listOf(e, stage, band), e.i32(i32.add(stage.base, layout.outputs))));
        if (settles && (plan.pool || plan.relu)) e.scope(() => settleOutputs(e, stage, band, panel));
        panel.withColumns((columns) => finishStrip(e, stage, band, index, columns));
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
  clear(layout.tiles, method.rows * method.columns, layout.frequencyBytes, layout.channelBytes);
  clear(layout.products, method.columns, layout.productBytes, PANEL_BYTES);
}

/** Transforms the tiles of a band. */
function loadBand(e: Emitter, stage: Stage, group: Group, band: Band): void {
  eachTileRow(e, stage.layout, group, band, (tileRow, row) => {
    const inputs = stage.method.isWhole ? sampleOf(e, stage, band.sample) : loadInputs(e, stage, band.sample, tileRow);
    e.scope(() => transformInput(e, stage, group, row, inputs));
  });
}

/** Transforms the products of a band to its outputs. */
function transformOutputs(e: Emitter, stage: Stage, group: Group, band: Band, panel: Panel): void {
  const { layout, base, method } = stage;
  const outputs = e.i32(i32.add(base, layout.outputs));
  eachTileRow(e, layout, group, band, (_, row) => {
    transformOutput(e, stage, group, row, outputs, panel);
    local.set(outputs, i32.add(outputs, method.m[0] * layout.strip.columns * PANEL_BYTES));
  });
}

/** A sample where it lies. */
function sampleOf(e: Emitter, { plan, x }: Stage, sample: I32): Inputs {
  const [height, width] = plan.size;
  const pitch = width * plan.channels * 4;
  return { at: e.i32(e.address(x.address, [sample, height * pitch])), pitch };
}

/** Copies the rows of the input that a row of tiles needs, with zeros around. */
function loadInputs(e: Emitter, { plan, method, layout, base, x }: Stage, sample: I32, tileRow: I32): Inputs {
  const { channels, top, left } = plan;
  const rows = {
    tensor: x,
    sample,
    top: e.i32(i32.sub(i32.mul(tileRow, method.m[0]), top)),
    count: method.input.size[0],
  };
  copyRows(e, rows, e.i32(i32.add(base, layout.inputs + left * channels * 4)), layout.stripPitch);
  return { at: e.i32(i32.add(base, layout.inputs)), pitch: layout.stripPitch };
}

/**
 * The products of matrices of one panel, row by row of a tile's; each row is at once transformed along the rows of tiles.
 * The last product of a tile of Winograd's along an axis serves its last output alone, so it is left out where that lies
 * beyond the image.
 */
function multiply(e: Emitter, stage: Stage, group: Group, panel: Panel): void {
  const { method, layout, base, filtered } = stage;
  const y = e.i32();
  const tiles = e.i32(i32.add(base, layout.tiles));
  const kernel = e.i32(e.address(filtered.address, [panel.index, layout.kernelBytes]));
  const rowBytes = { tiles: method.columns * layout.frequencyBytes, kernel: layout.kernelBytes / method.rows };
  e.for(y, 0, method.rows, 1, () => {
    panel.withColumns((columns) => multiplyRow(e, stage, group, { y, tiles, kernel, columns }));
    transformProducts(e, stage, group, y, panel);
    local.set(tiles, i32.add(tiles, rowBytes.tiles));
    local.set(kernel, i32.add(kernel, rowBytes.kernel));
  });
}

interface ProductRow {
  /** Its number; its transformed tiles and kernel. */
  readonly y: I32;
  readonly tiles: I32;
  readonly kernel: I32;
  readonly columns: number;
}

function multiplyRow(e: Emitter, stage: Stage, { rows, inner }: Group, row: ProductRow): void {
  const { plan, method, layout, base } = stage;
  const { channels, output } = plan;
  const { channelBytes } = layout;
  const { columns } = row;
  const vectors = Math.ceil(columns / 4);
  const tiles = e.i32(row.tiles);
  const kernel = e.i32(row.kernel);
  const products = e.i32(i32.add(base, layout.products));
  const tileOffsets = [0, 1, 2, 3].map((tile) => tile * channelBytes);
  const productOffsets = [0, 1, 2, 3].map((tile) => tile * PANEL_BYTES);
  const [isCutBelow, isCutRight] = output.map((size, axis) => size % method.m[axis]! > 0);
  const x = e.i32();
  e.for(x, 0, method.columns, 1, () => {
    // Tiles lie column by column, the rows that are their samples' last at the end of each.
    const tileColumns = e.i32(layout.tileColumns);
    if (isCutRight) e.if(i32.eq(x, method.columns - 1), () => local.set(tileColumns, layout.tileColumns - 1));
    const runs = e.i32(1);
    const length = e.i32(i32.mul(tileColumns, rows));
    if (isCutBelow) {
      e.if(i32.eq(row.y, method.rows - 1), () => {
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
}

/** A band's rows of outputs, or of windows of `size` by `size`: the first, and how many there are in the image. */
function rowsOf(e: Emitter, { method, layout }: Stage, { tileRow }: Band, height: number, size = 1) {
  const first = e.i32(i32.div_u(i32.mul(tileRow, method.m[0]), size));
  const rows = e.i32(i32.sub(height, first));
  e.atMost(rows, Math.floor(layout.strip.rows / size));
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
  const { plan, method, layout, base } = stage;
  const { sample } = band;
  const [height, used] = plan.output;
  const shape = mappedImage(plan, method);
  const map = e.i32(i32.add(base, layout.map));
  e.if(i32.ne(sample, mapped.sample), () => {
    local.set(mapped.largest, mapRepeats(e, shape, sampleOf(e, stage, sample).at, map));
    local.set(mapped.sample, sample);
  });
  const { first, rows } = rowsOf(e, stage, band, height);
  const line = e.i32(e.address(0, [map, 1], [first, mapPitch(shape.map)]));
  const list = listOf(e, stage, band);
  listRepeats(e, shape.map, layout.strip, { largest: mapped.largest, map: line, list, rows, used });
}

/** Sums again what ReLU and pooling would choose among by rounding. */
function settleOutputs(e: Emitter, stage: Stage, band: Band, panel: Panel): void {
  const { sample, tileRow } = band;
  const { plan, method, layout, base, y, kernel, bounds } = stage;
  const {
    size: [height, width],
    channels,
    relu,
    pool,
  } = plan;
  const list = listOf(e, stage, band);
  const outputs = e.i32(i32.add(base, layout.outputs));
  const size = pool ? 2 : 1;
  const { rows } = rowsOf(e, stage, band, y.shape[0]!, size);
  const top = e.i32(i32.sub(i32.mul(tileRow, method.m[0]), plan.top));
  const start = e.i32(e.address(0, [panel.index, PANEL_BYTES]));
  eachVector(e, panel, [start, outputs], ([column, outputs]) => {
    const ofChannels = (address: number) => e.i32(i32.add(column!, address));
    const choices = {
      rows,
      width: y.shape[1]!,
      size,
      relu,
      outputs: outputs!,
      rowBytes: layout.strip.columns * PANEL_BYTES,
      list,
      bias: plan.bias === undefined ? undefined : ofChannels(plan.bias),
      bounds: ofChannels(bounds.address),
    };
    const source = {
      image: [height, width, channels] as const,
      sample: sampleOf(e, stage, sample).at,
      kernel: ofChannels(kernel.address),
      kernelPitch: plan.outputChannels * 4,
      r: method.r,
      top,
      left: plan.left,
      patch: e.i32(i32.add(base, layout.patch)),
    };
    settle(e, choices, source);
  });
}

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
  const bias = plan.bias === undefined ? undefined : e.i32(e.address(plan.bias, [panel, PANEL_BYTES]));
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
