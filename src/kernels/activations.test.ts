import fc from "fast-check";
import { expect, test } from "vitest";
import { v128 } from "wasmati";
import { expectMatchesReference, type Input, randomInput, runKernel, sizes } from "../../test/helpers/kernels.ts";
import { batchTensor, Graph } from "../compiler/graph.ts";
import { boundedRelu, eachVector, elementwise, neverFalls, relu, rescale } from "./activations.ts";
import { numbers } from "./arithmetic.ts";
import { biasAdd } from "./bias-add.ts";
import { channelSum } from "./channel-sum.ts";
import { emitErf, emitExp, emitExpm1, emitLog1p, emitSigmoid, emitTanh } from "./exponential.ts";
import type { Node, Op } from "./op.ts";
import { logSoftmax, logSoftmaxGradient, softmax, softmaxGradient } from "./softmax.ts";

const scaled = (input: Input, factor: number): Input => ({ ...input, data: Array.from(input.data, (x) => x * factor) });

/** The gradient that an elementwise op appends. */
function gradientOf<Attributes>(op: Op<Attributes>, attributes: Attributes): Op<Attributes> {
  const graph = new Graph();
  const x = batchTensor("x", [1]);
  const y = graph.apply(op, attributes, x);
  op.gradient!(graph, graph.producer(y) as Node<Attributes>, [batchTensor("dy", [1])], [true]);
  return graph.nodes.at(-1)!.op as Op<Attributes>;
}

/** Values and gradients against the reference, over values of a scale from tiny to so large that they saturate. */
function expectElementwise<Attributes>(op: Op<Attributes>, attributes: Attributes): void {
  const gradient = gradientOf(op, attributes);
  fc.assert(
    fc.property(
      sizes(5),
      sizes(23),
      fc.double({ min: -6, max: 6, noNaN: true }),
      fc.nat(),
      (batch, size, exponent, seed) => {
        const x = scaled(randomInput([size], batch, seed), 2 ** exponent);
        expectMatchesReference({ op, attributes, inputs: [x], batch }, 1e-6);
        const dy = randomInput([size], batch, seed + 1);
        expectMatchesReference({ op: gradient, attributes, inputs: [x, dy], batch }, 2e-6);
      },
    ),
    { numRuns: 12 },
  );
}

test.each(Object.values({ ...elementwise, relu }))("$name and its gradient match their references", (op) => {
  expectElementwise(op, {});
});

test("ops with parameters match their references", () => {
  expectElementwise(boundedRelu, { negativeSlope: 0.3, threshold: 0.5, maxValue: 2 });
  expectElementwise(boundedRelu, { negativeSlope: 0, threshold: 0, maxValue: 6 });
  expectElementwise(boundedRelu, { negativeSlope: 0.2, threshold: 0, maxValue: Number.POSITIVE_INFINITY });
  expectElementwise(rescale, { scale: 1 / 127.5, offset: -1 });
});

/** Whether the values of a function of one element fall anywhere between -9 and 9. */
function falls<Attributes>(op: Op<Attributes>, attributes: Attributes): boolean {
  const points = Float32Array.from({ length: 3601 }, (_, i) => (i - 1800) / 200);
  const [y] = runKernel({ op, attributes, inputs: [{ shape: [points.length], batched: true, data: points }], batch: 1 })
    .outputs as [Float32Array];
  return y.some((value, i) => i > 0 && y[i - 1]! - value > 1e-6);
}

test.each(Object.values({ ...elementwise }))("$name: whether it falls is known", (op) => {
  expect(neverFalls({ op: op as Op<unknown>, attributes: {} })).toBe(!falls(op, {}));
});

test("whether ReLUs with parameters fall is known", () => {
  const parameters = fc.record({
    negativeSlope: fc.constantFrom(-0.5, 0, 0.3, 2),
    threshold: fc.constantFrom(-1, 0, 1.5),
    maxValue: fc.constantFrom(-2, 0.5, 6, Number.POSITIVE_INFINITY),
  });
  fc.assert(
    fc.property(parameters, (attributes) => {
      if (neverFalls({ op: boundedRelu as Op<unknown>, attributes }))
        expect(falls(boundedRelu, attributes)).toBe(false);
    }),
  );
  for (const negativeSlope of [0, 0.3]) {
    for (const maxValue of [6, Number.POSITIVE_INFINITY]) {
      const attributes = { negativeSlope, threshold: 0, maxValue };
      expect(neverFalls({ op: boundedRelu as Op<unknown>, attributes })).toBe(true);
    }
  }
});

test.each([softmax, logSoftmax])("$name matches its reference", (op) => {
  fc.assert(
    fc.property(
      sizes(9),
      sizes(23),
      fc.double({ min: 0.01, max: 30, noNaN: true }),
      fc.nat(),
      (batch, size, scale, seed) => {
        const inputs = [scaled(randomInput([size], batch, seed), scale)];
        expectMatchesReference({ op, attributes: {}, inputs, batch }, 4e-7);
      },
    ),
    { numRuns: 25 },
  );
});

test.each([softmaxGradient, logSoftmaxGradient])("$name matches its reference", (op) => {
  fc.assert(
    fc.property(sizes(9), sizes(23), fc.nat(), (batch, size, seed) => {
      const inputs = [randomInput([size], batch, seed), randomInput([size], batch, seed + 1)];
      expectMatchesReference({ op, attributes: {}, inputs, batch }, 4e-6);
    }),
    { numRuns: 25 },
  );
});

test.each([
  ["exp", emitExp, numbers.exp, -87, 88, 2e-7],
  ["exp(x) - 1", emitExpm1, numbers.expm1, -20, 88, 3e-7],
  ["ln(1 + x)", emitLog1p, numbers.log1p, 0, 1, 3e-7],
  ["erf", emitErf, numbers.erf, -6, 6, 4e-7],
  ["tanh", emitTanh, numbers.tanh, -12, 12, 2e-7],
  ["sigmoid", emitSigmoid, numbers.sigmoid, -80, 20, 2e-7],
] as const)("%s has the relative error that is stated", (name, emit, exact, from, to, bound) => {
  // Evenly over the range, and nearer and nearer to 0.
  const even = Array.from({ length: 20_000 }, (_, i) => Math.fround(from + ((to - from) * i) / 20_000));
  const small = Array.from({ length: 4_000 }, (_, i) => Math.fround((i % 2 && from < 0 ? -1 : 1) * 2 ** (-i / 160)));
  const data = [...even, ...small];
  const op: Op<object> = {
    name,
    infer: (_, [x]) => [{ ...x! }],
    reference: () => {},
    emit(e, _, [x], [y]) {
      eachVector(e, data.length, (offset) => {
        const value = e.v128(emit(e, e.v128(v128.load({ offset: x!.address }, offset))));
        v128.store({ offset: y!.address }, offset, value);
      });
    },
  };
  const found = one(op, data);
  const worst = data.reduce((most, x, i) => {
    const expected = exact(x);
    return Math.max(most, expected === 0 ? Math.abs(found[i]!) : Math.abs(found[i]! / expected - 1));
  }, 0);
  expect(worst).toBeLessThan(bound);
  expect(worst).toBeGreaterThan(1e-8);
});

const one = (op: Op<object>, data: number[]) =>
  Array.from(
    runKernel({ op, attributes: {}, inputs: [{ shape: [data.length], batched: true, data }], batch: 1 }).outputs[0]!,
  );

test("activations keep a NaN and stand extremes", () => {
  expect(one(relu, [Number.NaN, -1, 2])).toEqual([Number.NaN, 0, 2]);
  expect(one(elementwise.sigmoid, [-1000, 0, 1000])).toEqual([expect.closeTo(0, 30), 0.5, 1]);
  expect(one(elementwise.tanh, [-1000, -0.25, 1000])).toEqual([-1, expect.closeTo(Math.tanh(-0.25), 7), 1]);
  expect(one(softmax, [1000, 0])).toEqual([1, expect.closeTo(0, 30)]);
});

test("biasAdd and channelSum match their references", () => {
  fc.assert(
    fc.property(sizes(5), sizes(4), sizes(4), sizes(19), fc.nat(), (batch, height, width, channels, seed) => {
      const image = randomInput([height, width, channels], batch, seed);
      const bias = randomInput([channels], null, seed + 1);
      expectMatchesReference({ op: biasAdd, attributes: {}, inputs: [image, bias], batch });
      expectMatchesReference({ op: channelSum, attributes: {}, inputs: [image], batch });
    }),
    { numRuns: 25 },
  );
});
