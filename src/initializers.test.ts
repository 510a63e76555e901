import { describe, expect, test } from "vitest";
import { UserError } from "./errors.ts";
import { initializerConfig, toInitializer } from "./initializers.ts";
import { generator } from "./random.ts";

const make = (option: unknown) => toInitializer("dense", "kernelInitializer", option);

/** A kernel of 5x5 over 20 channels with 50 filters: 500 inputs, 1250 outputs, by Keras's count. */
const shape = [5, 5, 20, 50];
const average = (500 + 1250) / 2;

function momentsOf(values: Float32Array) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return {
    mean,
    deviation: Math.sqrt(variance),
    largest: values.reduce((m, value) => Math.max(m, Math.abs(value)), 0),
  };
}

// Normals are cut at two deviations; Keras widens them by 1 / 0.8796 so that the deviation comes out as asked for.
const cut = 2 / 0.8796256610342398;

describe("values have Keras's deviation and bound", () => {
  test.each([
    ["glorotUniform", Math.sqrt(1 / average), Math.sqrt(3 / average)],
    ["glorotNormal", Math.sqrt(1 / average), cut * Math.sqrt(1 / average)],
    ["heUniform", Math.sqrt(2 / 500), Math.sqrt(6 / 500)],
    ["heNormal", Math.sqrt(2 / 500), cut * Math.sqrt(2 / 500)],
    ["lecunUniform", Math.sqrt(1 / 500), Math.sqrt(3 / 500)],
    ["lecunNormal", Math.sqrt(1 / 500), cut * Math.sqrt(1 / 500)],
    ["varianceScaling", Math.sqrt(1 / 500), cut * Math.sqrt(1 / 500)],
    ["randomUniform", 0.05 / Math.sqrt(3), 0.05],
    ["randomNormal", 0.05, Number.POSITIVE_INFINITY],
    ["truncatedNormal", 0.05 * 0.8796256610342398, 0.1],
  ])("%s", (name, deviation, bound) => {
    const values = make(name).create(shape, generator(1));
    expect(values).toHaveLength(25_000);
    const moments = momentsOf(values);
    // 25,000 draws: the deviation of the deviation is 0.5 % and less, of the mean 0.6 % of the deviation.
    expect(moments.deviation / deviation).toBeCloseTo(1, 1.5);
    expect(Math.abs(moments.mean)).toBeLessThan(deviation * 0.03);
    expect(moments.largest).toBeLessThanOrEqual(Math.fround(bound));
    if (Number.isFinite(bound)) expect(moments.largest).toBeGreaterThan(0.98 * bound);
    else expect(moments.largest).toBeGreaterThan(3.5 * deviation);
  });
});

test("a matrix has its rows for inputs and its columns for outputs, a vector its length for both", () => {
  const largest = (name: string, of: number[]) => momentsOf(make(name).create(of, generator(3))).largest;
  expect(largest("heUniform", [3000, 2])).toBeCloseTo(Math.sqrt(6 / 3000), 3);
  expect(largest("glorotUniform", [3000, 2])).toBeCloseTo(Math.sqrt(6 / 3002), 3);
  expect(largest("glorotUniform", [2000])).toBeCloseTo(Math.sqrt(3 / 2000), 3);
});

test("VarianceScaling, as old files have it for the others, takes scale, mode and distribution", () => {
  const scaled = (config: object) => make({ class_name: "VarianceScaling", config });
  const values = (initializer: ReturnType<typeof make>) => initializer.create(shape, generator(1));
  const glorot = scaled({ scale: 1, mode: "fan_avg", distribution: "uniform" });
  expect(values(glorot)).toEqual(values(make("glorotUniform")));
  const he = { scale: 2, mode: "fan_in", distribution: "normal" };
  expect(values(scaled(he))).toEqual(values(make("heNormal")));
  const wide = { scale: 3, mode: "fan_out", distribution: "untruncated_normal" };
  const { deviation, largest } = momentsOf(values(scaled(wide)));
  expect(deviation / Math.sqrt(3 / 1250)).toBeCloseTo(1, 1.5);
  expect(largest).toBeGreaterThan(3.5 * deviation);
  expect(initializerConfig(scaled(wide))).toMatchObject({ class_name: "VarianceScaling", config: wide });
});

test("zeros, ones and a constant", () => {
  const random = generator(0);
  expect(make("zeros").create([2], random)).toEqual(Float32Array.of(0, 0));
  expect(make("Ones").create([2, 1], random)).toEqual(Float32Array.of(1, 1));
  const constant = make({ class_name: "Constant", config: { value: 0.25 } });
  expect(constant.create([3], random)).toEqual(Float32Array.of(0.25, 0.25, 0.25));
});

test("the same generator gives the same values, another one others", () => {
  const create = (seed: number) => make("heNormal").create([10, 10], generator(seed));
  expect(create(1)).toEqual(create(1));
  expect(create(1)).not.toEqual(create(2));
});

test("TF.js's, Keras's and the class's spelling are one name, and configs come back", () => {
  for (const name of ["glorotUniform", "glorot_uniform", "GlorotUniform"]) {
    expect(make(name).className).toBe("GlorotUniform");
  }
  const random = { class_name: "RandomUniform", config: { minval: -2, maxval: 3, seed: null } };
  expect(initializerConfig(make(random))).toMatchObject(random);
  const { largest } = momentsOf(make(random).create([1000], generator(5)));
  expect(largest).toBeGreaterThan(2.9);
  expect(largest).toBeLessThan(3);
});

test.each([
  ["orthogonal", /"orthogonal" is unknown; known are Zeros, /],
  [
    { class_name: "VarianceScaling", config: { mode: "fan_on" } },
    /^VarianceScaling: mode must be one of "fan_in", "fan_out", "fan_avg", got "fan_on"\.$/,
  ],
  [{ class_name: "VarianceScaling", config: { scale: 0 } }, /scale must be a number above 0, got 0\.$/],
  [7, /must be the name of an initializer, got 7\.$/],
  [{ class_name: "Constant", config: { value: "much" } }, /Constant: value must be a finite number, got "much"\.$/],
])("%j is refused", (option, message) => {
  expect(() => make(option)).toThrow(UserError);
  expect(() => make(option)).toThrow(message);
});
