/**
 * Input gradient of a convolution with stride 1 behind 2x2 max pooling: the products with gradients that pooling and
 * ReLU made zero are left out. Exact.
 *
 * Threads share the samples. A sample's gradients that are not zero become lists of (place of the weights, value), in
 * the order of the convolution's output, row by row: those that reach one pixel of the input through one row of the
 * kernel then lie one after another. Each pixel gathers them, two pixels above each other at a time, because the same
 * list serves both with neighbouring rows of the kernel. The kernel is packed as (kernelHeight, kernelWidth turned,
 * out, in), so that an entry's place is the same for all pixels but for a constant.
 */
import { f32, f32x4, i32, i32x4, local, v128 } from "wasmati";
import type { Emitter, I32 } from "../wasm/emitter.ts";
import { type Conv2dInputGradientAttributes, conv2dInputGradient } from "./conv2d-input-gradient.ts";
import { unpool2x2 } from "./max-pool2d.ts";
import { elementsOf, type Op, type Operand, type TensorType } from "./op.ts";
import { addEntries, ENTRY_BYTES } from "./sparse-run.ts";
import { convolutionOutput } from "./window.ts";

/** Vectors of sums in registers at a time, for two pixels together. */
const VECTORS = 10;

/** dy and winners' positions (pooledHeight, pooledWidth, out), kernel (kernelHeight, kernelWidth, in, out) → image. */
export const pooledConv2dInputGradient: Op<Conv2dInputGradientAttributes> = {
  name: "pooledConv2dInputGradient",

  infer: (attributes, [dy, , kernel]) => conv2dInputGradient.infer(attributes, [dy!, kernel!]),

  reference(attributes, [dy, winners, kernel], outputs, batch) {
    const { strides, padding, image } = attributes;
    const [height, width] = convolutionOutput(image, kernel!.shape, strides, padding);
    const shape = [height, width, dy!.shape[2]!];
    const dz = { ...dy!, shape, data: new Float32Array(batch * elementsOf(shape)) };
    unpool2x2.reference({ height, width }, [dy!, winners!], [dz], batch);
    conv2dInputGradient.reference(attributes, [dz, kernel!], outputs, batch);
  },

  scratchBytes(attributes, [dy, , kernel]) {
    const plan = planOf(attributes, dy!, kernel!);
    return plan.kernelBytes + plan.startsBytes + plan.listBytes;
  },

  emit(e, attributes, [dy, winners, kernel], [dx]) {
    const plan = planOf(attributes, dy!, kernel!);
    const weights = e.scratch();
    const starts = e.i32(i32.add(weights, plan.kernelBytes));
    const list = e.i32(i32.add(starts, plan.startsBytes));
    packKernel(e, plan, kernel!.address, weights);
    const n = e.i32();
    const { from, to } = e.samples();
    e.for(n, from, to, 1, () => {
      const position = e.i32(e.address(0, [n, elementsOf(dy!.shape) * 4]));
      buildLists(e, plan, { dy: dy!, winners: winners! }, position, starts, list);
      const image = e.i32(e.address(dx!.address, [n, elementsOf(dx!.shape) * 4]));
      gatherImage(e, plan, { weights, starts, image });
    });
  },
};

interface Plan {
  readonly image: readonly [height: number, width: number, channels: number];
  readonly kernel: readonly [height: number, width: number];
  readonly padding: Conv2dInputGradientAttributes["padding"];
  /** Size of the convolution's output, before pooling; its channels. */
  readonly output: readonly [height: number, width: number];
  readonly outs: number;
  /** Input channels in whole vectors, in bytes. */
  readonly rowBytes: number;
  /** Bytes of the packed kernel of one kernel position, and of one row of them. */
  readonly positionBytes: number;
  readonly kernelRowBytes: number;
  readonly kernelBytes: number;
  readonly startsBytes: number;
  readonly listBytes: number;
}

function planOf({ strides, padding, image }: Conv2dInputGradientAttributes, dy: TensorType, kernel: TensorType): Plan {
  const [kernelHeight, kernelWidth, channels, outs] = kernel.shape as [number, number, number, number];
  const output = convolutionOutput(image, kernel.shape, strides, padding);
  const rowBytes = Math.ceil(channels / 4) * 16;
  const positionBytes = outs * rowBytes;
  return {
    image: image as [number, number, number],
    kernel: [kernelHeight, kernelWidth],
    padding,
    output,
    outs,
    rowBytes,
    positionBytes,
    kernelRowBytes: kernelWidth * positionBytes,
    kernelBytes: kernelHeight * kernelWidth * positionBytes + 64,
    startsBytes: output[0] * (output[1] + 1) * 4 + 64,
    listBytes: (elementsOf(dy.shape) + 4) * ENTRY_BYTES,
  };
}

/** Packs the kernel (height, width, in, out) as (height, width turned, out, in), rows in whole vectors. */
function packKernel(e: Emitter, plan: Plan, address: number, weights: I32): void {
  const channels = plan.image[2];
  const to = e.i32(weights);
  const turned = e.i32();
  const out = e.i32();
  const from = e.i32();
  const row = e.i32(address);
  e.for(e.i32(), 0, plan.kernel[0], 1, () => {
    e.for(turned, 0, plan.kernel[1], 1, () => {
      e.for(out, 0, plan.outs, 1, () => {
        const last = (plan.kernel[1] - 1) * channels * plan.outs * 4;
        local.set(from, e.address(last, [row, 1], [turned, -channels * plan.outs * 4], [out, 4]));
        e.for(e.i32(), 0, channels, 1, () => {
          f32.store({}, to, f32.load({}, from));
          local.set(from, i32.add(from, plan.outs * 4));
          local.set(to, i32.add(to, 4));
        });
        local.set(to, i32.add(to, plan.rowBytes - channels * 4));
      });
    });
    local.set(row, i32.add(row, plan.kernel[1] * channels * plan.outs * 4));
  });
}

/**
 * Lists one sample's gradients that are not zero, and where in the list each position of the output begins:
 * `starts[row][column]`, one more column for the row's end. `position` is the byte offset of the sample in dy.
 */
function buildLists(
  e: Emitter,
  plan: Plan,
  tensors: { dy: Operand; winners: Operand },
  position: I32,
  starts: I32,
  list: I32,
): void {
  const [height, width] = plan.output;
  const pooledWidth = Math.floor(width / 2);
  const end = e.i32(list);
  const start = e.i32(starts);
  const winner = e.i32();
  const window = e.i32();
  const place = e.i32();
  const mark = () => {
    i32.store({}, start, end);
    local.set(start, i32.add(start, 4));
  };
  e.for(e.i32(), 0, Math.floor(height / 2), 1, () => {
    // The upper row of the windows, then the lower.
    e.for(winner, 0, 4, 2, () => {
      local.set(window, position);
      local.set(place, i32.const(0));
      e.for(e.i32(), 0, pooledWidth, 1, () => {
        for (const right of [0, 1]) {
          mark();
          const wanted = e.i32(i32.add(winner, right));
          appendPosition(e, plan, tensors, { window, wanted, place, end });
          local.set(place, i32.add(place, plan.positionBytes));
        }
        local.set(window, i32.add(window, plan.outs * 4));
      });
      for (let rest = 2 * pooledWidth; rest <= width; rest++) mark();
    });
    local.set(position, i32.add(position, pooledWidth * plan.outs * 4));
  });
  // A last row that belongs to no window.
  if (height % 2) e.for(e.i32(), 0, width + 1, 1, mark);
}

/** Appends the entries of one position: of the window's channels those that the wanted position won. */
function appendPosition(
  e: Emitter,
  plan: Plan,
  { dy, winners }: { dy: Operand; winners: Operand },
  { window, wanted, place, end }: Record<"window" | "wanted" | "place" | "end", I32>,
): void {
  const source = e.i32(window);
  const row = e.i32(place);
  const append = (lanes: number) => {
    const value = e.v128(v128.load({ offset: dy.address, align: 4 }, source));
    const winner = e.v128(v128.load({ offset: winners.address, align: 4 }, source));
    const isZero = e.v128(f32x4.eq(value, f32x4.splat(0)));
    const isWanted = e.v128(v128.andnot(i32x4.eq(winner, i32x4.splat(wanted)), isZero));
    const mask = e.i32(i32.and(i32x4.bitmask(isWanted), (1 << lanes) - 1));
    const entryRow = e.i32();
    const step = e.i32();
    e.if(i32.ne(mask, 0), () => {
      for (let lane = 0; lane < lanes; lane++) {
        local.set(entryRow, i32.add(row, lane * plan.rowBytes));
        i32.store({}, end, entryRow);
        v128.store32_lane({ offset: 4 }, lane, end, value);
        local.set(step, i32.and(i32.shr_u(mask, lane), 1));
        local.set(end, i32.add(end, i32.mul(step, ENTRY_BYTES)));
      }
    });
    local.set(source, i32.add(source, lanes * 4));
    local.set(row, i32.add(row, lanes * plan.rowBytes));
  };
  const rest = plan.outs % 4;
  e.for(e.i32(), 0, (plan.outs - rest) / 4, 1, () => append(4));
  if (rest) e.scope(() => append(rest));
}

type Pointers = Record<"weights" | "starts" | "image", I32>;

/** All pixels of one sample, two rows at a time. */
function gatherImage(e: Emitter, plan: Plan, pointers: Pointers): void {
  const [height, width, channels] = plan.image;
  const pitch = width * channels * 4;
  const vectors = Math.ceil(channels / 4);
  const perPixel = Math.max(1, Math.floor(VECTORS / 2));
  const y = e.i32();
  const x = e.i32();
  const target = e.i32(pointers.image);
  const row = (pixels: number) => {
    e.for(x, 0, width, 1, () => {
      for (let first = 0; first < vectors; first += perPixel) {
        const count = Math.min(perPixel, vectors - first);
        e.scope(() => gatherPixels(e, plan, pointers, { y, x, target, pixels, first, count }));
      }
      local.set(target, i32.add(target, channels * 4));
    });
    local.set(target, i32.add(target, (pixels - 1) * pitch));
  };
  e.for(y, 0, height - (height % 2), 2, () => row(2));
  if (height % 2) row(1);
}

interface Pixels {
  readonly y: I32;
  readonly x: I32;
  readonly target: I32;
  /** One pixel, or two above each other. */
  readonly pixels: number;
  /** The vectors of channels that are summed. */
  readonly first: number;
  readonly count: number;
}

function gatherPixels(e: Emitter, plan: Plan, pointers: Pointers, part: Pixels): void {
  const { pixels, first, count, y } = part;
  const [top] = plan.padding;
  const sums = Array.from({ length: pixels }, () => Array.from({ length: count }, () => e.v128(f32x4.splat(0))));
  const output = e.i32();
  // Output rows that reach the first pixel alone, both, and the second alone.
  local.set(output, e.address(top - plan.kernel[0] + 1, [y, 1]));
  const sumsOf = (...which: number[]) =>
    which.flatMap((pixel) =>
      sums[pixel]!.map((sum, v) => ({ sum, offset: (first + v) * 16 + (pixel - which[0]!) * plan.kernelRowBytes })),
    );
  const reach = (which: number[]) =>
    gatherRow(e, plan, pointers, part, { output, pixel: which[0]!, sums: sumsOf(...which) });
  const end = e.i32(e.address(top + 1, [y, 1]));
  if (pixels === 1) e.for(output, output, end, 1, () => reach([0]));
  else {
    reach([0]);
    e.for(output, i32.add(output, 1), end, 1, () => reach([0, 1]));
    reach([1]);
  }
  const pitch = plan.image[1] * plan.image[2] * 4;
  for (const [pixel, row] of sums.entries()) {
    for (const [v, sum] of row.entries()) {
      const lanes = Math.min(4, plan.image[2] - (first + v) * 4);
      e.storeLanes(part.target, pixel * pitch + (first + v) * 16, sum, lanes);
    }
  }
}

/** Adds what one output row sends to the pixels through one row of the kernel, that of `pixel`. */
function gatherRow(
  e: Emitter,
  plan: Plan,
  { weights, starts }: Pointers,
  { y, x }: Pixels,
  { output, pixel, sums }: { output: I32; pixel: number; sums: { sum: ReturnType<Emitter["v128"]>; offset: number }[] },
): void {
  const [height, width] = plan.output;
  const [top, , left] = plan.padding;
  // `output` may lie above the first row: as an unsigned number it then is larger than any.
  e.if(i32.lt_u(output, height), () => {
    const firstColumn = e.i32(e.address(left - plan.kernel[1] + 1, [x, 1]));
    const low = e.i32(firstColumn);
    const high = e.i32(e.address(left + 1, [x, 1]));
    e.if(i32.lt_s(low, 0), () => local.set(low, i32.const(0)));
    e.if(i32.gt_s(high, width), () => local.set(high, i32.const(width)));
    e.if(i32.lt_s(low, high), () => {
      const line = e.i32(e.address(0, [starts, 1], [output, (width + 1) * 4]));
      const from = e.i32(i32.load({}, i32.add(line, i32.shl(low, 2))));
      const end = e.i32(i32.load({}, i32.add(line, i32.shl(high, 2))));
      const kernelRow = e.i32(i32.sub(e.address(top + pixel, [y, 1]), output));
      const row = e.address(0, [weights, 1], [kernelRow, plan.kernelRowBytes], [firstColumn, -plan.positionBytes]);
      addEntries(e, sums, from, end, e.i32(row));
    });
  });
}
