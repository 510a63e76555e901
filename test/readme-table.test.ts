/** The README's table of what of Keras is there says what there is: no more, no less. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as lenet from "../src/index.ts";
import { activations } from "../src/layers/activation-functions.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

/** The names in code in a row's second cell, before what is there besides. */
function listed(row: string): string[] {
  const line = readme.split("\n").find((candidate) => candidate.startsWith(`| ${row} `));
  const cell = (line ?? "").split(" | ")[1] ?? "";
  return [...cell.split(/; | after /)[0]!.matchAll(/`([^`]+)`/g)].map((match) => match[1]!).sort();
}

const callable = (group: object) =>
  Object.entries(group)
    .filter(([name, value]) => typeof value === "function" && !/^to[A-Z]|Config$/.test(name))
    .map(([name]) => name)
    .sort();

test.each<[string, string[]]>([
  ["Layers", callable(lenet.layers)],
  ["Activations", Object.keys(activations).sort()],
  ["Regularizers", callable(lenet.regularizers)],
  ["Losses", callable(lenet.losses)],
  ["Optimizers", callable(lenet.optimizers)],
  ["Schedules", callable(lenet.optimizers.schedules)],
  ["Metrics", callable(lenet.metrics)],
  ["Callbacks", callable(lenet.callbacks)],
])("%s", (row, names) => {
  expect(listed(row)).toEqual(names);
});

test("initializers can be named as they are listed", () => {
  const names = listed("Initializers");
  expect(names).toHaveLength(13);
  for (const kernelInitializer of names) lenet.layers.dense({ units: 1, kernelInitializer });
  const refusal = () => lenet.layers.dense({ units: 1, kernelInitializer: "orthogonal" });
  // The message lists all there are.
  const plain = (text: string) => text.replaceAll(/[_ ]/g, "").toLowerCase();
  expect(refusal).toThrow(lenet.UserError);
  try {
    refusal();
  } catch (error) {
    const known = plain((error as Error).message)
      .split("knownare")[1]!
      .replace(/\.$/, "")
      .split(",");
    expect(known.sort()).toEqual(names.map(plain).sort());
  }
});

test("methods of a model", () => {
  const model = lenet.Sequential.prototype as unknown as Record<string, unknown>;
  const has = (name: string) => name in model || name in lenet || name === "Sequential";
  const line = readme.split("\n").find((candidate) => candidate.startsWith("| Models "))!;
  const names = [...line.split(" | ")[1]!.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);
  expect(names.filter((name) => !has(name))).toEqual([]);
});
