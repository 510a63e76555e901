import fc from "fast-check";
import { expect, test } from "vitest";
import { type Input, randomData, runKernel, runReference, sizes } from "../../test/helpers/kernels.ts";
import { decodeInput } from "./decode-input.ts";

const bytesOf = (count: number, seed: number) =>
  randomData(count, seed).map((value) => Math.round((value + 1) * 127.5));

function inputsOf(batch: number, size: number, divisor: number, seed: number): Input[] {
  return [
    { shape: [size], batched: true, dtype: "uint8", data: bytesOf(batch * size, seed) },
    { shape: [1], batched: false, data: [divisor] },
    { shape: [size], batched: true, data: randomData(batch * size, seed + 1) },
  ];
}

test("gives the bits of its reference, with any number of threads", () => {
  const divisor = fc.oneof(
    fc.constantFrom(0, 1, 255, -2, 1e-40, 3e38),
    fc.float({ noNaN: true, noDefaultInfinity: true }),
  );
  fc.assert(
    fc.property(sizes(7), sizes(40), divisor, fc.nat(), (batch, size, by, seed) => {
      const run = { op: decodeInput, attributes: {}, inputs: inputsOf(batch, size, by, seed), batch };
      const expected = runReference(run);
      for (const threads of [1, 2, 3]) expect(runKernel({ ...run, threads })).toEqual(expected);
    }),
    { numRuns: 60 },
  );
});

test("all bytes over 255 are what JavaScript makes of them in single precision", () => {
  const data = Array.from({ length: 256 }, (_, i) => i);
  const [bytes, divisor, x] = inputsOf(1, 256, 255, 1);
  const run = { op: decodeInput, attributes: {}, inputs: [{ ...bytes!, data }, divisor!, x!], batch: 1 };
  expect(runKernel(run).inputs[2]).toEqual(Float32Array.from(data, (byte) => byte / 255));
});
