/**
 * The core of the direct convolution: one padded sample against packed panels of weights.
 *
 * A "valid" convolution with stride is a product of matrices whose left side is never built: the scalars of one output
 * position lie in the image as `kernelHeight` runs of `kernelWidth * channels` contiguous values. Four output positions
 * form the rows of a register block: four neighbours, or the four of a 2x2 pooling window, whose maximum then is taken
 * before anything is stored.
 */
import { f32x4, i32, i32x4, local, memory, v128 } from "wasmati";
import type { Emitter, I32, V128 } from "../wasm/emitter.ts";
import {
  BLOCK_ROWS,
  clearSums,
  finishSums,
  multiplyRun,
  PANEL_BYTES,
  PANEL_COLUMNS,
  type Sums,
  storeSums,
  takeSums,
} from "./block.ts";
import type { Operand } from "./op.ts";
import { windowSize } from "./window.ts";
import { mapPitch, markBytesFor, type WindowMap } from "./window-map.ts";
import { winnerAt } from "./winners.ts";

/** A sample in scratch memory with its border of zeros. */
export interface PaddedImage {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

export const paddedBytes = (image: PaddedImage) => image.height * image.width * image.channels * 4;

export interface ConvolutionPlan {
  readonly image: PaddedImage;
  readonly kernel: readonly [height: number, width: number];
  readonly strides: readonly [number, number];
  /** Distance of the pixels that a kernel takes, down and across. */
  readonly dilation: readonly [number, number];
  /** Size of the output before pooling. */
  readonly output: readonly [height: number, width: number];
  readonly outputChannels: number;
  readonly bias?: number;
  readonly relu: boolean;
  /** Take the maximum over windows of 2x2. */
  readonly pool: boolean;
}

/** The map of windows that are not all zero, for `emitConvolution`. */
export const windowMap = ({ image, kernel, dilation }: ConvolutionPlan): WindowMap => ({
  ...image,
  window: windowSize(kernel, dilation),
  markBytes: markBytesFor(image.channels),
});

/** Bytes of the packed panels of all output channels. */
export function panelBytes({ image, kernel, outputChannels }: ConvolutionPlan): number {
  const panels = Math.ceil(outputChannels / PANEL_COLUMNS);
  return panels * kernel[0] * kernel[1] * image.channels * PANEL_BYTES;
}

/** Copies a sample of `rows` rows of `rowBytes` bytes to the inside of a padded image whose border is zero already. */
export function copyInside(
  e: Emitter,
  image: PaddedImage,
  inside: { top: number; left: number; rows: number; rowBytes: number },
  source: I32,
  target: I32,
): void {
  const pitch = image.width * image.channels * 4;
  const from = e.i32(source);
  const to = e.i32(i32.add(target, inside.top * pitch + inside.left * image.channels * 4));
  e.for(e.i32(), 0, inside.rows, 1, () => {
    copyMemory(from, to, inside.rowBytes);
    local.set(from, i32.add(from, inside.rowBytes));
    local.set(to, i32.add(to, pitch));
  });
}

/**
 * Copies `count` rows of a sample, from row `top` on, to `target`, where they lie `pitch` bytes apart; those that the sample
 * does not have are zeros.
 */
export function copyRows(
  e: Emitter,
  { tensor, sample, top, count }: { tensor: Operand; sample: I32; top: I32; count: number },
  target: I32,
  pitch: number,
): void {
  const [height, width, channels] = tensor.shape as [number, number, number];
  const rowBytes = width * channels * 4;
  const y = e.i32(top);
  const from = e.i32(e.address(tensor.address, [sample, height * rowBytes], [y, rowBytes]));
  const to = e.i32(target);
  e.for(e.i32(), 0, count, 1, () => {
    // A row above the first is, as an unsigned number, past the last.
    e.if(
      i32.lt_u(y, height),
      () => copyMemory(from, to, rowBytes),
      () => clearMemory(to, rowBytes),
    );
    local.set(y, i32.add(y, 1));
    local.set(from, i32.add(from, rowBytes));
    local.set(to, i32.add(to, pitch));
  });
}

export function copyMemory(from: I32, to: I32, bytes: number): void {
  local.get(to);
  local.get(from);
  i32.const(bytes);
  memory.copy();
}

/** Fills `bytes` bytes at `address` with zeros. */
export function clearMemory(address: I32, bytes: I32 | number): void {
  local.get(address);
  i32.const(0);
  if (typeof bytes === "number") i32.const(bytes);
  else local.get(bytes);
  memory.fill();
}

/**
 * Convolves one sample. `image` points to it, `panels` to the packed weights, `output` to where the sample's result
 * goes and, where pooling, `winners` to where the winners of its windows go (`winners.ts`). Blocks of windows that are all
 * zero, as `map` tells, are not multiplied.
 */
export function emitConvolution(
  e: Emitter,
  plan: ConvolutionPlan,
  { image, panels, output, winners, map }: { image: I32; panels: I32; output: I32; winners?: I32; map: I32 },
): void {
  const inner = plan.kernel[0] * plan.kernel[1] * plan.image.channels;
  const rest = plan.outputChannels % PANEL_COLUMNS;
  const offset = e.i32(0);
  const panel = e.i32(panels);
  const bias = plan.bias === undefined ? undefined : e.i32(plan.bias);
  const end = (plan.outputChannels - rest) * 4;
  const pointers = { image, panel, output, winners, map, offset, bias };
  e.for(offset, 0, end, PANEL_BYTES, () => {
    emitPositions(e, plan, PANEL_COLUMNS, pointers);
    local.set(panel, i32.add(panel, inner * PANEL_BYTES));
    if (bias) local.set(bias, i32.add(bias, PANEL_BYTES));
  });
  if (rest) e.scope(() => emitPositions(e, plan, rest, pointers));
}

interface Pointers {
  readonly image: I32;
  readonly panel: I32;
  readonly output: I32;
  readonly winners: I32 | undefined;
  readonly map: I32;
  /** Byte offset of the panel's first channel within a position. */
  readonly offset: I32;
  readonly bias: I32 | undefined;
}

/** All positions of the output for one panel of channels. */
function emitPositions(e: Emitter, plan: ConvolutionPlan, columns: number, pointers: Pointers): void {
  const { image, strides, output, outputChannels, pool } = plan;
  const stepX = strides[1] * image.channels * 4;
  const stepY = strides[0] * image.width * image.channels * 4;
  const size = pool ? 2 : 1;
  const rows = Math.floor(output[0] / size);
  const width = Math.floor(output[1] / size);
  const pitch = outputChannels * 4;
  const line = e.i32(pointers.image);
  const out = e.i32(i32.add(pointers.output, pointers.offset));
  const won = pool && pointers.winners ? e.i32(i32.add(pointers.winners, pointers.offset)) : undefined;
  const position = e.i32();
  const marks = { line: e.i32(pointers.map), mark: e.i32() };
  const map = windowMap(plan);
  const pitchOfMap = mapPitch(map);
  const markStep = strides[1] * map.markBytes;
  const block = (count: number, offsets: number[]) => {
    const sums = takeSums(e, count, columns);
    clearSums(sums);
    const places = offsets.map(
      (_, r) => (pool ? (r >> 1) * strides[0] * pitchOfMap : 0) + (pool ? r & 1 : r) * markStep,
    );
    const any = e.i32(i32.load8_u({ offset: places[0]! }, marks.mark));
    for (const place of places.slice(1)) local.set(any, i32.or(any, i32.load8_u({ offset: place }, marks.mark)));
    e.if(i32.ne(any, 0), () => emitBlock(e, plan, sums, offsets, position, pointers.panel));
    finishSums(sums, pointers.bias, false);
    if (pool) storeMaximum(e, sums, plan.relu, out, won, columns);
    else {
      finishSums(sums, undefined, plan.relu);
      storeSums(
        e,
        sums,
        out,
        offsets.map((_, r) => r * pitch),
        columns,
      );
    }
    const stored = pool ? pitch : count * pitch;
    local.set(out, i32.add(out, stored));
    if (won) local.set(won, i32.add(won, stored));
  };
  const advance = (windows: number) => {
    local.set(position, i32.add(position, windows * stepX));
    local.set(marks.mark, i32.add(marks.mark, windows * markStep));
  };
  e.for(e.i32(), 0, rows, 1, () => {
    local.set(position, line);
    local.set(marks.mark, marks.line);
    if (pool) {
      const window = [0, stepX, stepY, stepY + stepX];
      emitTimes(e, width, () => {
        block(BLOCK_ROWS, window);
        advance(2);
      });
    } else {
      const rest = width % BLOCK_ROWS;
      const neighbours = [0, 1, 2, 3].map((r) => r * stepX);
      emitTimes(e, (width - rest) / BLOCK_ROWS, () => {
        block(BLOCK_ROWS, neighbours);
        advance(BLOCK_ROWS);
      });
      if (rest) block(rest, neighbours.slice(0, rest));
    }
    local.set(line, i32.add(line, size * stepY));
    local.set(marks.line, i32.add(marks.line, size * strides[0] * pitchOfMap));
  });
}

function emitTimes(e: Emitter, count: number, body: () => void): void {
  if (count > 0) e.for(e.i32(), 0, count, 1, body);
}

/** The sums of one block: for each row of the kernel one run over its contiguous values, where dilated one a pixel. */
function emitBlock(e: Emitter, plan: ConvolutionPlan, sums: Sums, rowOffsets: number[], position: I32, panel: I32) {
  const { image, kernel, dilation } = plan;
  const pixelBytes = image.channels * 4;
  const runs = dilation[1] === 1 ? 1 : kernel[1];
  const runBytes = (kernel[1] / runs) * pixelBytes;
  const a = e.i32(position);
  const b = e.i32(panel);
  const aEnd = e.i32();
  const run = () => {
    local.set(aEnd, i32.add(a, runBytes));
    multiplyRun(e, { rowOffsets, aStep: 4, bStep: PANEL_BYTES }, sums, a, b, aEnd);
  };
  e.for(e.i32(), 0, kernel[0], 1, () => {
    if (runs === 1) run();
    else {
      e.for(e.i32(), 0, runs, 1, () => {
        run();
        local.set(a, i32.add(a, dilation[1] * pixelBytes - runBytes));
      });
    }
    const taken = runs === 1 ? runBytes : runs * dilation[1] * pixelBytes;
    local.set(a, i32.add(a, dilation[0] * image.width * pixelBytes - taken));
  });
}

/**
 * Stores the maximum of the four rows and, where asked, which it was: the first where several are equal, as in TensorFlow.
 * A NaN in the first row stays, others never win.
 */
export function storeMaximum(
  e: Emitter,
  sums: Sums,
  relu: boolean,
  out: I32,
  won: I32 | undefined,
  columns: number,
): void {
  const winners: V128[] = [];
  const maxima = sums[0]!.map((first, v) => {
    const winner = won && e.v128(i32x4.splat(winnerAt(0)));
    for (let r = 1; r < sums.length; r++) {
      const candidate = sums[r]![v]!;
      if (winner) {
        const isGreater = e.v128(f32x4.gt(candidate, first));
        local.set(winner, v128.bitselect(i32x4.splat(winnerAt(r)), winner, isGreater));
      }
      local.set(first, f32x4.pmax(first, candidate));
    }
    if (winner) winners.push(winner);
    return first;
  });
  finishSums([maxima], undefined, relu);
  storeSums(e, [maxima], out, [0], columns);
  if (won) storeSums(e, [winners], won, [0], columns);
}
