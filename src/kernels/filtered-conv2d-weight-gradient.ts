/**
 * Weight gradient of a convolution with stride 1 by filtering (`filtering.ts`): a tile of output gradients is itself a filter
 * that gives its part of the kernel's gradient when the inputs under it are convolved with it. Tiles of both are transformed
 * and multiplied number by number; the products are added up over all tiles of a segment of the batch, and what comes out
 * is transformed back once.
 *
 * Threads take segments, and of a segment some of the output channels (`add-segments.ts`). Groups of rows of tiles are
 * transformed into scratch memory, as many as stay in the second-level cache, and at least one; what of that belongs to one
 * number, (tile, channel), is in the first-level cache while it is multiplied.
 */
import { f32x4, i32, local, v128 } from "wasmati";
import { type Emitter, type I32, scratchParts } from "../wasm/emitter.ts";
import { eachSegment, GROUP_CHANNELS, type Segment, segmentBytesOf } from "./add-segments.ts";
import { loadSums, multiplyRun, PANEL_BYTES, PANEL_COLUMNS, storeSums, takeSums, withColumns } from "./block.ts";
import type { Conv2dWeightGradientAttributes } from "./conv2d-weight-gradient.ts";
import { clearMemory, copyRows } from "./convolution.ts";
import type { Filtering, Passes } from "./filtering.ts";
import { cheapest, deskBytes, oddLines, squareBytes } from "./filtering-plan.ts";
import { squareTransform, type Workspace } from "./filtering-transforms.ts";
import type { Op, Operand, TensorType } from "./op.ts";
import { sparseConv2dWeightGradient } from "./sparse-conv2d-weight-gradient.ts";
import { NEIGHBOURS } from "./window.ts";
import { winogradFiltering } from "./winograd.ts";

/** Bytes that a group's transformed tiles may take, and a thread's sums: parts of the second-level cache. */
const GROUP_BYTES = 480 * 1024;
const SUMS_BYTES = 640 * 1024;

/**
 * The filtering of a weight gradient: its outputs are the kernel's gradient, its taps a tile's gradients. None where it saves
 * no work against sums of a `share` of all products. Of shapes alone, so that the order of sums is the same on every machine.
 */
export function gradientFiltering(
  { strides, dilation = NEIGHBOURS, kernelSize }: Conv2dWeightGradientAttributes,
  x: TensorType,
  dy: TensorType,
  share = 1,
): Filtering | undefined {
  const [size, width] = kernelSize;
  const [rows, columns, outs] = dy.shape as [number, number, number];
  const channels = x.shape[2]!;
  if ([...strides, ...dilation].some((step) => step > 1)) return undefined;
  // Channels in whole vectors, so that what is transformed back lies without gaps; and no part of the kernel that sees zeros
  // around the image alone, for its gradient is to be exactly zero.
  if (size !== width || (size !== 3 && size !== 5) || channels % 4 || outs % 4) return undefined;
  if (rows < size || columns < size) return undefined;
  const tilesOf = ({ r }: Filtering) => Math.ceil(rows / r) * Math.ceil(columns / r);
  const methods = [4, 2].map((r) => winogradFiltering(size, r));
  return cheapest(methods, tilesOf, { channels, outs, most: share * rows * columns * size * size * channels * outs });
}

/** As `sparseConv2dWeightGradient`: x (height, width, in), dy (height', width', out) → the sums of each segment. */
export const filteredConv2dWeightGradient: Op<Conv2dWeightGradientAttributes> = {
  name: "filteredConv2dWeightGradient",

  infer: sparseConv2dWeightGradient.infer,
  reference: sparseConv2dWeightGradient.reference,
  operations: sparseConv2dWeightGradient.operations!,

  scratchBytes: (attributes, [x, dy]) => planOf(attributes, x!, dy!).bytes,

  emit(e, attributes, [x, dy], [sums]) {
    const plan = planOf(attributes, x!, dy!);
    const base = e.scratch();
    for (const { at, bytes } of [plan.inputs, plan.gradients]) clearMemory(e.i32(i32.add(base, at)), bytes);
    eachSegment(e, { ...plan, unitsPerThread: 1 }, (segment) => {
      const { from, to } = segment;
      const own = e.i32(e.address(sums!.address, [segment.index, plan.segmentBytes]));
      const channels = e.i32(i32.sub(to, from));
      const totals = e.i32(e.address(plan.totals, [own, 1], [from, 4]));
      clearMemory(totals, e.i32(i32.mul(channels, 4)));
      clearMemory(e.i32(i32.add(base, plan.sums)), plan.products * plan.sumBytes);
      eachGroup(e, plan, segment, (first, end) => {
        e.scope(() => loadGroup(e, plan, { x: x!, dy: dy! }, { base, first, end, segment, totals }));
        e.scope(() =>
          multiply(e, plan, { base, channels, tiles: e.i32(i32.mul(i32.sub(end, first), plan.tileColumns)) }),
        );
      });
      e.scope(() => transformBack(e, plan, { base, from, to, own }));
    });
  },
};

/** Some rows of an image or of gradients, with zeros around: where in scratch memory, from row to row, and all. */
interface Strip {
  readonly at: number;
  readonly pitch: number;
  readonly bytes: number;
}

function planOf(attributes: Conv2dWeightGradientAttributes, x: TensorType, dy: TensorType) {
  const method = gradientFiltering(attributes, x, dy)!;
  const { kernelSize, padding } = attributes;
  const channels = x.shape[2]!;
  const [rows, columns, outs] = dy.shape as [number, number, number];
  const products = method.rows * method.columns;
  const [tileRows, tileColumns] = [Math.ceil(rows / method.r), Math.ceil(columns / method.r)];
  const inputBytes = channels * 4;
  const groups = outs / GROUP_CHANNELS;
  const leastParts = Math.min(groups, Math.ceil((products * outs * inputBytes) / SUMS_BYTES));
  /** Bytes of a tile's output channels, as far as a part has them. */
  const outBytes = Math.ceil(groups / leastParts) * GROUP_CHANNELS * 4;
  const mostTiles = GROUP_BYTES / (products * (inputBytes + outBytes));
  const rowsAtOnce = Math.max(1, Math.min(tileRows * 16, Math.floor(mostTiles / tileColumns)));
  const tiles = rowsAtOnce * tileColumns;
  const inputsBytes = oddLines(tiles * inputBytes);
  const gradientsBytes = oddLines(tiles * outBytes);
  const sumBytes = (outBytes / 4) * inputBytes;
  const { take, bytes } = scratchParts(64);
  const strip = (count: number, width: number, pixelBytes: number): Strip => {
    const pitch = width * pixelBytes;
    return { at: take(count * pitch), pitch, bytes: count * pitch };
  };
  return {
    method,
    products,
    channels,
    outs,
    top: padding[0],
    left: padding[2],
    groups,
    leastParts,
    ...segmentBytesOf([...kernelSize, channels, outs]),
    /** Rows of tiles of a sample and of a group; tiles in one. */
    tileRows,
    rowsAtOnce,
    tileColumns,
    /** Bytes of a tile's channels for one product. */
    inputBytes,
    outBytes,
    /** Bytes of all of a group's inputs, or gradients, for one product; of a product's sums. */
    inputsBytes,
    gradientsBytes,
    sumBytes,
    /** Where in scratch memory lies what. */
    inputs: strip(method.rows, tileColumns * method.r + kernelSize[1] - 1, inputBytes),
    gradients: strip(method.r, tileColumns * method.r, outs * 4),
    square: take(
      Math.max(...[method.input, method.kernel, method.output].map((passes) => squareBytes(method, passes))),
    ),
    desk: take(deskBytes(method)),
    sums: take(products * sumBytes),
    transformedInputs: take(products * inputsBytes),
    transformedGradients: take(products * gradientsBytes),
    bytes: bytes(),
  };
}

type Plan = ReturnType<typeof planOf>;

/** Runs `body` for each group of rows of tiles, counted through a segment's samples, as [first, end). */
function eachGroup(e: Emitter, plan: Plan, { first, end }: Segment, body: (first: I32, end: I32) => void): void {
  const count = e.i32(i32.mul(i32.sub(end, first), plan.tileRows));
  const row = e.i32();
  e.for(row, 0, count, plan.rowsAtOnce, () => {
    const last = e.i32(i32.add(row, plan.rowsAtOnce));
    e.atMost(last, count);
    body(row, last);
  });
}

interface GroupOfTiles {
  readonly base: I32;
  readonly first: I32;
  readonly end: I32;
  readonly segment: Segment;
  /** Address of the sums of the segment's gradients, channel by channel. */
  readonly totals: I32;
}

/** Transforms the tiles of a group, and adds up its gradients. */
function loadGroup(
  e: Emitter,
  plan: Plan,
  { x, dy }: { x: Operand; dy: Operand },
  { base, first, end, segment, totals }: GroupOfTiles,
): void {
  const { method, inputs, gradients, tileColumns, inputBytes, outBytes, inputsBytes, gradientsBytes } = plan;
  const transformInputs = transformOf(e, plan, method.input, base);
  const transformGradients = transformOf(e, plan, method.kernel, base);
  const row = e.i32();
  const toInputs = e.i32(i32.add(base, plan.transformedInputs));
  const toGradients = e.i32(i32.add(base, plan.transformedGradients));
  const channels = e.i32(i32.mul(i32.sub(segment.to, segment.from), 4));
  e.for(row, first, end, 1, () => {
    const sample = e.i32(i32.add(segment.first, i32.div_u(row, plan.tileRows)));
    const top = e.i32(i32.mul(i32.rem_u(row, plan.tileRows), method.r));
    const inputRows = { tensor: x, sample, top: e.i32(i32.sub(top, plan.top)), count: method.rows };
    const inside = e.i32(i32.add(base, inputs.at + plan.left * inputBytes));
    e.scope(() => copyRows(e, inputRows, inside, inputs.pitch));
    const toStrip = e.i32(i32.add(base, gradients.at));
    e.scope(() => copyRows(e, { tensor: dy, sample, top, count: method.r }, toStrip, gradients.pitch));
    const fromGradients = e.i32(e.address(gradients.at, [base, 1], [segment.from, 4]));
    e.scope(() => addGradients(e, plan, fromGradients, channels, totals));
    const fromInputs = e.i32(i32.add(base, inputs.at));
    e.for(e.i32(), 0, tileColumns, 1, () => {
      transformInputs(fromInputs, toInputs, e.i32(inputBytes), inputs.pitch, inputBytes, inputsBytes);
      transformGradients(fromGradients, toGradients, channels, gradients.pitch, plan.outs * 4, gradientsBytes);
      local.set(fromInputs, i32.add(fromInputs, method.r * inputBytes));
      local.set(fromGradients, i32.add(fromGradients, method.r * plan.outs * 4));
      local.set(toInputs, i32.add(toInputs, inputBytes));
      local.set(toGradients, i32.add(toGradients, outBytes));
    });
  });
}

const workspaceOf = (e: Emitter, { square, desk }: Plan, base: I32): Workspace => ({
  square: e.i32(i32.add(base, square)),
  desk: e.i32(i32.add(base, desk)),
});

/**
 * Gives what transforms a tile of so many bytes of channels, each vector of them, to its place among the tiles of each
 * product, which are `productBytes` apart.
 */
function transformOf(e: Emitter, plan: Plan, passes: Passes, base: I32) {
  const transform = squareTransform(e, plan.method, passes, workspaceOf(e, plan, base));
  return (from: I32, to: I32, bytes: I32, fromRow: number, fromColumn: number, productBytes: number) => {
    const offset = e.i32();
    const [toRow, toColumn] = [plan.method.columns * productBytes, productBytes];
    e.for(offset, 0, bytes, 16, () => {
      const place = { from: e.i32(i32.add(from, offset)), to: e.i32(i32.add(to, offset)) };
      transform({ ...place, fromRow, fromColumn, toRow, toColumn });
    });
  };
}

/** Adds a strip's gradients to the totals of their channels, of which there are so many bytes. */
function addGradients(e: Emitter, { method, gradients, outs }: Plan, from: I32, channels: I32, totals: I32): void {
  const offset = e.i32();
  const sum = e.v128();
  e.for(offset, 0, channels, 16, () => {
    const gradient = e.i32(i32.add(from, offset));
    const end = e.i32(i32.add(gradient, method.r * gradients.pitch));
    const total = e.i32(i32.add(totals, offset));
    local.set(sum, f32x4.splat(0));
    e.doFor(gradient, gradient, end, outs * 4, () => {
      local.set(sum, f32x4.add(sum, v128.load({ align: 4 }, gradient)));
    });
    v128.store({ align: 4 }, total, f32x4.add(sum, v128.load({ align: 4 }, total)));
  });
}

/** Adds the products of so many tiles to the sums: (product, output channel of the part, input channel). */
function multiply(e: Emitter, plan: Plan, { base, channels, tiles }: Record<"base" | "channels" | "tiles", I32>): void {
  const { inputBytes, outBytes } = plan;
  const inputs = e.i32(i32.add(base, plan.transformedInputs));
  const gradients = e.i32(i32.add(base, plan.transformedGradients));
  const sums = e.i32(i32.add(base, plan.sums));
  const gradientsBytes = e.i32(i32.mul(tiles, outBytes));
  const panel = e.i32();
  const out = e.i32();
  // A part has its channels in groups of as many as a block has rows.
  const rows = Array.from({ length: GROUP_CHANNELS }, (_, r) => r);
  const rowOffsets = rows.map((r) => r * inputBytes);
  const run = { rowOffsets: rows.map((r) => r * 4), aStep: outBytes, bStep: inputBytes };
  e.for(e.i32(), 0, plan.products, 1, () => {
    e.for(panel, 0, Math.ceil(plan.channels / PANEL_COLUMNS), 1, () => {
      withColumns(e, plan.channels, panel, (columns) => {
        const target = e.i32(e.address(0, [sums, 1], [panel, PANEL_BYTES]));
        const first = e.i32(gradients);
        e.for(out, 0, channels, GROUP_CHANNELS, () => {
          const block = takeSums(e, GROUP_CHANNELS, columns);
          loadSums(block, target, rowOffsets);
          const [a, end] = [e.i32(first), e.i32(i32.add(first, gradientsBytes))];
          multiplyRun(e, run, block, a, e.i32(e.address(0, [inputs, 1], [panel, PANEL_BYTES])), end);
          storeSums(e, block, target, rowOffsets, columns);
          local.set(first, i32.add(first, GROUP_CHANNELS * 4));
          local.set(target, i32.add(target, GROUP_CHANNELS * inputBytes));
        });
      });
    });
    local.set(inputs, i32.add(inputs, plan.inputsBytes));
    local.set(gradients, i32.add(gradients, plan.gradientsBytes));
    local.set(sums, i32.add(sums, plan.sumBytes));
  });
}

/** Transforms the sums of a part's output channels to its gradients. */
function transformBack(
  e: Emitter,
  plan: Plan,
  { base, from, to, own }: Record<"base" | "from" | "to" | "own", I32>,
): void {
  const { method, inputBytes, sumBytes } = plan;
  const shorter = { ...method, rows: method.m[0] };
  const transform = squareTransform(e, shorter, method.output, workspaceOf(e, plan, base));
  const sums = e.i32(i32.add(base, plan.sums));
  const target = e.i32(e.address(0, [own, 1], [from, plan.channelBytes]));
  const offset = e.i32();
  e.for(e.i32(), from, to, 1, () => {
    e.for(offset, 0, inputBytes, 16, () => {
      transform({
        from: e.i32(i32.add(sums, offset)),
        fromRow: method.columns * sumBytes,
        fromColumn: sumBytes,
        to: e.i32(i32.add(target, offset)),
        toRow: plan.runBytes,
        toColumn: inputBytes,
      });
    });
    local.set(sums, i32.add(sums, inputBytes));
    local.set(target, i32.add(target, plan.channelBytes));
  });
}
