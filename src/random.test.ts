import fc from "fast-check";
import { expect, test } from "vitest";
import { generator, permutation } from "./random.ts";

test("a permutation has every number once, and is the same for the same seed and epoch", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 300 }), fc.maxSafeNat(), fc.nat(100), (count, seed, epoch) => {
      const order = permutation(count, seed, epoch);
      expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
      expect(permutation(count, seed, epoch)).toEqual(order);
    }),
    { seed: 1, numRuns: 100 },
  );
});

test("each epoch and each seed has an order of its own, also where seeds differ beyond 32 bits", () => {
  const orders = [
    ...Array.from({ length: 50 }, (_, epoch) => permutation(100, 1, epoch)),
    ...Array.from({ length: 50 }, (_, seed) => permutation(100, seed + 2, 0)),
    permutation(100, 1 + 2 ** 32, 0),
    permutation(100, 1 + 2 ** 40, 0),
  ];
  expect(new Set(orders.map((order) => order.join())).size).toBe(orders.length);
});

test("every number comes to every place about equally often", () => {
  const counts = new Uint32Array(36);
  for (let epoch = 0; epoch < 6000; epoch++) {
    permutation(6, 42, epoch).forEach((value, place) => {
      counts[place * 6 + value]!++;
    });
  }
  // 1000 each on average, with a deviation of 29.
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
});

test("draws are spread as they should be, and streams have nothing in common", () => {
  const draw = (path: number[], of: (random: ReturnType<typeof generator>) => number) => {
    const random = generator(1, ...path);
    return Array.from({ length: 20_000 }, () => of(random));
  };
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const uniform = draw([0], ({ uniform }) => uniform());
  expect(uniform.every((value) => value >= 0 && value < 1)).toBe(true);
  expect(mean(uniform)).toBeCloseTo(0.5, 2);
  expect(mean(uniform.map((value) => (value - 0.5) ** 2))).toBeCloseTo(1 / 12, 2);
  const normal = draw([1], ({ normal }) => normal());
  // Mean and variance of 20,000 normals: deviations 0.007 and 0.01.
  expect(Math.abs(mean(normal))).toBeLessThan(0.03);
  expect(Math.abs(mean(normal.map((value) => value ** 2)) - 1)).toBeLessThan(0.04);
  expect(Math.abs(mean(normal.map((value) => value ** 4)) - 3)).toBeLessThan(0.3);
  const other = draw([2], ({ uniform }) => uniform());
  expect(Math.abs(mean(uniform.map((value, i) => (value - 0.5) * (other[i]! - 0.5))))).toBeLessThan(0.003);
  const die = draw([3], ({ integer }) => integer(6));
  for (let face = 0; face < 6; face++)
    expect(die.filter((value) => value === face).length / 20_000).toBeCloseTo(1 / 6, 1.5);
});
