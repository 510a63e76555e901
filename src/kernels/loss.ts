/**
 * What the kernels of losses share. A loss op takes outputs (…, width) and targets and gives the loss of each sample, the
 * mean over what the sample has, and the gradient of the batch's mean loss. Threads share the samples; sums are kept in
 * double precision, in ascending order. https://keras.io/api/losses/
 */
import { f32, f64, i32, local } from "wasmati";
import type { Emitter, F32, F64, I32 } from "../wasm/emitter.ts";
import { elementsOf, type Operand, type TensorType } from "./op.ts";

/** Types of the two outputs: the loss of each sample, and the gradient of the batch's mean loss. */
export function lossTypes(output: TensorType): TensorType[] {
  return [
    { shape: [], batched: true, dtype: "float32" },
    { shape: output.shape, batched: true, dtype: "float32" },
  ];
}

/**
 * Slopes of smaller magnitude change no weight that is not as small itself, and count as 0: their products would be denormal
 * numbers, for each of which a processor takes a hundred times as long. A model that is very sure has such slopes.
 */
const NEGLIGIBLE = 1e-30;

/** The slope, or 0 where it is negligible. A NaN stays. */
export const withoutNegligible = (slope: number) => (Math.abs(slope) < NEGLIGIBLE ? 0 : slope);

export function emitWithoutNegligible(e: Emitter, slope: F32): F32 {
  const kept = e.f32(slope);
  e.if(f32.lt(f32.abs(slope), NEGLIGIBLE), () => local.set(kept, f32.const(0)));
  return kept;
}

/** Targets (…, classes) or, where sparse, (…) int32. */
export interface CategoricalAttributes {
  /** Targets are class numbers (int32), not rows of probabilities. */
  readonly sparse: boolean;
  /** Targets t become t (1 - smoothing) + smoothing / classes; default 0. */
  readonly smoothing?: number;
}

/** Rows of classes a sample, and classes a row. */
export function rowsOf({ shape }: TensorType): { rows: number; classes: number } {
  const classes = shape.at(-1)!;
  return { rows: elementsOf(shape) / classes, classes };
}

/** The expected probability of class `i` in row `row`; counted over all samples. */
export function targetOf(
  { sparse, smoothing = 0 }: CategoricalAttributes,
  targets: ArrayLike<number>,
  row: number,
  i: number,
  classes: number,
): number {
  const target = sparse ? Number(targets[row] === i) : targets[row * classes + i]!;
  return smoothing ? target * (1 - smoothing) + smoothing / classes : target;
}

/** How a sample's part of the outputs is walked through: `rows` rows of `width` elements; its loss is a sum / `count`. */
export interface SampleLayout {
  readonly rows: number;
  readonly width: number;
  readonly count: number;
}

/** Runs `body` for each row of this thread's samples, with the row's byte offset and the sum that it adds to. */
export function eachLossRow(
  e: Emitter,
  { rows, width, count }: SampleLayout,
  loss: Operand,
  body: (row: I32, total: F64) => void,
): void {
  const { from, to } = e.samples();
  const sample = e.i32();
  e.for(sample, from, to, 1, () => {
    const total = e.f64(f64.const(0));
    const row = e.i32(i32.mul(sample, rows * width * 4));
    const end = e.i32(i32.add(row, rows * width * 4));
    e.for(row, row, end, width * 4, () => body(row, total));
    f32.store({ offset: loss.address }, e.i32(i32.shl(sample, 2)), f32.demote_f64(f64.div(total, count)));
  });
}

/** Runs `body` for each class of the row at byte `row`, with its byte offset in the row and its expected probability. */
export function eachTarget(
  e: Emitter,
  { sparse, smoothing = 0 }: CategoricalAttributes,
  { classes, targets, row }: { readonly classes: number; readonly targets: Operand; readonly row: I32 },
  body: (offset: I32, target: F32) => void,
): void {
  const offset = e.i32();
  const target = e.f32();
  const label = sparse ? e.i32(i32.load({ offset: targets.address }, e.i32(i32.div_u(row, classes)))) : undefined;
  e.for(offset, 0, classes * 4, 4, () => {
    if (label) local.set(target, f32.convert_i32_u(i32.eq(i32.shl(label, 2), offset)));
    else local.set(target, f32.load({ offset: targets.address }, e.i32(i32.add(row, offset))));
    if (smoothing) local.set(target, f32.add(f32.mul(target, 1 - smoothing), smoothing / classes));
    body(offset, target);
  });
}
