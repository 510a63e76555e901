import fc from "fast-check";
import { expect, test } from "vitest";
import { expectMatchesReference, type Input, randomInput, runReference, sizes } from "../../test/helpers/kernels.ts";
import { affineWarp, affineWarpGradient, FILL_MODES, INTERPOLATIONS } from "./affine-warp.ts";

/** Maps that turn, stretch and move by up to twice the image's size; some to pixels exactly, or between two. */
function mapsOf(batch: number, shape: readonly number[], seed: number): Input {
  const random = randomInput([6], batch, seed, 0.1);
  const data = Float32Array.from(random.data, (value, i) => {
    const number = i % 6;
    const scaled = number < 4 ? 2 * value : 2 * value * shape[number === 4 ? 1 : 0]!;
    return Math.floor(i / 6) % 2 ? scaled : Math.round(2 * scaled) / 2;
  });
  return { ...random, data };
}

const cases = fc.record({
  batch: sizes(4),
  shape: fc.tuple(sizes(7), sizes(7), sizes(9)),
  fillMode: fc.constantFrom(...FILL_MODES),
  interpolation: fc.constantFrom(...INTERPOLATIONS),
  fillValue: fc.constantFrom(0, -1.5),
  seed: fc.nat(1e6),
});

test("affineWarp and its gradient match their references", () => {
  fc.assert(
    fc.property(cases, ({ batch, shape, seed, ...attributes }) => {
      const maps = mapsOf(batch, shape, seed);
      const image = randomInput(shape, batch, seed + 1);
      expectMatchesReference({ op: affineWarp, attributes, inputs: [image, maps], batch });
      expectMatchesReference({ op: affineWarpGradient, attributes, inputs: [maps, image], batch });
    }),
    { numRuns: 50 },
  );
});

test.each(FILL_MODES)("the gradient is the transpose of the map, filled as %s", (fillMode) => {
  // For a map that is linear in the image (a fill value of 0): dy · warp(x) = gradient(dy) · x.
  const shape = [5, 4, 2];
  const maps = mapsOf(3, shape, 7);
  for (const interpolation of INTERPOLATIONS) {
    const attributes = { fillMode, interpolation, fillValue: 0 };
    const [x, dy] = [randomInput(shape, 3, 1), randomInput(shape, 3, 2)];
    const y = runReference({ op: affineWarp, attributes, inputs: [x, maps], batch: 3 }).outputs[0]!;
    const dx = runReference({ op: affineWarpGradient, attributes, inputs: [maps, dy], batch: 3 }).outputs[0]!;
    const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => Array.from(a).reduce((sum, v, i) => sum + v * b[i]!, 0);
    expect(dot(y, y)).toBeGreaterThan(1);
    expect(dot(dy.data, y)).toBeCloseTo(dot(dx, x.data), 4);
  }
});

test("a map that changes nothing gives the image back", () => {
  const maps: Input = { shape: [6], batched: true, data: [1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0] };
  const image = randomInput([5, 3, 2], 2, 3);
  for (const fillMode of FILL_MODES) {
    for (const interpolation of INTERPOLATIONS) {
      const attributes = { fillMode, interpolation, fillValue: 9 };
      const { outputs } = runReference({ op: affineWarp, attributes, inputs: [image, maps], batch: 2 });
      expect(outputs[0]).toEqual(image.data);
    }
  }
});
