/** Random translations, rotations and zooms with known draws, as real Keras computes them: `interop/make_warp_golden.py`. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { batchTensor, Graph, stateTensor } from "../../src/compiler/graph.ts";
import { type Layer, layers } from "../../src/index.ts";
import type { WarpAttributes } from "../../src/kernels/affine-warp.ts";
import { numbers } from "../../src/kernels/arithmetic.ts";
import type { Op } from "../../src/kernels/op.ts";
import type { RandomAffineAttributes } from "../../src/kernels/random-affine.ts";
import { expectClose, runKernel } from "../helpers/kernels.ts";

interface WarpCase extends Omit<WarpAttributes, "fillValue"> {
  readonly factory: "randomTranslation" | "randomRotation" | "randomZoom";
  /** What each image draws. */
  readonly draws: readonly number[];
  readonly outputs: readonly number[];
}

const golden = JSON.parse(readFileSync(new URL("warps.json", import.meta.url), "utf8")) as {
  readonly shape: readonly number[];
  readonly fillValue: number;
  readonly images: readonly number[];
  readonly cases: readonly WarpCase[];
};

function layerOf({ factory, fillMode, interpolation }: WarpCase): Layer {
  const options = { fillMode, interpolation, fillValue: golden.fillValue };
  if (factory === "randomRotation") return layers.randomRotation({ factor: 1, ...options });
  return layers[factory]({ heightFactor: 0.9, widthFactor: 0.9, ...options });
}

test.each(golden.cases)("$factory, $fillMode, $interpolation: images with known draws are Keras's", (warpCase) => {
  const { shape, images } = golden;
  const graph = new Graph();
  layerOf(warpCase).lower(graph, batchTensor("x", shape), [], stateTensor("step", [1], "int32"));
  const [drawing, warping] = graph.nodes;
  const { formula, ranges } = drawing!.attributes as RandomAffineAttributes;
  const count = ranges.length;
  const batch = warpCase.draws.length / count;
  const maps = Array.from({ length: batch }, (_, n) => [
    ...formula(numbers, warpCase.draws.slice(n * count, (n + 1) * count)),
  ]).flat();
  const inputs = [
    { shape, batched: true, data: images },
    { shape: [6], batched: true, data: maps },
  ];
  const { outputs } = runKernel({ op: warping!.op as Op<unknown>, attributes: warping!.attributes, inputs, batch });
  expect(batch).toBe(5);
  expectClose(outputs[0]!, warpCase.outputs, 1e-4);
});
