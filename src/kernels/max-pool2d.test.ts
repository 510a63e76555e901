import fc from "fast-check";
import { expect, test } from "vitest";
import { poolings } from "../../test/helpers/geometries.ts";
import { expectMatchesReference, randomInput, runKernel } from "../../test/helpers/kernels.ts";
import { maxPool2d, maxPool2dGradient } from "./max-pool2d.ts";

test("maxPool2d and its gradient match their references, the first of equals winning", () => {
  fc.assert(
    fc.property(poolings(37), ({ batch, image, poolSize, strides, padding, output, seed }) => {
      const attributes = { poolSize, strides, padding };
      // Half of the values equal: ties in most windows.
      const x = randomInput(image, batch, seed, 0.5);
      const dy = randomInput([...output, image[2]], batch, seed + 1);
      expectMatchesReference({ op: maxPool2d, attributes, inputs: [x], batch });
      expectMatchesReference({ op: maxPool2dGradient, attributes, inputs: [x, dy], batch });
    }),
    { numRuns: 50 },
  );
});

test("a NaN that is the first of a window stays and takes the gradient; others leave it to the largest of the rest", () => {
  const attributes = { poolSize: [2, 2], strides: [2, 2], padding: [0, 0, 0, 0] } as const;
  const pooled = (position: number) => {
    const values = [1, 2, 4, 3].map((value, i) => (i === position ? Number.NaN : value));
    const x = { shape: [2, 2, 1], batched: true, data: values };
    const dy = { shape: [1, 1, 1], batched: true, data: [1] };
    const [y] = runKernel({ op: maxPool2d, attributes, inputs: [x], batch: 1 }).outputs;
    const [dx] = runKernel({ op: maxPool2dGradient, attributes, inputs: [x, dy], batch: 1 }).outputs;
    return [y![0], ...dx!];
  };
  expect([0, 1, 2, 3].map(pooled)).toEqual([
    [Number.NaN, 1, 0, 0, 0],
    [4, 0, 0, 1, 0],
    [3, 0, 0, 0, 1],
    [4, 0, 0, 1, 0],
  ]);
});

test("of a window that is minus infinity alone the first pixel takes the gradient", () => {
  const attributes = { poolSize: [1, 2], strides: [1, 2], padding: [0, 0, 0, 0] } as const;
  const x = { shape: [1, 2, 1], batched: true, data: Array(2).fill(Number.NEGATIVE_INFINITY) };
  const dy = { shape: [1, 1, 1], batched: true, data: [3] };
  expect(runKernel({ op: maxPool2dGradient, attributes, inputs: [x, dy], batch: 1 }).outputs).toEqual([
    new Float32Array([3, 0]),
  ]);
});
