/**
 * How a convolution is cut up for Winograd's filtering: which filtering, groups of tiles, and what lies where in scratch
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
const GROUP_BYTES = 96 * 1024;

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
export function layoutOf(plan: WinogradConvolution, method: Filtering) {
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
export function mappedImage(plan: WinogradConvolution, { m, r }: Filtering): MappedImage {
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

/** A row of tiles: its number in the group, its sample, and its number in the sample. */
export interface TileRow {
  readonly row: I32;
  readonly sample: I32;
  readonly tileRow: I32;
}
