/**
 * Weight gradient of a convolution: for each weight the sum over all samples and positions, in ascending order, of the
 * input under it times the output gradient.
 *
 * Threads share the rows of the gradient (kernel position and input channel), four at a time: the four lie side by side
 * in the image, so a register block runs along an output row with four scalars a position. The sums of a sample are
 * carried in the gradient itself, which stays in cache.
 */
import { i32, local } from "wasmati";
import type { Emitter, I32, Term } from "../wasm/emitter.ts";
import { BLOCK_ROWS, loadSums, multiplyRun, PANEL_BYTES, PANEL_COLUMNS, storeSums, takeSums } from "./block.ts";
import { clearMemory, copyInside, type PaddedImage, paddedBytes } from "./convolution.ts";
import { elementsOf, type Op, type Operand, type TensorType } from "./op.ts";
import { convolutionOutput, NEIGHBOURS, type Padding, windowSize } from "./window.ts";

export interface Conv2dWeightGradientAttributes {
  readonly strides: readonly [number, number];
  /** Distance of the pixels that the kernel takes, down and across; default 1. */
  readonly dilation?: readonly [number, number];
  readonly padding: Padding;
  readonly kernelSize: readonly [height: number, width: number];
}

/** x (height, width, in), dy (height', width', out) → (kernelHeight, kernelWidth, in, out), the sum over the batch. */
export const conv2dWeightGradient: Op<Conv2dWeightGradientAttributes> = {
  name: "conv2dWeightGradient",

  infer({ kernelSize }, [x, dy]) {
    return [{ shape: [...kernelSize, x!.shape[2]!, dy!.shape[2]!], batched: false, dtype: "float32" }];
  },

  reference({ strides, dilation = NEIGHBOURS, padding, kernelSize }, [x, dy], [dw], batch) {
    const [height, width, channels] = x!.shape as [number, number, number];
    const [rows, columns, outs] = dy!.shape as [number, number, number];
    const sums = new Float64Array(dw!.data.length);
    for (let n = 0; n < batch; n++) {
      for (let position = 0; position < rows * columns; position++) {
        const top = Math.floor(position / columns) * strides[0] - padding[0];
        const left = (position % columns) * strides[1] - padding[2];
        for (let k = 0; k < kernelSize[0] * kernelSize[1]; k++) {
          const iy = top + Math.floor(k / kernelSize[1]) * dilation[0];
          const ix = left + (k % kernelSize[1]) * dilation[1];
          if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
          for (let c = 0; c < channels; c++) {
            const value = x!.data[((n * height + iy) * width + ix) * channels + c]!;
            for (let o = 0; o < outs; o++) {
              sums[(k * channels + c) * outs + o]! += value * dy!.data[(n * rows * columns + position) * outs + o]!;
            }
          }
        }
      }
    }
    dw!.data.set(sums);
  },

  operations({ kernelSize, strides, dilation = NEIGHBOURS, padding }, [x, dy]) {
    const [height, width] = convolutionOutput(x!.shape, windowSize(kernelSize, dilation), strides, padding);
    return height * width * kernelSize[0] * kernelSize[1] * x!.shape[2]! * dy!.shape[2]!;
  },

  scratchBytes: (attributes, [x]) => paddedBytes(paddedImage(attributes, x!)) + 64,

  emit(e, attributes, [x, dy], [dw]) {
    const image = paddedImage(attributes, x!);
    const [top, , left] = attributes.padding;
    const plan: GradientPlan = { attributes, image, dy: dy!, dw: dw!, ...cutRows(attributes, image) };
    const pieces = e.share(attributes.kernelSize[0] * plan.runsPerRow * plan.blocksPerRun);
    clearPieces(e, plan, pieces);
    const padded = e.scratch();
    const isPadded = attributes.padding.some((side) => side > 0);
    if (isPadded) clearMemory(padded, paddedBytes(image));
    const n = e.i32();
    const sampleBytes = elementsOf(x!.shape) * 4;
    e.for(n, 0, e.batch, 1, () => {
      const source = e.i32(e.address(x!.address, [n, sampleBytes]));
      const inside = { top, left, rows: x!.shape[0]!, rowBytes: sampleBytes / x!.shape[0]! };
      if (isPadded) {
        copyInside(e, image, inside, source, padded);
        local.set(source, padded);
      }
      const gradient = e.i32(e.address(dy!.address, [n, elementsOf(dy!.shape) * 4]));
      addSample(e, plan, pieces, source, gradient);
    });
  },
};

interface GradientPlan {
  readonly attributes: Conv2dWeightGradientAttributes;
  readonly image: PaddedImage;
  readonly dy: Operand;
  readonly dw: Operand;
  /** Runs of contiguous inputs in a row of the kernel: one, or where dilated one a pixel. */
  readonly runsPerRow: number;
  /** Rows of the gradient in a run. */
  readonly runRows: number;
  /** Blocks of four rows of the gradient in a run, the last perhaps narrower. */
  readonly blocksPerRun: number;
  readonly restRows: number;
}

type Pieces = ReturnType<Emitter["share"]>;

function paddedImage(
  { padding: [top, bottom, left, right] }: Conv2dWeightGradientAttributes,
  x: TensorType,
): PaddedImage {
  const [height, width, channels] = x.shape as [number, number, number];
  return { height: height + top + bottom, width: width + left + right, channels };
}

function cutRows({ kernelSize, dilation = NEIGHBOURS }: Conv2dWeightGradientAttributes, { channels }: PaddedImage) {
  const runsPerRow = dilation[1] === 1 ? 1 : kernelSize[1];
  const runRows = (kernelSize[1] / runsPerRow) * channels;
  return { runsPerRow, runRows, blocksPerRun: Math.ceil(runRows / BLOCK_ROWS), restRows: runRows % BLOCK_ROWS };
}

/** Runs `body` for each piece of this thread: run `run` of the kernel, block `block` of it, `rows` rows. */
function eachPiece(
  e: Emitter,
  { blocksPerRun, restRows }: GradientPlan,
  { from, to }: Pieces,
  body: (run: I32, block: I32, rows: number) => void,
): void {
  const piece = e.i32();
  e.for(piece, from, to, 1, () => {
    const run = e.i32(i32.div_u(piece, blocksPerRun));
    const block = e.i32(i32.rem_u(piece, blocksPerRun));
    if (!restRows) body(run, block, BLOCK_ROWS);
    else if (blocksPerRun === 1) body(run, block, restRows);
    else
      e.if(
        i32.lt_s(block, blocksPerRun - 1),
        () => body(run, block, BLOCK_ROWS),
        () => body(run, block, restRows),
      );
  });
}

/** Address of the first of a piece's rows of the gradient. */
function pieceAddress(e: Emitter, { dw, runRows }: GradientPlan, run: I32, block: I32): I32 {
  const rowBytes = dw.shape[3]! * 4;
  return e.i32(e.address(dw.address, [run, runRows * rowBytes], [block, BLOCK_ROWS * rowBytes]));
}

function clearPieces(e: Emitter, plan: GradientPlan, pieces: Pieces): void {
  const rowBytes = plan.dw.shape[3]! * 4;
  eachPiece(e, plan, pieces, (run, block, rows) => clearMemory(pieceAddress(e, plan, run, block), rows * rowBytes));
}

/** Where the inputs of a run of the kernel begin, from where those of the kernel do. */
function runTerms(e: Emitter, { attributes, image, runsPerRow }: GradientPlan, run: I32): Term[] {
  const { dilation = NEIGHBOURS } = attributes;
  const rowBytes = dilation[0] * image.width * image.channels * 4;
  if (runsPerRow === 1) return [[run, rowBytes]];
  const ky = e.i32(i32.div_u(run, runsPerRow));
  const kx = e.i32(i32.rem_u(run, runsPerRow));
  return [
    [ky, rowBytes],
    [kx, dilation[1] * image.channels * 4],
  ];
}

/** Adds one sample's products to this thread's pieces. */
function addSample(e: Emitter, plan: GradientPlan, pieces: Pieces, source: I32, gradient: I32): void {
  const { attributes, image, dy } = plan;
  const [height, width, outs] = dy.shape as [number, number, number];
  const pitch = image.width * image.channels * 4;
  const aStep = attributes.strides[1] * image.channels * 4;
  const bStep = outs * 4;
  const columns = e.i32();
  const addPanel = (width4: number) =>
    eachPiece(e, plan, pieces, (run, block, rows) => {
      const target = pieceAddress(e, plan, run, block);
      local.set(target, i32.add(target, columns));
      const rowOffsets = Array.from({ length: rows }, (_, r) => r * bStep);
      const sums = takeSums(e, rows, width4);
      loadSums(sums, target, rowOffsets);
      const line = e.i32(e.address(0, [source, 1], ...runTerms(e, plan, run), [block, BLOCK_ROWS * 4]));
      const a = e.i32();
      const aEnd = e.i32();
      const b = e.i32(i32.add(gradient, columns));
      e.for(e.i32(), 0, height, 1, () => {
        local.set(a, line);
        local.set(aEnd, i32.add(line, width * aStep));
        multiplyRun(e, { rowOffsets: rowOffsets.map((_, r) => r * 4), aStep, bStep }, sums, a, b, aEnd);
        local.set(line, i32.add(line, attributes.strides[0] * pitch));
      });
      storeSums(e, sums, target, rowOffsets, width4);
    });
  const rest = outs % PANEL_COLUMNS;
  e.for(columns, 0, (outs - rest) * 4, PANEL_BYTES, () => addPanel(PANEL_COLUMNS));
  if (rest) addPanel(rest);
}
