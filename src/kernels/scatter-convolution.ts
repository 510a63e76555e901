/**
 * Convolution of images of one channel most of which is zero, such as drawings: each pixel that is not zero is multiplied by
 * the whole kernel, and each row of the product added to a row of outputs where it lies. What is zero is not touched.
 *
 * Pixels of each row of the image become a list of (place in a row of outputs, value). Outputs are made row by row, behind
 * pooling two at a time, in memory that lies in the first-level cache: rows of the image that reach a row of outputs go
 * over it one after another, so that each output is one sum in the order of the kernel, as direct sums are, with the same
 * bits where weights are finite (`sparse-list.ts`). A row of the kernel lies turned round, (kernelWidth, out), as its product lies in the outputs; these have margins for what falls beside
 * the image.
 */
import { br_if, i32, i32x4, local, loop, v128 } from "wasmati";
import { type Emitter, type I32, scratchParts } from "../wasm/emitter.ts";
import { finishSums, loadSums, PANEL_BYTES, PANEL_COLUMNS, storeSums, takeSums, withColumns } from "./block.ts";
import { type ConvolutionPlan, clearMemory, storeMaximum } from "./convolution.ts";
import { append, listBytes, nonzeroLanes, TABLE_BYTES, writeTable } from "./sparse-list.ts";

/** Vectors of a row of the kernel: the code for one of them is written out. */
const MOST_VECTORS = 48;

/** Bytes of the rows of outputs that are made at a time. */
const MOST_LINES_BYTES = 32 * 1024;

/** With as many outputs for each pixel that is not zero the method pays, behind pooling and without it. */
const OUTPUTS_PER_PIXEL = { pooled: 2, single: 5 };

export interface ScatterConvolution extends Omit<ConvolutionPlan, "image" | "strides" | "dilation"> {
  readonly size: readonly [height: number, width: number];
  /** Rows and columns of zeros before the image. */
  readonly top: number;
  readonly left: number;
}

/** Whether the method is for such kernels and images. */
export function canScatter(plan: ScatterConvolution): boolean {
  const { kernelRowBytes, linesBytes } = scatterLayout(plan);
  return kernelRowBytes <= MOST_VECTORS * 16 && linesBytes <= MOST_LINES_BYTES;
}

/** Sizes in bytes, and where in scratch memory lies what. */
export function scatterLayout({
  size: [height, width],
  kernel,
  left,
  output,
  outputChannels,
  pool,
}: ScatterConvolution) {
  const pixelBytes = Math.ceil(outputChannels / 4) * 16;
  const margin = kernel[1] - 1;
  const lineBytes = (margin + Math.max(width + left, output[1])) * pixelBytes;
  const linesBytes = (pool ? 2 : 1) * lineBytes;
  const distance = listBytes(height * width);
  const { take, bytes } = scratchParts();
  return {
    /** Bytes of a pixel of outputs; of a row of the kernel; before the first output of a row; of a row, and of all. */
    pixelBytes,
    kernelRowBytes: kernel[1] * pixelBytes,
    marginBytes: margin * pixelBytes,
    lineBytes,
    linesBytes,
    /** Bytes from an entry's place to its value. */
    distance,
    table: take(TABLE_BYTES),
    starts: take((height + 1) * 4),
    list: take(2 * distance),
    weights: take(kernel[0] * kernel[1] * pixelBytes),
    lines: take(linesBytes),
    bytes: bytes(),
  };
}

/** Writes what is the same for all samples to the scratch memory at `base`. `kernel` is (height, width, 1, out). */
export function prepareScatter(e: Emitter, plan: ScatterConvolution, kernel: number, base: I32): void {
  const layout = scatterLayout(plan);
  const [kernelHeight, kernelWidth] = plan.kernel;
  writeTable(e, e.i32(i32.add(base, layout.table)));
  const from = e.i32(kernel);
  const row = e.i32(i32.add(base, layout.weights));
  e.for(e.i32(), 0, kernelHeight, 1, () => {
    for (let x = kernelWidth - 1; x >= 0; x--) {
      for (let offset = 0; offset < layout.pixelBytes; offset += 16) {
        v128.store({ offset: x * layout.pixelBytes + offset }, row, v128.load({ offset, align: 4 }, from));
      }
      local.set(from, i32.add(from, plan.outputChannels * 4));
    }
    local.set(row, i32.add(row, layout.kernelRowBytes));
  });
}

/** Lists the pixels of the sample at `image` that are not zero; gives whether they are so few that this method pays. */
export function listPixels(e: Emitter, plan: ScatterConvolution, image: I32, base: I32): I32 {
  const layout = scatterLayout(plan);
  const [height, width] = plan.size;
  const { pixelBytes, distance } = layout;
  const table = e.i32(i32.add(base, layout.table));
  const list = e.i32(i32.add(base, layout.list));
  const end = e.i32(list);
  const start = e.i32(i32.add(base, layout.starts));
  const from = e.i32(image);
  const places = e.v128();
  const ofFirst = [0, 1, 2, 3].map((x) => (plan.left + x) * pixelBytes) as [number, number, number, number];
  const firsts = e.v128(v128.const("i32x4", ofFirst));
  const run = (lanes: number) => {
    const values = e.v128(v128.load({ align: 4 }, from));
    append(e, { end, distance, table }, values, places, nonzeroLanes(e, values, lanes));
    local.set(from, i32.add(from, lanes * 4));
    local.set(places, i32x4.add(places, i32x4.splat(4 * pixelBytes)));
  };
  e.for(e.i32(), 0, height, 1, () => {
    i32.store({}, start, end);
    local.set(start, i32.add(start, 4));
    local.set(places, firsts);
    e.for(e.i32(), 0, Math.floor(width / 4), 1, () => run(4));
    if (width % 4) e.scope(() => run(width % 4));
  });
  i32.store({}, start, end);
  const [rows, columns] = plan.output;
  const most = (rows * columns) / OUTPUTS_PER_PIXEL[plan.pool ? "pooled" : "single"];
  const isFew = e.i32(i32.le_s(i32.sub(end, list), Math.floor(most) * 4));
  if (e.isProfiling) {
    // Direct sums leave none of them out.
    e.if(i32.eqz(isFew), () => local.set(end, i32.add(list, height * width * 4)));
    e.countEntries(list, end, height * width);
  }
  return isFew;
}

/** Convolves the sample whose pixels are listed: as `emitConvolution`. */
export function emitScatter(
  e: Emitter,
  plan: ScatterConvolution,
  { base, output, winners }: { base: I32; output: I32; winners: I32 | undefined },
): void {
  const layout = scatterLayout(plan);
  const { outputChannels, top, kernel, pool } = plan;
  const size = pool ? 2 : 1;
  const pitch = Math.floor(plan.output[1] / size) * outputChannels * 4;
  const [height] = plan.size;
  const lines = e.i32(i32.add(base, layout.lines));
  const out = e.i32(output);
  const won = winners && e.i32(winners);
  // The row of the image that the first row of the kernel takes; above the first it is, as an unsigned number, past the last.
  const first = e.i32(-top);
  e.for(e.i32(), 0, Math.floor(plan.output[0] / size), 1, () => {
    clearMemory(lines, layout.linesBytes);
    const line = e.i32(lines);
    e.for(e.i32(), 0, size, 1, () => {
      const row = e.i32(first);
      const weights = e.i32(i32.add(base, layout.weights));
      e.for(e.i32(), 0, kernel[0], 1, () => {
        e.if(i32.lt_u(row, height), () => scatterRow(e, plan, { base, row, weights, line }));
        local.set(row, i32.add(row, 1));
        local.set(weights, i32.add(weights, layout.kernelRowBytes));
      });
      local.set(line, i32.add(line, layout.lineBytes));
      local.set(first, i32.add(first, 1));
    });
    e.scope(() => finishLines(e, plan, { lines, out, won }));
    local.set(out, i32.add(out, pitch));
    if (won) local.set(won, i32.add(won, pitch));
  });
}

/** Adds the products of a row of the image with a row of the kernel to a row of outputs. */
function scatterRow(
  e: Emitter,
  plan: ScatterConvolution,
  { base, row, weights, line }: Record<"base" | "row" | "weights" | "line", I32>,
): void {
  const layout = scatterLayout(plan);
  const starts = e.i32(e.address(layout.starts, [base, 1], [row, 4]));
  const entry = e.i32(i32.load({}, starts));
  const end = e.i32(i32.load({ offset: 4 }, starts));
  e.if(i32.lt_s(entry, end), () => {
    loop(null, (again) => {
      e.scope(() => {
        const value = e.v128(v128.load32_splat({ offset: layout.distance }, entry));
        const place = e.i32(i32.add(line, i32.load({}, entry)));
        for (let offset = 0; offset < layout.kernelRowBytes; offset += 16) {
          const weight = e.v128(v128.load({ offset }, weights));
          v128.store({ offset }, place, e.madd(weight, value, v128.load({ offset }, place)));
        }
      });
      local.set(entry, i32.add(entry, 4));
      i32.lt_s(entry, end);
      br_if(again);
    });
  });
}

/** Bias, ReLU and pooling, from rows of sums to a row of the result. */
function finishLines(
  e: Emitter,
  plan: ScatterConvolution,
  { lines, out: firstOut, won: firstWon }: { lines: I32; out: I32; won: I32 | undefined },
): void {
  const { pixelBytes, lineBytes, marginBytes } = scatterLayout(plan);
  const { pool, relu, outputChannels } = plan;
  const size = pool ? 2 : 1;
  const window = pool ? [0, pixelBytes, lineBytes, lineBytes + pixelBytes] : [0];
  const panel = e.i32();
  e.for(panel, 0, Math.ceil(outputChannels / PANEL_COLUMNS), 1, () => {
    const offset = e.i32(i32.mul(panel, PANEL_BYTES));
    const from = e.i32(e.address(marginBytes, [lines, 1], [offset, 1]));
    const out = e.i32(i32.add(firstOut, offset));
    const won = firstWon && e.i32(i32.add(firstWon, offset));
    const bias = plan.bias === undefined ? undefined : e.i32(i32.add(offset, plan.bias));
    withColumns(e, outputChannels, panel, (columns) => {
      e.for(e.i32(), 0, Math.floor(plan.output[1] / size), 1, () => {
        const sums = takeSums(e, window.length, columns);
        loadSums(sums, from, window);
        finishSums(sums, bias, pool ? false : relu);
        if (pool) storeMaximum(e, sums, relu, out, won, columns);
        else storeSums(e, sums, out, [0], columns);
        local.set(from, i32.add(from, size * pixelBytes));
        local.set(out, i32.add(out, outputChannels * 4));
        if (won) local.set(won, i32.add(won, outputChannels * 4));
      });
    });
  });
}
