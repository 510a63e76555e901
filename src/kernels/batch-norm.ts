/**
 * Batch normalization (Ioffe, Szegedy 2015, https://arxiv.org/abs/1502.03167): every channel less its mean, over its
 * standard deviation. The moments are those of the batch, or moving averages of them. A channel's sums are taken by one
 * thread, sample by sample in ascending order; what is done element by element is shared among the threads by samples.
 */
import { f32, f32x4, i32, local, v128 } from "wasmati";
import type { Emitter, I32, V128 } from "../wasm/emitter.ts";
import { reluGradient } from "./activations.ts";
import { clearSums, eachPanel, finishSums, storeSums, takeSums } from "./block.ts";
import { elementsOf, type GraphBuilder, type Node, type Op, type Operand, type Tensor, type TensorType } from "./op.ts";

export interface BatchNormAttributes {
  /** Added to the variance. */
  readonly epsilon: number;
  /** There is a gamma behind the moments, which multiplies. */
  readonly scale: boolean;
  /** There is a beta at the end, which is added. */
  readonly center: boolean;
  /** The moments are those of the batch, which the gradient then goes through, not constants. */
  readonly ofBatch: boolean;
  /** Negative outputs become 0. */
  readonly relu?: boolean;
}

const perChannel = (x: TensorType): TensorType => ({ shape: x.shape.slice(-1), batched: false, dtype: "float32" });
const likeInput = ({ shape }: TensorType): TensorType => ({ shape, batched: true, dtype: "float32" });

/** x (…, channels) → mean (channels) and variance (channels) of each channel over all positions of the batch. */
export const batchMoments: Op<object> = {
  name: "batchMoments",
  infer: (_, [x]) => [perChannel(x!), perChannel(x!)],
  reference(_, [x], [mean, variance], batch) {
    const channels = mean!.data.length;
    const count = batch * elementsOf(x!.shape);
    for (let channel = 0; channel < channels; channel++) {
      let sum = 0;
      for (let i = channel; i < count; i += channels) sum += x!.data[i]!;
      const middle = (sum * channels) / count;
      let squares = 0;
      for (let i = channel; i < count; i += channels) squares += (x!.data[i]! - middle) ** 2;
      mean!.data[channel] = middle;
      variance!.data[channel] = (squares * channels) / count;
    }
  },
  emit(e, _, [x], [mean, variance]) {
    const channels = mean!.shape[0]!;
    const positions = elementsOf(x!.shape) / channels;
    const count = e.v128(f32x4.splat(f32.convert_i32_u(i32.mul(e.batch, positions))));
    eachPanel(e, channels, (offset, columns) => {
      const means = sumOverBatch(e, { channels, positions, columns }, offset, 1, ([sums], place) => {
        for (const [v, sum] of sums!.entries()) {
          local.set(sum, f32x4.add(sum, v128.load({ offset: x!.address + v * 16, align: 4 }, place)));
        }
      })[0]!;
      for (const total of means) local.set(total, f32x4.div(total, count));
      storeSums(e, [means], e.i32(i32.add(offset, mean!.address)), [0], columns);
      const variances = sumOverBatch(e, { channels, positions, columns }, offset, 1, ([sums], place) => {
        for (const [v, sum] of sums!.entries()) {
          const value = e.v128(v128.load({ offset: x!.address + v * 16, align: 4 }, place));
          const difference = e.v128(f32x4.sub(value, means[v]!));
          local.set(sum, f32x4.add(sum, f32x4.mul(difference, difference)));
        }
      })[0]!;
      for (const total of variances) local.set(total, f32x4.div(total, count));
      storeSums(e, [variances], e.i32(i32.add(offset, variance!.address)), [0], columns);
    });
  },
};

/**
 * x (…, channels), mean, variance and, where there are, gamma and beta (channels) → (x - mean) / √(variance + ε) · gamma + beta,
 * with a ReLU behind it where asked.
 */
export const batchNorm: Op<BatchNormAttributes> = {
  name: "batchNorm",
  infer: (_, [x]) => [likeInput(x!)],
  reference(attributes, [x, mean, variance, ...rest], [y], batch) {
    const { gamma, beta } = partsOf(attributes, rest);
    const channels = mean!.data.length;
    for (let i = 0; i < batch * elementsOf(x!.shape); i++) {
      const c = i % channels;
      const factor = (gamma?.data[c] ?? 1) / Math.sqrt(variance!.data[c]! + attributes.epsilon);
      const value = (x!.data[i]! - mean!.data[c]!) * factor + (beta?.data[c] ?? 0);
      y!.data[i] = attributes.relu && value < 0 ? 0 : value;
    }
  },
  gradient: batchNormGradients,
  emit(e, attributes, [x, mean, variance, ...rest], [y]) {
    const { gamma, beta } = partsOf(attributes, rest);
    eachChannelOfSample(e, x!, (offset, lanes, eachPosition) => {
      const middle = load(e, mean!, offset);
      const factor = emitFactor(e, attributes, variance!, gamma, offset);
      const shift = beta && load(e, beta, offset);
      eachPosition((place) => {
        const value = e.v128(f32x4.mul(f32x4.sub(load(e, x!, place), middle), factor));
        if (shift) local.set(value, f32x4.add(value, shift));
        finishSums([[value]], undefined, attributes.relu ?? false);
        e.storeLanes(place, y!.address, value, lanes);
      });
    });
  },
};

function batchNormGradients(
  graph: GraphBuilder,
  { attributes: { relu, ...attributes }, inputs, outputs: [y] }: Node<BatchNormAttributes>,
  [dOutput]: readonly Tensor[],
): (Tensor | undefined)[] {
  const [x, mean, variance, ...rest] = inputs as [Tensor, Tensor, Tensor, ...Tensor[]];
  const { gamma } = partsOf(attributes, rest);
  const dy = relu ? graph.apply(reluGradient, {}, y!, dOutput!) : dOutput!;
  const [dGamma, dBeta] = graph.applyAll(batchNormSums, attributes, x, mean, variance, dy);
  const more = [...(gamma ? [gamma] : []), ...(attributes.ofBatch ? [dGamma!, dBeta!] : [])];
  const dx = graph.apply(batchNormInputGradient, attributes, x, mean, variance, dy, ...more);
  return [dx, undefined, undefined, ...(gamma ? [dGamma] : []), ...(attributes.center ? [dBeta] : [])];
}

/** x, mean, variance, dy → Σ dy (x - mean) / √(variance + ε) and Σ dy of each channel: the gradients of gamma and beta. */
export const batchNormSums: Op<Pick<BatchNormAttributes, "epsilon">> = {
  name: "batchNormSums",
  infer: (_, [x]) => [perChannel(x!), perChannel(x!)],
  reference({ epsilon }, [x, mean, variance, dy], [dGamma, dBeta], batch) {
    const channels = mean!.data.length;
    for (let c = 0; c < channels; c++) {
      let products = 0;
      let sum = 0;
      for (let i = c; i < batch * elementsOf(x!.shape); i += channels) {
        products += dy!.data[i]! * (x!.data[i]! - mean!.data[c]!);
        sum += dy!.data[i]!;
      }
      dGamma!.data[c] = products / Math.sqrt(variance!.data[c]! + epsilon);
      dBeta!.data[c] = sum;
    }
  },
  emit(e, { epsilon }, [x, mean, variance, dy], [dGamma, dBeta]) {
    const channels = mean!.shape[0]!;
    const positions = elementsOf(x!.shape) / channels;
    eachPanel(e, channels, (offset, columns) => {
      const means = Array.from({ length: Math.ceil(columns / 4) }, (_, v) => load(e, mean!, offset, v * 16));
      const [products, sums] = sumOverBatch(e, { channels, positions, columns }, offset, 2, ([own, plain], place) => {
        for (const [v, sum] of plain!.entries()) {
          const gradient = load(e, dy!, place, v * 16);
          const difference = e.v128(f32x4.sub(load(e, x!, place, v * 16), means[v]!));
          local.set(own![v]!, f32x4.add(own![v]!, f32x4.mul(gradient, difference)));
          local.set(sum, f32x4.add(sum, gradient));
        }
      }) as [V128[], V128[]];
      for (const [v, product] of products.entries()) {
        local.set(product, f32x4.mul(product, emitInverse(e, epsilon, load(e, variance!, offset, v * 16))));
      }
      storeSums(e, [products], e.i32(i32.add(offset, dGamma!.address)), [0], columns);
      storeSums(e, [sums], e.i32(i32.add(offset, dBeta!.address)), [0], columns);
    });
  },
};

/**
 * x, mean, variance, dy and, where there are, gamma, dGamma, dBeta → dx. Where the moments are the batch's, of n values a
 * channel: gamma / √(variance + ε) · (dy - dBeta / n - x̂ dGamma / n), with x̂ the normalized x.
 */
export const batchNormInputGradient: Op<BatchNormAttributes> = {
  name: "batchNormInputGradient",
  infer: (_, [x]) => [likeInput(x!)],
  reference(attributes, [x, mean, variance, dy, ...rest], [dx], batch) {
    const { gamma, dGamma, dBeta } = gradientParts(attributes, rest);
    const channels = mean!.data.length;
    const count = (batch * elementsOf(x!.shape)) / channels;
    for (let i = 0; i < count * channels; i++) {
      const c = i % channels;
      const inverse = 1 / Math.sqrt(variance!.data[c]! + attributes.epsilon);
      const normalized = (x!.data[i]! - mean!.data[c]!) * inverse;
      const through = dGamma ? (dBeta!.data[c]! + normalized * dGamma.data[c]!) / count : 0;
      dx!.data[i] = (gamma?.data[c] ?? 1) * inverse * (dy!.data[i]! - through);
    }
  },
  emit(e, attributes, [x, mean, variance, dy, ...rest], [dx]) {
    const { gamma, dGamma, dBeta } = gradientParts(attributes, rest);
    const channels = mean!.shape[0]!;
    const positions = elementsOf(x!.shape) / channels;
    const count = e.v128(f32x4.splat(f32.convert_i32_u(i32.mul(e.batch, positions))));
    eachChannelOfSample(e, x!, (offset, lanes, eachPosition) => {
      const factor = emitFactor(e, attributes, variance!, gamma, offset);
      if (!dGamma || !dBeta) {
        return eachPosition((place) => {
          e.storeLanes(place, dx!.address, e.v128(f32x4.mul(load(e, dy!, place), factor)), lanes);
        });
      }
      const middle = load(e, mean!, offset);
      const inverse = emitInverse(e, attributes.epsilon, load(e, variance!, offset));
      const slope = e.v128(f32x4.div(f32x4.mul(load(e, dGamma, offset), inverse), count));
      const shift = e.v128(f32x4.div(load(e, dBeta, offset), count));
      eachPosition((place) => {
        const gradient = load(e, dy!, place);
        const centered = e.v128(f32x4.sub(load(e, x!, place), middle));
        const through = e.v128(f32x4.add(f32x4.mul(centered, slope), shift));
        const difference = e.v128(f32x4.sub(gradient, through));
        e.storeLanes(place, dx!.address, e.v128(f32x4.mul(difference, factor)), lanes);
      });
    });
  },
};

/** moving (n), value (n): moving becomes moving · momentum + value · (1 - momentum), in place. */
export const movingAverage: Op<{ readonly momentum: number }> = {
  name: "movingAverage",
  infer: () => [],
  changes: () => [0],
  reference({ momentum }, [moving, value]) {
    moving!.data.forEach((old, i) => {
      moving!.data[i] = old * momentum + value!.data[i]! * (1 - momentum);
    });
  },
  emit(e, { momentum }, [moving, value]) {
    const { from, to } = e.share(Math.ceil(elementsOf(moving!.shape) / 4));
    const end = e.i32(i32.mul(to, 16));
    const offset = e.i32();
    e.for(offset, i32.mul(from, 16), end, 16, () => {
      const kept = e.v128(f32x4.mul(load(e, moving!, offset), f32x4.splat(momentum)));
      const added = e.v128(f32x4.mul(load(e, value!, offset), f32x4.splat(1 - momentum)));
      // The last vector may reach into the padding behind the weight.
      v128.store({ offset: moving!.address }, offset, f32x4.add(kept, added));
    });
  },
};

/** The inputs behind the moments, by what they are. */
function partsOf<Input>({ scale, center }: BatchNormAttributes, rest: readonly Input[]) {
  return { gamma: scale ? rest[0] : undefined, beta: center ? rest[Number(scale)] : undefined };
}

/** The inputs behind dy, by what they are. */
function gradientParts<Input>({ scale, ofBatch }: BatchNormAttributes, rest: readonly Input[]) {
  const [dGamma, dBeta] = ofBatch ? rest.slice(Number(scale)) : [];
  return { gamma: scale ? rest[0] : undefined, dGamma, dBeta };
}

function load(e: Emitter, { address }: Operand, place: I32, more = 0): V128 {
  return e.v128(v128.load({ offset: address + more, align: 4 }, place));
}

/** 1 / √(variance + ε). */
function emitInverse(e: Emitter, epsilon: number, variance: V128): V128 {
  const root = e.v128(f32x4.sqrt(f32x4.add(variance, f32x4.splat(epsilon))));
  return e.v128(f32x4.div(f32x4.splat(1), root));
}

/** gamma / √(variance + ε) of the channels at `offset`. */
function emitFactor(
  e: Emitter,
  { epsilon }: BatchNormAttributes,
  variance: Operand,
  gamma: Operand | undefined,
  offset: I32,
): V128 {
  const inverse = emitInverse(e, epsilon, load(e, variance, offset));
  return gamma ? e.v128(f32x4.mul(inverse, load(e, gamma, offset))) : inverse;
}

interface PanelWalk {
  readonly channels: number;
  /** Of one sample. */
  readonly positions: number;
  readonly columns: number;
}

/**
 * Sums of a panel's channels, `runs` of them side by side, over all positions of the batch. `add` adds those of the
 * position at byte `place` in the batch. A sum a sample, then their sum: rounding errors grow with the root of the longer
 * run only.
 */
function sumOverBatch(
  e: Emitter,
  { channels, positions, columns }: PanelWalk,
  offset: I32,
  runs: number,
  add: (sums: readonly V128[][], place: I32) => void,
): V128[][] {
  const totals = takeSums(e, runs, columns) as V128[][];
  const sums = takeSums(e, runs, columns) as V128[][];
  clearSums(totals);
  const place = e.i32(offset);
  e.for(e.i32(), 0, e.batch, 1, () => {
    clearSums(sums);
    e.for(e.i32(), 0, positions, 1, () => {
      e.scope(() => add(sums, place));
      local.set(place, i32.add(place, channels * 4));
    });
    for (const [r, row] of totals.entries()) {
      for (const [v, total] of row.entries()) local.set(total, f32x4.add(total, sums[r]![v]!));
    }
  });
  return totals;
}

/**
 * Runs `body` for each four channels of each of this thread's samples, with their byte offset among the channels and how
 * many there are; it walks through the sample's positions by `eachPosition`, which gives the byte offset in the batch.
 */
function eachChannelOfSample(
  e: Emitter,
  x: Operand,
  body: (offset: I32, lanes: number, eachPosition: (visit: (place: I32) => void) => void) => void,
): void {
  const channels = x.shape.at(-1)!;
  const size = elementsOf(x.shape);
  const rest = channels % 4;
  const { from, to } = e.samples();
  const sample = e.i32();
  const offset = e.i32();
  const place = e.i32();
  const channelsAt = (lanes: number) => {
    e.scope(() => {
      body(offset, lanes, (visit) => {
        local.set(place, i32.add(i32.mul(sample, size * 4), offset));
        e.for(e.i32(), 0, size / channels, 1, () => {
          e.scope(() => visit(place));
          local.set(place, i32.add(place, channels * 4));
        });
      });
    });
  };
  e.for(sample, from, to, 1, () => {
    e.for(offset, 0, (channels - rest) * 4, 16, () => channelsAt(4));
    if (rest) channelsAt(rest);
  });
}
