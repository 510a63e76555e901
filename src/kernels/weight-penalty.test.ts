import { test } from "vitest";
import { expectMatchesReference, randomInput } from "../../test/helpers/kernels.ts";
import { addPenalty, addPenaltyGradient, penaltySums } from "./weight-penalty.ts";

test.each([
  [[3], 0.1, 0],
  [[5, 7], 0, 0.2],
  [[4096], 0.1, 0.2],
  [[9001], 0.3, 0.1],
] as const)("the kernels of penalties match their references: shape %j, l1 %d, l2 %d", (shape, l1, l2) => {
  const attributes = { l1, l2 };
  const w = randomInput(shape, null, 1);
  expectMatchesReference({ op: penaltySums, attributes, inputs: [w], batch: 1 });
  expectMatchesReference({ op: addPenaltyGradient, attributes, inputs: [randomInput(shape, null, 2), w], batch: 1 });
  const inputs = [randomInput([shape.length + 2], null, 3), randomInput([2], null, 4)];
  expectMatchesReference({ op: addPenalty, attributes: {}, inputs, batch: 7 });
});
