/**
 * The core that a convolution of a sparse image and the input gradient behind ReLU or pooling, or with strides, share: for each sample what
 * is not zero becomes one list, and each pixel of the result gathers from it.
 *
 * The list has entries of (place of the weights, value), in the order of the source's rows and columns: those that reach
 * one pixel of the target through one row of the kernel lie one after another. Pixels gather one row of the kernel and one
 * panel of channels at a time, because those weights stay in the first-level cache. The kernel is packed as (panel,
 * kernelHeight, kernelWidth, source channel, channel of the panel), so that an entry's place is the same for all pixels but
 * for a constant; for the gradient the kernel is turned.
 *
 * Where several pixels side by side gather at a time, an entry that reaches only some of them meets zeros beside the kernel
 * for the others: what is not finite then reaches them, too. Behind pooling two pixels and a kernel of odd width reach whole
 * windows; their entries are not parted by columns then, and upper and lower rows have lists of their own.
 */
import { br_if, i32, i32x4, local, loop, v128 } from "wasmati";
import { type Emitter, type I32, scratchParts, type V128 } from "../wasm/emitter.ts";
import { clearMemory } from "./convolution.ts";
import type { Operand } from "./op.ts";
import { packPanel, packTransposedPanel } from "./packing.ts";
import { addEntries, append, listBytes, MOST_SUMS, nonzeroLanes, TABLE_BYTES, writeTable } from "./sparse-list.ts";
import { winnerAt } from "./winners.ts";

/** The bits of a winner that tell its position, and what none has. */
const WINNER_BITS = 12;
/** That of them which tells the lower row. */
const LOWER_BIT = 3;
const NOBODY = 15;

/**
 * Pixels that gather at a time, where their sums fit. Each more makes a kernel of width w do (w + pixels - 1) / w of the
 * work, but lists are longer, and the end of each costs as much as some entries.
 */
const MOST_PIXELS = 3;

type Image = readonly [height: number, width: number, channels: number];

export interface SparseConvolution {
  /** What is listed, and what gathers. */
  readonly source: Image;
  readonly target: Image;
  /** The source is the convolution's output, the target its input. */
  readonly isGradient: boolean;
  /** The source is given by the winners of windows of 2x2. */
  readonly pooled?: boolean;
  readonly kernel: readonly [height: number, width: number];
  readonly strides: readonly [number, number];
  /** Rows and columns of zeros before the convolution's input. */
  readonly top: number;
  readonly left: number;
}

/** Sizes in bytes, and where in scratch memory lies what. */
export function sparseLayout({ source, target, kernel, strides, isGradient, pooled }: SparseConvolution) {
  const vectors = Math.ceil(target[2] / 4);
  const panelVectors = Math.ceil(vectors / Math.ceil(vectors / MOST_SUMS));
  const panels = Math.ceil(vectors / panelVectors);
  const rowBytes = panelVectors * 16;
  const positionBytes = source[2] * rowBytes;
  const fitting = isGradient && strides[1] === 1 ? Math.floor(MOST_SUMS / panelVectors) : 1;
  const byWindows = pooled === true && kernel[1] % 2 === 1 && fitting >= 2;
  const pixels = byWindows ? 2 : Math.max(1, Math.min(fitting, target[1], MOST_PIXELS));
  const marginBytes = (pixels - 1) * positionBytes;
  const kernelRowBytes = kernel[1] * positionBytes + marginBytes;
  const windowCount = Math.floor(source[0] / 2) * Math.floor(source[1] / 2);
  const rowsListBytes = listBytes(windowCount * source[2]);
  const distance = byWindows ? 2 * rowsListBytes : listBytes(source[0] * source[1] * source[2]);
  const windowBytes = 2 * listBytes(source[2]);
  const { take, bytes } = scratchParts();
  return {
    panels,
    /** Pixels of the target that gather at a time, and whether from whole windows. */
    pixels,
    byWindows,
    /** Channels of a full panel, and of the last. */
    panelChannels: panelVectors * 4,
    lastChannels: target[2] - (panels - 1) * panelVectors * 4,
    /** Bytes of zeros before the kernel, and behind each of its rows. */
    marginBytes,
    /** Bytes of the weights of one source channel at one place of the kernel; of all; of a row of the kernel with its zeros; of all. */
    rowBytes,
    positionBytes,
    kernelRowBytes,
    panelBytes: kernel[0] * kernelRowBytes,
    /** Bytes of a row of `starts`. */
    startsPitch: (source[1] + 1) * 4,
    /** Bytes from an entry's offset to its value. */
    distance,
    /** Bytes of the offsets of all upper rows of windows, and of all lower ones; of a window's entries. */
    rowsListBytes,
    windowBytes,
    table: take(TABLE_BYTES),
    spans: take((target[1] + 1) * 8),
    starts: take(source[0] * (source[1] + 1) * 4),
    list: take(2 * distance),
    windows: take(pooled && !byWindows ? Math.floor(source[1] / 2) * windowBytes : 0),
    // Packing may write three rows too many.
    weights: take(marginBytes + panels * kernel[0] * kernelRowBytes + 4 * rowBytes),
    bytes: bytes(),
  };
}

type Layout = ReturnType<typeof sparseLayout>;

/** Writes what is the same for all samples to the scratch memory at `base`. `kernel` is (height, width, in, out). */
export function prepareSparse(e: Emitter, plan: SparseConvolution, kernel: Operand, base: I32): void {
  const layout = sparseLayout(plan);
  writeTable(e, e.i32(i32.add(base, layout.table)));
  e.scope(() => packKernel(e, plan, layout, kernel, base));
  e.scope(() => writeSpans(e, plan, layout, base));
}

function packKernel(e: Emitter, plan: SparseConvolution, layout: Layout, kernel: Operand, base: I32): void {
  const [kernelHeight, kernelWidth] = plan.kernel;
  const sources = plan.source[2];
  const targets = plan.target[2];
  const { panels, panelChannels, rowBytes, marginBytes } = layout;
  const to = e.i32(i32.add(base, layout.weights));
  const leaveMargin = () => {
    if (marginBytes === 0) return;
    clearMemory(to, marginBytes);
    local.set(to, i32.add(to, marginBytes));
  };
  leaveMargin();
  for (let panel = 0; panel < panels; panel++) {
    const columns = panel < panels - 1 ? panelChannels : layout.lastChannels;
    const first = panel * panelChannels;
    e.scope(() => {
      if (!plan.isGradient) {
        const rows = kernelHeight * kernelWidth * sources;
        const from = e.i32(i32.const(kernel.address + first * 4));
        packPanel(e, { rows, columns, rowBytes: targets * 4, panelBytes: rowBytes }, from, to);
        return;
      }
      const packing = { rows: sources, columns, rowBytes: sources * 4, panelBytes: rowBytes };
      const row = e.i32(i32.const(kernel.address + first * sources * 4));
      const positionStep = targets * sources * 4;
      e.for(e.i32(), 0, kernelHeight, 1, () => {
        const from = e.i32(i32.add(row, (kernelWidth - 1) * positionStep));
        e.for(e.i32(), 0, kernelWidth, 1, () => {
          packTransposedPanel(e, packing, from, to);
          local.set(from, i32.sub(from, positionStep));
          local.set(to, i32.add(to, layout.positionBytes));
        });
        leaveMargin();
        local.set(row, i32.add(row, kernelWidth * positionStep));
      });
    });
  }
}

/** For each column of the target the first column of the source that reaches it, and the one behind the last; times 4. */
function writeSpans(e: Emitter, plan: SparseConvolution, layout: Layout, base: I32): void {
  const { left, isGradient } = plan;
  const stride = plan.strides[1];
  const width = plan.kernel[1];
  const columns = plan.source[1];
  const x = e.i32();
  const span = e.i32(i32.add(base, layout.spans));
  // Behind the last column is one that the last may gather with.
  e.for(x, 0, plan.target[1] + 1, 1, () => {
    const first = e.i32(isGradient ? i32.add(x, left - width + 1) : i32.sub(i32.mul(x, stride), left));
    const last = e.i32(isGradient ? i32.add(i32.div_u(i32.add(x, left), stride), 1) : i32.add(first, width));
    e.atLeast(first, 0);
    if (isGradient) local.set(first, i32.div_u(i32.add(first, stride - 1), stride));
    e.atMost(last, columns);
    i32.store({}, span, i32.shl(first, 2));
    i32.store({ offset: 4 }, span, i32.shl(last, 2));
    local.set(span, i32.add(span, 8));
  });
}

/**
 * Computes one sample: the result at `target` from the sample whose byte offset in `source`, and in the winners, is
 * `position`. The result begins at zero.
 */
export function emitSparseConvolution(
  e: Emitter,
  plan: SparseConvolution,
  tensors: { source: Operand; winners?: Operand | undefined },
  { position, target, base }: { position: I32; target: I32; base: I32 },
): void {
  const layout = sparseLayout(plan);
  const list = layout.byWindows ? listByWindows : buildList;
  e.scope(() => list(e, plan, layout, tensors, position, base));
  const [height, width, channels] = plan.target;
  clearMemory(target, height * width * channels * 4);
  const weights = e.i32(i32.add(base, layout.weights));
  const image = e.i32(target);
  e.for(e.i32(), 0, layout.panels - 1, 1, () => {
    gather(e, plan, layout, { base, weights, image }, layout.panelChannels);
    local.set(weights, i32.add(weights, layout.panelBytes));
    local.set(image, i32.add(image, layout.rowBytes));
  });
  e.scope(() => gather(e, plan, layout, { base, weights, image }, layout.lastChannels));
}

/**
 * Lists what is not zero in one sample, and where in the list each position of the source begins:
 * `starts[row][column]`, one more column for the row's end.
 */
function buildList(
  e: Emitter,
  plan: SparseConvolution,
  layout: Layout,
  tensors: { source: Operand; winners?: Operand | undefined },
  position: I32,
  base: I32,
): void {
  const [height, width, channels] = plan.source;
  const size = plan.pooled ? 2 : 1;
  const columns = Math.floor(width / size);
  const placeStep = (plan.isGradient ? plan.strides[1] : 1) * layout.positionBytes;
  const table = e.i32(i32.add(base, layout.table));
  const list: List = { end: e.i32(i32.add(base, layout.list)), distance: layout.distance, table };
  const { end } = list;
  const start = e.i32(i32.add(base, layout.starts));
  const source = e.i32(position);
  const window = e.i32();
  const place = e.i32();
  const mark = () => {
    i32.store({}, start, end);
    local.set(start, i32.add(start, 4));
  };
  const eachWindow = (body: () => void) => {
    local.set(window, i32.add(base, layout.windows));
    e.for(e.i32(), 0, columns, 1, () => {
      body();
      local.set(window, i32.add(window, layout.windowBytes));
    });
  };
  e.for(e.i32(), 0, Math.floor(height / size), 1, () => {
    if (plan.pooled) {
      eachWindow(() => {
        e.scope(() => listWindow(e, plan, layout, tensors, { source, window, table }));
        local.set(source, i32.add(source, channels * 4));
      });
    }
    // Behind pooling the upper row of the windows, then the lower; in each window the left position, then the right.
    for (let y = 0; y < size; y++) {
      local.set(place, i32.const(0));
      eachWindow(() => {
        for (let x = 0; x < size; x++) {
          mark();
          e.scope(() => {
            if (plan.pooled) appendWinners(e, layout, { window, position: 2 * y + x, place, list });
            else appendPosition(e, plan, layout, tensors.source, { source, place, list });
          });
          local.set(place, i32.add(place, placeStep));
        }
        if (!plan.pooled) local.set(source, i32.add(source, channels * 4));
      });
      for (let rest = size * columns; rest <= width; rest++) mark();
    }
  });
  e.countEntries(e.i32(i32.add(base, layout.list)), end, height * width * channels);
  // A last row that belongs to no window.
  if (height % size) e.for(e.i32(), 0, width + 1, 1, mark);
}

/**
 * As `buildList`, where pixels gather from whole windows: the upper rows of all windows in one list, the lower in another,
 * and `starts` for the first column of each window.
 */
function listByWindows(
  e: Emitter,
  plan: SparseConvolution,
  layout: Layout,
  { source: tensor, winners }: { source: Operand; winners?: Operand | undefined },
  position: I32,
  base: I32,
): void {
  const [height, width, channels] = plan.source;
  const [rows, columns] = [Math.floor(height / 2), Math.floor(width / 2)];
  const { positionBytes, startsPitch, distance, rowsListBytes } = layout;
  const table = e.i32(i32.add(base, layout.table));
  const firsts = [0, 1].map((y) => e.i32(i32.add(base, layout.list + y * rowsListBytes)));
  const ends = firsts.map((first) => e.i32(first));
  /** For each position of a window the bytes from its left column. */
  const toColumn = e.v128(v128.const("i32x4", [0, positionBytes, 0, positionBytes]));
  const start = e.i32(i32.add(base, layout.starts));
  const source = e.i32(position);
  const place = e.i32();
  const mark = (step: number, rows = ends) => {
    for (const [y, end] of rows.entries()) i32.store({ offset: y * startsPitch }, start, end);
    local.set(start, i32.add(start, step));
  };
  e.for(e.i32(), 0, rows, 1, () => {
    local.set(place, i32.const(0));
    e.for(e.i32(), 0, columns, 1, () => {
      mark(8);
      eachFourChannels(e, plan, layout, tensor, { from: source, place }, (values, places, mask, from) => {
        const winner = e.v128(v128.load({ offset: winners!.address, align: 4 }, from));
        const own = e.v128(i32x4.add(places, e.swizzle(toColumn, winner)));
        const lower = e.i32(i32x4.bitmask(i32x4.shl(winner, 31 - LOWER_BIT)));
        const masks = [e.i32(i32.and(mask, i32.xor(lower, -1))), e.i32(i32.and(mask, lower))];
        for (const [y, end] of ends.entries()) append(e, { end, distance, table }, values, own, masks[y]!);
      });
      local.set(place, i32.add(place, 2 * positionBytes));
      local.set(source, i32.add(source, channels * 4));
    });
    for (let rest = 2 * columns; rest <= width; rest++) mark(4);
    local.set(start, i32.add(start, startsPitch));
  });
  for (const [y, end] of ends.entries()) e.countEntries(firsts[y]!, end, y === 0 ? height * width * channels : 0);
  // A last row that belongs to no window.
  if (height % 2) e.for(e.i32(), 0, width + 1, 1, () => mark(4, ends.slice(0, 1)));
}

type List = Parameters<typeof append>[1];

/** The channels at `from`, four at a time: their values, the places of their weights, and which of them are not zero. */
function eachFourChannels(
  e: Emitter,
  plan: SparseConvolution,
  { rowBytes }: Layout,
  source: Operand,
  { from: first, place }: { from: I32; place?: I32 },
  body: (values: V128, places: V128, mask: I32, from: I32) => void,
): void {
  const channels = plan.source[2];
  const from = e.i32(first);
  const places = e.v128(v128.const("i32x4", [0, rowBytes, 2 * rowBytes, 3 * rowBytes]));
  if (place) local.set(places, i32x4.add(places, i32x4.splat(place)));
  const run = (lanes: number) => {
    const values = e.v128(v128.load({ offset: source.address, align: 4 }, from));
    body(values, places, nonzeroLanes(e, values, lanes), from);
    local.set(from, i32.add(from, lanes * 4));
    local.set(places, i32x4.add(places, i32x4.splat(4 * rowBytes)));
  };
  const rest = channels % 4;
  e.for(e.i32(), 0, (channels - rest) / 4, 1, () => run(4));
  if (rest) e.scope(() => run(rest));
}

/** Appends the entries of one position. */
function appendPosition(
  e: Emitter,
  plan: SparseConvolution,
  layout: Layout,
  tensor: Operand,
  { source, place, list }: { source: I32; place: I32; list: List },
): void {
  eachFourChannels(e, plan, layout, tensor, { from: source, place }, (values, places, mask) => {
    append(e, list, values, places, mask);
  });
}

/**
 * Lists the entries of one window: in the last four bits of the places, which are zero, are those of the winners. Behind
 * them is a vector of places that nobody won.
 */
function listWindow(
  e: Emitter,
  plan: SparseConvolution,
  layout: Layout,
  { source: tensor, winners }: { source: Operand; winners?: Operand | undefined },
  { source, window, table }: Record<"source" | "window" | "table", I32>,
): void {
  const list = { end: e.i32(window), distance: layout.windowBytes / 2, table };
  eachFourChannels(e, plan, layout, tensor, { from: source }, (values, places, mask, from) => {
    const winner = e.v128(v128.load({ offset: winners!.address, align: 4 }, from));
    append(e, list, values, e.v128(v128.or(places, v128.and(winner, i32x4.splat(WINNER_BITS)))), mask);
  });
  v128.store({ align: 4 }, list.end, i32x4.splat(NOBODY));
}

/** Appends the entries of a window that one of its positions won. */
function appendWinners(
  e: Emitter,
  layout: Layout,
  { window, position, place, list }: { window: I32; position: number; place: I32; list: List },
): void {
  const from = e.i32(window);
  const wanted = winnerAt(position) & WINNER_BITS;
  const moved = e.v128(i32x4.splat(i32.sub(place, wanted)));
  loop(null, (again) => {
    const places = e.v128(v128.load({ align: 4 }, from));
    const winner = e.v128(v128.and(places, i32x4.splat(NOBODY)));
    const values = e.v128(v128.load({ offset: layout.windowBytes / 2, align: 4 }, from));
    const mask = e.i32(i32x4.bitmask(i32x4.eq(winner, i32x4.splat(wanted))));
    append(e, list, values, e.v128(i32x4.add(places, moved)), mask);
    local.set(from, i32.add(from, 16));
    i32.ne(i32x4.extract_lane(3, winner), NOBODY);
    br_if(again);
  });
}

/** Adds to one panel of channels of each pixel what the list sends to it. */
function gather(
  e: Emitter,
  plan: SparseConvolution,
  layout: Layout,
  { base, weights, image }: { base: I32; weights: I32; image: I32 },
  panelChannels: number,
): void {
  const { isGradient, strides, top, left, kernel } = plan;
  const [height, width, channels] = plan.target;
  const { pixels, byWindows, positionBytes, startsPitch } = layout;
  const sourceStep = isGradient ? 1 : strides[0];
  const targetStep = isGradient ? strides[0] : 1;
  const pixelPitch = width * channels * 4;
  const kernelRow = e.i32();
  const slab = e.i32(i32.add(weights, layout.marginBytes));
  e.for(kernelRow, 0, kernel[0], 1, () => {
    // The row that is not counted through: above the first it is, as an unsigned number, past the last.
    const other = e.i32(i32.sub(kernelRow, top));
    const counted = e.i32();
    e.for(counted, 0, isGradient ? plan.source[0] : height, 1, () => {
      e.if(i32.lt_u(other, isGradient ? height : plan.source[0]), () => {
        const [sourceRow, targetRow] = isGradient ? [counted, other] : [other, counted];
        const starts = e.i32(e.address(layout.starts, [base, 1], [sourceRow, startsPitch]));
        const pixel = e.i32(e.address(0, [image, 1], [targetRow, pixelPitch]));
        const span = e.i32(i32.add(base, layout.spans));
        // The place of the weights that source column 0 has for target column 0.
        const rows = e.i32(i32.add(slab, (isGradient ? kernel[1] - 1 - left : left) * positionBytes));
        const run = (count: number, last = count - 1) => {
          gatherPixels(e, plan, layout, { starts, span, rows, pixel }, { pixels: count, last, panelChannels });
          local.set(span, i32.add(span, count * 8));
          local.set(pixel, i32.add(pixel, count * channels * 4));
          local.set(rows, i32.sub(rows, count * (isGradient ? 1 : strides[1]) * positionBytes));
        };
        // Pairs begin where windows do: a pixel before the first, and one behind the last, gather alone.
        const before = byWindows ? left % 2 : 0;
        const rest = (width - before) % pixels;
        if (before) run(1);
        e.for(e.i32(), 0, Math.floor((width - before) / pixels), 1, () => run(pixels));
        if (rest) run(rest, byWindows ? 1 : rest - 1);
      });
      local.set(other, i32.add(other, isGradient ? targetStep : sourceStep));
    });
    local.set(slab, i32.add(slab, layout.kernelRowBytes));
  });
}

/**
 * Adds to pixels side by side what one row of the kernel sends to any of them. The list ends where that of the pixel `last`
 * does, counted from the first: with whole windows it may be one behind those that gather.
 */
function gatherPixels(
  e: Emitter,
  plan: SparseConvolution,
  { distance, positionBytes }: Layout,
  { starts, span, rows: first, pixel }: Record<"starts" | "span" | "rows" | "pixel", I32>,
  { pixels, last, panelChannels }: { pixels: number; last: number; panelChannels: number },
): void {
  const from = e.i32(i32.load({}, i32.add(starts, i32.load({}, span))));
  const end = e.i32(i32.load({}, i32.add(starts, i32.load({ offset: last * 8 + 4 }, span))));
  e.if(i32.lt_s(from, end), () => {
    const rows = e.i32(i32.sub(first, (pixels - 1) * positionBytes));
    const vectors = Math.ceil(panelChannels / 4);
    const sums = Array.from({ length: pixels * vectors }, (_, i) => {
      const [p, v] = [Math.floor(i / vectors), i % vectors];
      const place = p * plan.target[2] * 4 + v * 16;
      const sum = e.v128(v128.load({ offset: place, align: 4 }, pixel));
      return {
        sum,
        offset: (pixels - 1 - p) * positionBytes + v * 16,
        place,
        lanes: Math.min(4, panelChannels - v * 4),
      };
    });
    addEntries(e, sums, { from, end, distance }, rows);
    for (const { sum, place, lanes } of sums) e.storeLanes(pixel, place, sum, lanes);
  });
}
