/**
 * How a convolution is cut up for Winograd's filtering: which filtering, bands and groups of bands, and what lies where in scratch
 * memory. Of shapes alone, so that the order of sums is the same on every machine.
 */
import type { I32 } from "../wasm/emitter.ts";
import { BLOCK_ROWS, PANEL_BYTES, PANEL_COLUMNS } from "./block.ts";
import type { Operand } from "./op.ts";
import { mapBytes } from "./window-map.ts";
import { type Filtering, filtering } from "./winograd.ts";
import { type MappedImage, patchBytes, repairListBytes } from "./winograd-repairs.ts";

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
const GROUP_BYTES = 240 * 1024;

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
  // One channel takes the transforms of four: with 5x5 kernels up to twice as long as direct sums.
  if (r !== kernelWidth || (r !== 3 && r !== 5) || channels < 2) return undefined;
  let best: Filtering | undefined;
  let lowest = height * width * r * r * channels * outs;
  for (const m of r === 5 ? [5, 4, 2] : [4, 2]) {
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
export function layoutOf(plan: WinogradConvolution, method: Filtering) {
  const { channels, output, outputChannels } = plan;
  const { m, n, r } = method;
  const tileRows = Math.ceil(output[0] / m);
  const tileColumns = Math.ceil(output[1] / m);
  const channelBytes = Math.ceil(channels / 4) * 16;
  const bandRows = plan.pool && m % 2 ? 2 : 1;
  const bands = Math.ceil(tileRows / bandRows);
  const bandTiles = (tileRows / bands) * tileColumns;
  const groupBands = bandsPerGroup(bandTiles, GROUP_BYTES / (n * n * channelBytes));
  const groupTiles = Math.ceil((groupBands * bandRows * tileColumns) / BLOCK_ROWS) * BLOCK_ROWS;
  const panels = Math.ceil(outputChannels / PANEL_COLUMNS);
  const columns = tileColumns * m;
  const stripPitch = (columns + r - 1) * channels * 4;
  const frequencyBytes = oddLines(groupTiles * channelBytes);
  const productBytes = oddLines(groupTiles * PANEL_BYTES);
  const kernelBytes = n * n * channels * PANEL_BYTES;
  let end = 0;
  const take = (bytes: number) => {
    const offset = end;
    // Vectors may be read past the end, and three products written past that of `products`, whose lines are odd in number.
    end += Math.ceil(bytes / 64) * 64 + 64;
    return offset;
  };
  const strip = { rows: bandRows * m, columns };
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
    bounds: take(panels * PANEL_BYTES),
    /** A byte a panel of the kernel: whether it is transformed. */
    ready: take(panels),
    repeats: take(groupBands * listBytes),
    square: take(n * n * 16),
    /** With a place of zeros at the end. */
    outputs: take((strip.rows * columns + 1) * PANEL_BYTES),
    products: take(n * productBytes),
    halves: take(n * m * productBytes),
    inputs: take(n * stripPitch),
    map: take(mapBytes(mappedImage(plan, method).map)),
    tiles: take(n * n * frequencyBytes),
    kernel: take(panels * kernelBytes),
    bytes: end,
  };
}

/** A sample with its border, in whole tiles, and its windows. */
export function mappedImage(plan: WinogradConvolution, { m, r }: Filtering): MappedImage {
  const { height, width, channels, top, left, output } = plan;
  const side = (size: number) => Math.ceil(size / m) * m + r - 1;
  const map = { height: side(output[0]), width: side(output[1]), channels, window: [r, r] as const, markBytes: 1 };
  return { image: [height, width, channels], top, left, map };
}

/** The least odd number of cache lines: what lies that far apart is in different sets of a cache. */
const oddLines = (bytes: number) => (Math.ceil(bytes / 64) | 1) * 64;

/** As many bands as fit, but rather fewer than more tiles that fill no whole blocks. */
function bandsPerGroup(bandTiles: number, mostTiles: number): number {
  const most = Math.max(1, Math.min(16, Math.floor(mostTiles / bandTiles)));
  const filled = (bands: number) => (bands * bandTiles) / Math.ceil((bands * bandTiles) / BLOCK_ROWS);
  let best = most;
  for (let bands = most - 1; bands > most / 2; bands--) if (filled(bands) > filled(best)) best = bands;
  return best;
}

export type Layout = ReturnType<typeof layoutOf>;

export function winogradScratchBytes(plan: WinogradConvolution, method: Filtering): number {
  return layoutOf(plan, method).bytes;
}

export interface Tensors {
  readonly x: Operand;
  readonly kernel: Operand;
  readonly y: Operand;
  readonly winners?: Operand | undefined;
}

/** What the stages below share. */
export interface Stage extends Tensors {
  readonly plan: WinogradConvolution;
  readonly method: Filtering;
  readonly layout: Layout;
  /** Address of the scratch memory. */
  readonly base: I32;
}
