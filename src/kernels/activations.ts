/**
 * Elementwise functions and their gradients, four elements at a time: one table of formulas. A gradient is computed from
 * the function's output where that is enough, so that the input need not be kept. Names and definitions are Keras's:
 * https://keras.io/api/layers/activations/
 */
import { f32x4, type Input, i32, local, v128 } from "wasmati";
import type { Emitter, I32, V128 } from "../wasm/emitter.ts";
import { type Arithmetic, numbers, vectors } from "./arithmetic.ts";
import { elementsOf, type Node, type Op } from "./op.ts";

type Expression = Input<"v128">;

/** y = f(x), and dx = f'(x) dy from either x or y. */
interface Definition<Parameters> {
  value<V>(m: Arithmetic<V>, x: V, parameters: Parameters): V;
  /** What the slope is computed from. */
  readonly from: "input" | "output";
  slope<V>(m: Arithmetic<V>, from: V, dy: V, parameters: Parameters): V;
}

/**
 * Runs `body` for each vector of this thread's share of the batch's samples, with the byte offset of the vector. The
 * last vector may reach past the batch, but not out of the memory that is set aside for the tensor.
 */
export function eachVector(e: Emitter, size: number, body: (offset: I32) => void): void {
  const { from, to } = e.share(e.i32(i32.shr_u(i32.add(i32.mul(e.batch, size), 3), 2)));
  const end = e.i32(i32.mul(to, 16));
  const offset = e.i32();
  e.for(offset, i32.mul(from, 16), end, 16, () => body(offset));
}

/** ReLU's gradient on a vector, in place: zero where the ReLU's output was not positive. */
export function keepPositive(gradient: V128, output: Expression): void {
  local.set(gradient, v128.and(gradient, f32x4.gt(output, f32x4.splat(0))));
}

function define<Parameters>(
  name: string,
  { value, from, slope }: Definition<Parameters>,
): { value: Op<Parameters>; gradient: Op<Parameters> } {
  const gradient: Op<Parameters> = {
    name: `${name}Gradient`,
    infer: (_, [known]) => [{ shape: known!.shape, batched: true, dtype: "float32" }],
    reference(parameters, [known, dy], [dx], batch) {
      const count = batch * elementsOf(known!.shape);
      for (let i = 0; i < count; i++) dx!.data[i] = slope(numbers, known!.data[i]!, dy!.data[i]!, parameters);
    },
    emit(e, parameters, [known, dy], [dx]) {
      eachVector(e, elementsOf(known!.shape), (offset) => {
        const point = e.v128(v128.load({ offset: known!.address }, offset));
        const incoming = e.v128(v128.load({ offset: dy!.address }, offset));
        v128.store({ offset: dx!.address }, offset, slope(vectors(e), point, incoming, parameters));
      });
    },
  };
  const op: Op<Parameters> = {
    name,
    infer: (_, [x]) => [{ shape: x!.shape, batched: true, dtype: "float32" }],
    reference(parameters, [x], [y], batch) {
      const count = batch * elementsOf(x!.shape);
      for (let i = 0; i < count; i++) y!.data[i] = value(numbers, x!.data[i]!, parameters);
    },
    gradient: (graph, { attributes, inputs: [x], outputs: [y] }, [dy]) => [
      graph.apply(gradient, attributes, from === "input" ? x! : y!, dy!),
    ],
    emit(e, parameters, [x], [y]) {
      eachVector(e, elementsOf(x!.shape), (offset) => {
        const input = e.v128(v128.load({ offset: x!.address }, offset));
        v128.store({ offset: y!.address }, offset, value(vectors(e), input, parameters));
      });
    },
  };
  return { value: op, gradient };
}

/** max(x, 0); a NaN stays one. Its gradient at 0 is 0, as in TensorFlow. */
export const { value: relu, gradient: reluGradient } = define<object>("relu", {
  value: (m, x) => m.max(x, m.constant(0)),
  from: "output",
  slope: (m, y, dy) => m.whereGreater(y, m.constant(0), dy, m.constant(0)),
});

export interface BoundedReluAttributes {
  readonly negativeSlope: number;
  readonly threshold: number;
  /** May be infinite. */
  readonly maxValue: number;
}

/** min(x, maxValue) above the threshold, negativeSlope (x - threshold) below. */
export const { value: boundedRelu } = define<BoundedReluAttributes>("boundedRelu", {
  value(m, x, { negativeSlope, threshold, maxValue }) {
    const above = maxValue === Number.POSITIVE_INFINITY ? x : m.min(x, m.constant(maxValue));
    const below =
      negativeSlope === 0 ? m.constant(0) : m.mul(m.sub(x, m.constant(threshold)), m.constant(negativeSlope));
    return m.whereGreater(x, m.constant(threshold), above, below);
  },
  from: "input",
  slope(m, x, dy, { negativeSlope, threshold, maxValue }) {
    const above = m.whereGreater(m.constant(maxValue), x, dy, m.constant(0));
    const below = negativeSlope === 0 ? m.constant(0) : m.mul(dy, m.constant(negativeSlope));
    return m.whereGreater(x, m.constant(threshold), above, below);
  },
});

/** scale x + offset. */
export const { value: rescale } = define<{ readonly scale: number; readonly offset: number }>("rescale", {
  value: (m, x, { scale, offset }) => m.add(m.mul(x, m.constant(scale)), m.constant(offset)),
  from: "output",
  slope: (m, _, dy, { scale }) => m.mul(dy, m.constant(scale)),
});

/** Of Klambauer et al. 2017 (https://arxiv.org/abs/1706.02515). */
const SELU = { scale: 1.0507009873554805, alpha: 1.6732632423543772 };

/** The half width of what `hardShrink` and `softShrink` make 0. */
const SHRINK = 0.5;

/** `inside` where low < x < high, else 0. */
function within<V>(m: Arithmetic<V>, x: V, [low, high]: readonly [number, number], inside: V): V {
  const below = m.whereGreater(m.constant(high), x, inside, m.constant(0));
  return m.whereGreater(x, m.constant(low), below, m.constant(0));
}

function clamp<V>(m: Arithmetic<V>, x: V, low: number, high: number): V {
  return m.min(m.max(x, m.constant(low)), m.constant(high));
}

/** ln(1 + exp(x)) = max(x, 0) + ln(1 + exp(-|x|)). */
const softplus = <V>(m: Arithmetic<V>, x: V) => m.add(m.max(x, m.constant(0)), m.log1p(m.exp(m.neg(m.abs(x)))));

/** (x + 3) / 6 between 0 and 1. */
const hardSigmoid = <V>(m: Arithmetic<V>, x: V) => m.div(clamp(m, m.add(x, m.constant(3)), 0, 6), m.constant(6));

/** Share of a standard normal distribution below x. */
const normalBelow = <V>(m: Arithmetic<V>, x: V) =>
  m.mul(m.add(m.erf(m.mul(x, m.constant(Math.SQRT1_2))), m.constant(1)), m.constant(0.5));

const squareRoot = <V>(m: Arithmetic<V>, x: V) => m.sqrt(m.add(m.mul(x, x), m.constant(4)));

/** (x + √(x² + 4)) / 2; below 0 as 2 / (√(x² + 4) - x), which does not cancel. */
function squareplus<V>(m: Arithmetic<V>, x: V): V {
  const sum = m.add(m.abs(x), squareRoot(m, x));
  return m.whereGreater(x, m.constant(0), m.mul(sum, m.constant(0.5)), m.div(m.constant(2), sum));
}

const definitions = {
  sigmoid: {
    value: (m, x) => m.sigmoid(x),
    from: "output",
    slope: (m, y, dy) => m.mul(m.mul(dy, y), m.sub(m.constant(1), y)),
  },
  tanh: {
    value: (m, x) => m.tanh(x),
    from: "output",
    slope: (m, y, dy) => m.mul(dy, m.sub(m.constant(1), m.mul(y, y))),
  },
  exponential: { value: (m, x) => m.exp(x), from: "output", slope: (m, y, dy) => m.mul(dy, y) },
  softplus: {
    value: softplus,
    from: "input",
    slope: (m, x, dy) => m.mul(dy, m.sigmoid(x)),
  },
  logSigmoid: {
    value: (m, x) => m.neg(softplus(m, m.neg(x))),
    from: "input",
    slope: (m, x, dy) => m.mul(dy, m.sigmoid(m.neg(x))),
  },
  softsign: {
    value: (m, x) => m.div(x, m.add(m.abs(x), m.constant(1))),
    from: "input",
    slope(m, x, dy) {
      const size = m.add(m.abs(x), m.constant(1));
      return m.div(dy, m.mul(size, size));
    },
  },
  /** exp(x) - 1 below 0. */
  elu: {
    value: (m, x) => m.whereGreater(x, m.constant(0), x, m.expm1(x)),
    from: "output",
    slope: (m, y, dy) => m.whereGreater(y, m.constant(0), dy, m.mul(dy, m.add(y, m.constant(1)))),
  },
  selu: {
    value(m, x) {
      const below = m.mul(m.expm1(x), m.constant(SELU.scale * SELU.alpha));
      return m.whereGreater(x, m.constant(0), m.mul(x, m.constant(SELU.scale)), below);
    },
    from: "output",
    slope(m, y, dy) {
      const below = m.mul(dy, m.add(y, m.constant(SELU.scale * SELU.alpha)));
      return m.whereGreater(y, m.constant(0), m.mul(dy, m.constant(SELU.scale)), below);
    },
  },
  /** x times the share of a standard normal distribution below x. */
  gelu: {
    value: (m, x) => m.mul(x, normalBelow(m, x)),
    from: "input",
    slope(m, x, dy) {
      const density = m.mul(m.exp(m.mul(m.mul(x, x), m.constant(-0.5))), m.constant(1 / Math.sqrt(2 * Math.PI)));
      return m.mul(dy, m.add(normalBelow(m, x), m.mul(x, density)));
    },
  },
  /** x sigmoid(x). */
  silu: {
    value: (m, x) => m.mul(x, m.sigmoid(x)),
    from: "input",
    slope(m, x, dy) {
      const s = m.sigmoid(x);
      return m.mul(m.mul(dy, s), m.add(m.mul(x, m.sub(m.constant(1), s)), m.constant(1)));
    },
  },
  /** x tanh(softplus(x)), where tanh(softplus(x)) = w / (w + 2) with w = exp(x) (exp(x) + 2). */
  mish: {
    value(m, x) {
      const exponential = m.exp(m.min(x, m.constant(20)));
      const w = m.mul(exponential, m.add(exponential, m.constant(2)));
      return m.mul(x, m.div(w, m.add(w, m.constant(2))));
    },
    from: "input",
    slope(m, x, dy) {
      const exponential = m.exp(m.min(x, m.constant(20)));
      const w = m.mul(exponential, m.add(exponential, m.constant(2)));
      const base = m.add(w, m.constant(2));
      // tanh' = 1 - tanh² = 4 (w + 1) / (w + 2)², softplus' = sigmoid.
      const change = m.mul(m.div(m.div(m.mul(m.add(w, m.constant(1)), m.constant(4)), base), base), m.sigmoid(x));
      return m.mul(dy, m.add(m.div(w, base), m.mul(x, change)));
    },
  },
  hardSigmoid: {
    value: hardSigmoid,
    from: "output",
    slope: (m, y, dy) => within(m, y, [0, 1], m.div(dy, m.constant(6))),
  },
  /** x hardSigmoid(x). */
  hardSilu: {
    value: (m, x) => m.mul(x, hardSigmoid(m, x)),
    from: "input",
    slope: (m, x, dy) => m.mul(dy, m.add(hardSigmoid(m, x), within(m, x, [-3, 3], m.div(x, m.constant(6))))),
  },
  hardTanh: {
    value: (m, x) => clamp(m, x, -1, 1),
    from: "output",
    slope: (m, y, dy) => within(m, y, [-1, 1], dy),
  },
  /** 0 between -0.5 and 0.5, else x. */
  hardShrink: {
    value: (m, x) => m.whereGreater(m.abs(x), m.constant(SHRINK), x, m.constant(0)),
    from: "output",
    slope: (m, y, dy) => m.whereGreater(m.abs(y), m.constant(0), dy, m.constant(0)),
  },
  /** 0 between -0.5 and 0.5, beyond nearer to 0 by so much. */
  softShrink: {
    value: (m, x) => m.sub(x, clamp(m, x, -SHRINK, SHRINK)),
    from: "output",
    slope: (m, y, dy) => m.whereGreater(m.abs(y), m.constant(0), dy, m.constant(0)),
  },
  tanhShrink: {
    value: (m, x) => m.sub(x, m.tanh(x)),
    from: "input",
    slope(m, x, dy) {
      const t = m.tanh(x);
      return m.mul(dy, m.mul(t, t));
    },
  },
  squareplus: {
    value: squareplus,
    from: "input",
    slope: (m, x, dy) => m.mul(dy, m.div(squareplus(m, x), squareRoot(m, x))),
  },
  /** (x + 1)² / 4 between -1 and 1; 0 before, x behind. */
  sparsePlus: {
    value(m, x) {
      const shifted = m.add(clamp(m, x, -1, 1), m.constant(1));
      return m.whereGreater(x, m.constant(1), x, m.mul(m.mul(shifted, shifted), m.constant(0.25)));
    },
    from: "input",
    slope: (m, x, dy) => m.mul(dy, m.mul(m.add(clamp(m, x, -1, 1), m.constant(1)), m.constant(0.5))),
  },
  /** (x + 1) / 2 between 0 and 1. */
  sparseSigmoid: {
    value: (m, x) => clamp(m, m.mul(m.add(x, m.constant(1)), m.constant(0.5)), 0, 1),
    from: "output",
    slope: (m, y, dy) => within(m, y, [0, 1], m.mul(dy, m.constant(0.5))),
  },
} satisfies Record<string, Definition<object>>;

type ElementwiseName = keyof typeof definitions;

/** The functions of the table, each an op, by their names. */
export const elementwise = Object.fromEntries(
  Object.entries(definitions).map(([name, definition]) => [name, define<object>(name, definition).value]),
) as Record<ElementwiseName, Op<object>>;

/** Those of the table that fall somewhere. */
const FALLING: readonly ElementwiseName[] = ["gelu", "silu", "mish", "hardSilu"];

const rising = new Set<Op<object>>(
  Object.entries(elementwise).flatMap(([name, op]) => (FALLING.includes(name as ElementwiseName) ? [] : [op])),
);

/** Whether a function of one element never falls, so that it takes the largest of some elements to the largest of its values. */
export function neverFalls({ op, attributes }: Pick<Node, "op" | "attributes">): boolean {
  if (rising.has(op as Op<object>)) return true;
  return op === (boundedRelu as Op<unknown>) && isRising(attributes as BoundedReluAttributes);
}

/** A slope may not be negative; and behind a threshold below 0 the function begins below where it was. */
const isRising = ({ negativeSlope, threshold, maxValue }: BoundedReluAttributes) =>
  negativeSlope >= 0 && threshold >= 0 && maxValue >= threshold;
