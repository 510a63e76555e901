/**
 * How a convolution is cut up for filtering: by which method, in which bands and groups of bands, and what lies where in scratch
 * memory. Of shapes alone, so that the order of sums is the same on every machine.
 */
import { i32, local } from "wasmati";
import { type Emitter, type I32, scratchParts } from "../wasm/emitter.ts";
import { BLOCK_ROWS, PANEL_BYTES, PANEL_COLUMNS, withColumns } from "./block.ts";
import type { FilteredImage, Filtering, Passes } from "./filtering.ts";
import { type MappedImage, patchBytes, repairListBytes } from "./filtering-repairs.ts";
import { FOURIER_SIZES, fourierFiltering } from "./fourier.ts";
import type { Operand } from "./op.ts";
import { mapBytes } from "./window-map.ts";
import { winogradFiltering } from "./winograd.ts";

export interface FilteredConvolution extends FilteredImage {
  readonly channels: number;
  readonly outputChannels: number;
  readonly bias?: number;
  readonly relu: boolean;
  readonly pool: boolean;
}

/** Bytes that a group's transformed tiles may take: a part of the second-level cache. */
const GROUP_BYTES = 240 * 1024;

/** Additions and multiplications that a tile costs in its transforms, for each input and each output channel. */
const TRANSFORM_COST = 6;

/** Bytes that a kernel may take when it is transformed for a whole image: it is read anew for each group. */
const LARGEST_KERNEL = 8 * 2 ** 20;

/**
 * The filtering that does a convolution of a square kernel with the fewest operations; none where the direct method
 * has no more, which does a `share` of all products. It depends on shapes alone: the order of sums must not depend on the
 * machine.
 */
export function bestFiltering(kernelShape: readonly number[], image: FilteredImage, share = 1): Filtering | undefined {
  const [r, kernelWidth, channels, outs] = kernelShape as [number, number, number, number];
  // One channel takes the transforms of four: with 5x5 kernels up to twice as long as direct sums.
  if (r !== kernelWidth || (r !== 3 && r !== 5) || channels < 2) return undefined;
  const [height, width] = image.output;
  const whole = wholeFiltering(r, image);
  const isSmall = whole && whole.rows * whole.columns * channels * outs * 4 <= LARGEST_KERNEL;
  const methods = [...(r === 5 ? [5, 4, 2] : [4, 2]).map((m) => winogradFiltering(m, r)), ...(isSmall ? [whole] : [])];
  const tilesOf = ({ m }: Filtering) => Math.ceil(height / m[0]) * Math.ceil(width / m[1]);
  return cheapest(methods, tilesOf, { channels, outs, most: share * height * width * r * r * channels * outs });
}

/** That of some methods with the fewest operations, where they are fewer than `most`. */
export function cheapest(
  methods: readonly Filtering[],
  tilesOf: (method: Filtering) => number,
  { channels, outs, most }: { channels: number; outs: number; most: number },
): Filtering | undefined {
  let best: Filtering | undefined;
  let lowest = most;
  for (const method of methods) {
    const products = tilesOf(method) * method.rows * method.columns;
    const cost = products * (channels * outs + TRANSFORM_COST * (channels + outs));
    if (cost < lowest) {
      best = method;
      lowest = cost;
    }
  }
  return best;
}

/** Filtering of the whole image by the shortest polynomials for which what wraps around falls on zeros. */
function wholeFiltering(r: number, image: FilteredImage): Filtering | undefined {
  const { size, top, left, output } = image;
  const isEnough = (n: number) =>
    [top, left].every((before, axis) => {
      const past = output[axis]! + r - 1 - before;
      return Math.max(before + size[axis]!, past, output[axis]!) <= n;
    });
  // Of a single row some values would be known to be zero.
  const n = size[0] > 1 ? FOURIER_SIZES.find(isEnough) : undefined;
  return n === undefined ? undefined : fourierFiltering(n, r, image);
}

/** The plan's sizes, in bytes where they are called so. */
export function layoutOf(plan: FilteredConvolution, method: Filtering) {
  const { channels, output, outputChannels } = plan;
  const { m, r, rows, columns: rowProducts, parts, input } = method;
  const tileRows = Math.ceil(output[0] / m[0]);
  const tileColumns = Math.ceil(output[1] / m[1]);
  const channelBytes = Math.ceil(channels / 4) * 16;
  const bandRows = plan.pool && m[0] % 2 && tileRows > 1 ? 2 : 1;
  const bands = Math.ceil(tileRows / bandRows);
  const bandTiles = (tileRows / bands) * tileColumns;
  const groupBands = bandsPerGroup(bandTiles, GROUP_BYTES / (rows * rowProducts * channelBytes));
  const groupTiles = Math.ceil((groupBands * bandRows * tileColumns) / BLOCK_ROWS) * BLOCK_ROWS;
  const panels = Math.ceil(outputChannels / PANEL_COLUMNS);
  const columns = tileColumns * m[1];
  const stripPitch = (columns + r - 1) * channels * 4;
  const frequencyBytes = oddLines(groupTiles * channelBytes);
  const productBytes = oddLines(groupTiles * PANEL_BYTES);
  const kernelBytes = filteredPanelBytes(method, channels);
  // Vectors may be read past the end, and three products written past that of `products`, whose lines are odd in number.
  const { take, bytes } = scratchParts(64);
  const strip = { rows: bandRows * m[0], columns };
  const listBytes = repairListBytes(strip);
  return {
    tileRows,
    tileColumns,
    /** Rows of tiles of a band, bands of a sample and of a group, and a group's tiles in whole blocks. */
    bandRows,
    bands,
    groupBands,
    groupTiles,
    panels,
    /** The outputs of a band. */
    strip,
    stripPitch,
    /** One tile's input channels; all tiles of one product; one panel of the transformed kernel; a band's list. */
    channelBytes,
    frequencyBytes,
    productBytes,
    kernelBytes,
    listBytes,
    /** Where in scratch memory lies what. */
    patch: take(patchBytes(plan.pool ? 2 : 1, r, channels)),
    repeats: take(groupBands * listBytes),
    square: take(squareBytes(method, input)),
    desk: take(deskBytes(method)),
    /** With a place of zeros at the end. */
    outputs: take((strip.rows * columns + 1) * PANEL_BYTES),
    products: take(rowProducts * productBytes),
    halves: take(rows * m[1] * parts * productBytes),
    inputs: take(method.isWhole ? 0 : input.size[0] * stripPitch),
    map: take(mapBytes(mappedImage(plan, method).map)),
    tiles: take(rows * rowProducts * frequencyBytes),
    bytes: bytes(),
  };
}

/** A sample with its border, in whole tiles, and its windows. */
export function mappedImage(plan: FilteredConvolution, { m, r }: Filtering): MappedImage {
  const { size, channels, top, left, output } = plan;
  const [height, width] = output.map((length, axis) => Math.ceil(length / m[axis]!) * m[axis]! + r - 1) as [
    number,
    number,
  ];
  const map = { height, width, channels, window: [r, r] as const, markBytes: 1 };
  return { image: [...size, channels], top, left, map };
}

/** The least odd number of cache lines: what lies that far apart is in different sets of a cache. */
export const oddLines = (bytes: number) => (Math.ceil(bytes / 64) | 1) * 64;

/** As many bands as fit, but at least two blocks of tiles, and rather fewer than more tiles that fill no whole blocks. */
function bandsPerGroup(bandTiles: number, mostTiles: number): number {
  const least = Math.ceil((2 * BLOCK_ROWS) / bandTiles);
  const most = Math.max(least, Math.min(16, Math.floor(mostTiles / bandTiles)));
  const filled = (bands: number) => (bands * bandTiles) / Math.ceil((bands * bandTiles) / BLOCK_ROWS);
  let best = most;
  for (let bands = most - 1; bands > most / 2; bands--) if (filled(bands) > filled(best)) best = bands;
  return best;
}

export type Layout = ReturnType<typeof layoutOf>;

/** Bytes of one panel of a transformed kernel: (rows * columns of products, channels, 8). */
export const filteredPanelBytes = ({ rows, columns }: Filtering, channels: number) =>
  rows * columns * channels * PANEL_BYTES;

/** Bytes that a transform needs between its passes, and for its own use in one. */
export const squareBytes = ({ rows, parts }: Filtering, { size }: Passes) => rows * size[1] * parts * 16;
export const deskBytes = ({ rows, columns, parts }: Filtering) => Math.max(rows, columns) * parts * 16;

export interface Tensors {
  readonly x: Operand;
  readonly kernel: Operand;
  /** The kernel, transformed, and the bounds of the errors. */
  readonly filtered: Operand;
  readonly bounds: Operand;
  readonly y: Operand;
  readonly winners?: Operand | undefined;
}

/** What the stages below share. */
export interface Stage extends Tensors {
  readonly plan: FilteredConvolution;
  readonly method: Filtering;
  readonly layout: Layout;
  /** Address of the scratch memory. */
  readonly base: I32;
}

/** A panel of eight output channels, or of fewer where it is the last. */
export interface Panel {
  /** Its number. */
  readonly index: I32;
  /** Bytes of a row of it, in whole vectors. */
  readonly bytes: I32;
  /** Runs `body` for the number of its columns; it is written once for full panels and once for a narrower last. */
  readonly withColumns: (body: (columns: number) => void) => void;
}

/** The panel of that number. */
export function panelOf(e: Emitter, outputChannels: number, index: I32): Panel {
  const panels = Math.ceil(outputChannels / PANEL_COLUMNS);
  const rest = outputChannels % PANEL_COLUMNS;
  const bytes = e.i32(PANEL_BYTES);
  if (rest) e.if(i32.eq(index, panels - 1), () => local.set(bytes, i32.const(Math.ceil(rest / 4) * 16)));
  return { index, bytes, withColumns: (body) => withColumns(e, outputChannels, index, body) };
}
