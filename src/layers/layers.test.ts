import { describe, expect, test } from "vitest";
import { NDArray, sizeOf } from "../array.ts";
import { UserError } from "../errors.ts";
import { Sequential } from "../model/sequential.ts";
import {
  activation,
  conv2d,
  dense,
  dropout,
  globalMaxPooling2d,
  input,
  maxPooling2d,
  randomRotation,
  randomTranslation,
  randomZoom,
  reLU,
  rescaling,
  reshape,
  softmax,
  zeroPadding2d,
} from "./index.ts";

test("input comes back from its config, Keras 2's too", () => {
  const layer = input({ shape: [28, 28, 1] });
  expect(layer.outputShape([], "layer")).toEqual([28, 28, 1]);
  expect(input(input.optionsOf(layer.getConfig())).getConfig()).toEqual(layer.getConfig());
  expect(input.optionsOf({ batch_input_shape: [null, 4] })).toEqual({ shape: [4] });
});

describe("options that make no sense are refused", () => {
  const known =
    "one of celu, elu, exponential, gelu, hard_shrink, hard_sigmoid, hard_silu, hard_tanh, leaky_relu, linear, " +
    "log_sigmoid, log_softmax, mish, relu, relu6, selu, sigmoid, silu, soft_shrink, softmax, softplus, softsign, " +
    "sparse_plus, sparse_sigmoid, squareplus, tanh, tanh_shrink";
  const bad: [string, () => unknown, string][] = [
    ["no filters", () => conv2d({ filters: 0, kernelSize: 3 }), "conv2d: filters must be a positive integer, got 0."],
    [
      "a negative kernel",
      () => conv2d({ filters: 1, kernelSize: -3 }),
      "conv2d: kernelSize must be a positive integer, got -3.",
    ],
    [
      "three kernel sizes",
      () => conv2d({ filters: 1, kernelSize: [1, 2, 3] as never }),
      "conv2d: kernelSize must be a positive integer or two of them, got [1,2,3].",
    ],
    [
      "strides that are no number",
      () => conv2d({ filters: 1, kernelSize: 1, strides: Number.NaN }),
      "conv2d: strides must be a positive integer, got NaN.",
    ],
    [
      "an unknown padding",
      () => conv2d({ filters: 1, kernelSize: 1, padding: "full" as never }),
      'conv2d: padding must be one of "valid", "same", got "full".',
    ],
    [
      "an unknown activation",
      () => dense({ units: 1, activation: "glu" as never }),
      `dense: activation must be ${known}, got "glu".`,
    ],
    [
      "an unknown activation of the layer",
      () => activation({ activation: "toString" as never }),
      `activation: activation must be ${known}, got "toString".`,
    ],
    [
      "a slope upwards",
      () => reLU({ negativeSlope: -1 }),
      "reLU: negativeSlope must be a number of at least 0, got -1.",
    ],
    ["no scale", () => rescaling({} as never), "rescaling: scale must be a finite number, got undefined."],
    [
      "two sizes that are left over",
      () => reshape({ targetShape: [-1, -1] }),
      "reshape: targetShape must be an array of positive integers, at most one of them -1, got [-1,-1].",
    ],
    [
      "a shape that does not fit",
      () => reshape({ targetShape: [5, -1] }).outputShape([3, 4], "reshape"),
      "reshape: samples of shape (3, 4) have 12 values, which do not fit into targetShape (5, -1).",
    ],
    [
      "padding of three sides",
      () => zeroPadding2d({ padding: [1, [2, 3, 4]] as never }),
      "zeroPadding2d: padding must be a number of rows and columns, [height, width] or [[top, bottom], [left, right]], got [1,[2,3,4]].",
    ],
    [
      "negative padding",
      () => zeroPadding2d({ padding: -1 }),
      "zeroPadding2d: padding must be a number of rows and columns, [height, width] or [[top, bottom], [left, right]], got -1.",
    ],
    [
      "keepdims of 1",
      () => globalMaxPooling2d({ keepdims: 1 as never }),
      "globalMaxPooling2d: keepdims must be true or false, got 1.",
    ],
    [
      "strides and dilation",
      () => conv2d({ filters: 1, kernelSize: 3, strides: 2, dilationRate: 2 }),
      "conv2d: strides and dilationRate cannot both be above 1, got strides 2x2 and dilationRate 2x2.",
    ],
    ["half a unit", () => dense({ units: 0.5 }), "dense: units must be a positive integer, got 0.5."],
    [
      "a bias of yes",
      () => dense({ units: 1, useBias: "yes" as never }),
      'dense: useBias must be true or false, got "yes".',
    ],
    [
      "a pool of infinity",
      () => maxPooling2d({ poolSize: Number.POSITIVE_INFINITY }),
      "maxPooling2d: poolSize must be a positive integer, got Infinity.",
    ],
    [
      "a shape that is none",
      () => input({ shape: 784 as never }),
      "input: shape must be an array of positive integers, got 784.",
    ],
    ["a negative rate", () => dropout({ rate: -0.1 }), "dropout: rate must be a number from 0 to 1, got -0.1."],
    ["a rate in percent", () => dropout({ rate: 25 }), "dropout: rate must be a number from 0 to 1, got 25."],
    ["no rate", () => dropout({} as never), "dropout: rate must be a number from 0 to 1, got undefined."],
    [
      "a seed that is none",
      () => dropout({ rate: 0.5, seed: 1.5 }),
      "dropout: seed must be an integer of at least 0, got 1.5.",
    ],
    [
      "a shift in pixels",
      () => randomTranslation({ heightFactor: 0.1, widthFactor: 2 }),
      "randomTranslation: widthFactor must be a number from -1 to 1, or two of them: [lower, upper], got 2.",
    ],
    [
      "three ends of a range",
      () => randomRotation({ factor: [0, 0.1, 0.2] as never }),
      "randomRotation: factor must be a number from -1 to 1, or two of them: [lower, upper], got [0,0.1,0.2].",
    ],
    [
      "a zoom to nothing",
      () => randomZoom({ heightFactor: [-1, 0] }),
      "randomZoom: heightFactor must be a number above -1 and up to 1, or two of them: [lower, upper], got [-1,0].",
    ],
    [
      "an unknown fill mode",
      () => randomZoom({ heightFactor: 0.1, fillMode: "mirror" as never }),
      'randomZoom: fillMode must be one of "reflect", "constant", "wrap", "nearest", got "mirror".',
    ],
    [
      "vectors in place of images",
      () => randomRotation({ factor: 0.1 }).outputShape([9], "layer"),
      "layer: expected images of shape (height, width, channels), got samples of shape (9,).",
    ],
    ["an empty axis", () => input({ shape: [28, 0, 1] }), "input: shape must be a positive integer, got 0."],
  ];
  test.each(bad)("%s", (_, make, message) => expect(make).toThrow(new UserError(message)));

  test("an unknown initializer, naming those that there are", () => {
    const make = () => dense({ units: 1, kernelInitializer: "orthogonal" });
    expect(make).toThrow(UserError);
    expect(make).toThrow(/^dense: kernelInitializer "orthogonal" is unknown; known are .*GlorotUniform.*\.$/);
  });
});

describe("a Keras config that asks for what we do not have is refused, not ignored", () => {
  test.each([
    ["groups", () => conv2d.optionsOf({ name: "c", groups: 2 }), /"c": groups 2/],
    ["channels first", () => maxPooling2d.optionsOf({ name: "p", data_format: "channels_first" }), /channels_first/],
    ["a zoom, channels first", () => randomZoom.optionsOf({ data_format: "channels_first" }), /channels_first/],
    [
      "an activity regularizer",
      () => dense.optionsOf({ name: "d", activity_regularizer: { class_name: "L2" } }),
      /"d": activity_reg/,
    ],
    [
      "noise that is shared",
      () => dropout.optionsOf({ name: "d", noise_shape: [null, 1] }),
      /"d": noise_shape \[null,1\]/,
    ],
    ["a softmax of columns", () => softmax.optionsOf({ name: "s", axis: 1 }), /"s": axis 1/],
    ["many scales", () => rescaling(rescaling.optionsOf({ scale: [1, 2, 3] })), /scale must be a finite number/],
    ["half precision", () => dense.optionsOf({ name: "d", dtype: "float16" }), /"d": dtype "float16"/],
  ])("%s", (_, read, message) => {
    expect(read).toThrow(UserError);
    expect(read).toThrow(message);
  });
});

describe("padding is on the sides where Keras has it", () => {
  /** Numbers that repeat nothing soon: (i · a mod m) - c. */
  const numbers = (shape: readonly number[], a: number, m: number, c: number) =>
    new NDArray(
      Float32Array.from({ length: sizeOf(shape) }, (_, i) => ((i * a) % m) - c),
      shape,
    );

  // `keras.layers.Conv2D(filters, kernel_size, strides, padding="same")` of Keras 3.15 on the same whole numbers; bias i.
  const convolutions: [number[], number, [number, number], [number, number], number[]][] = [
    [
      [4, 5, 1],
      2,
      [3, 2],
      [1, 1],
      [
        -31, 2, 16, 9, -3, -28, 0, 12, 9, 2, 10, -43, -8, 19, 18, -7, -44, 11, 16, 6, 19, -8, -43, 10, 16, 17, 9, -42,
        -2, 12, 9, 19, 2, -28, 6, 13, 10, -1, -27, 7,
      ],
    ],
    [[5, 4, 2], 1, [2, 3], [2, 2], [-8, 5, 14, -27, 13, -21]],
    [[4, 7, 1], 1, [4, 4], [2, 3], [2, 14, -8, 23, -11, -17]],
  ];
  test.each(convolutions)(
    "conv2d of %j, %i filters of %j, strides %j",
    async (shape, filters, kernelSize, strides, expected) => {
      const layer = conv2d({ filters, kernelSize, strides, padding: "same" });
      const model = new Sequential([input({ shape }), layer]);
      const bias = new NDArray(
        Float32Array.from({ length: filters }, (_, i) => i),
        [filters],
      );
      model.setWeights([numbers([...kernelSize, shape[2]!, filters], 5, 7, 3), bias]);
      expect([...(await model.predict(numbers([1, ...shape], 7, 11, 5), { threads: 1 })).data]).toEqual(expected);
    },
  );

  // `keras.layers.MaxPooling2D(pool_size, strides, padding="same")`, all inputs negative: padding must never win.
  const poolings: [number[], [number, number], [number, number], number[]][] = [
    [
      [4, 5, 1],
      [2, 2],
      [2, 2],
      [-6, -5, -7, -9, -6, -5],
    ],
    [
      [5, 6, 1],
      [3, 3],
      [2, 2],
      [-6, -5, -9, -5, -5, -6, -5, -6, -6],
    ],
    [
      [5, 4, 1],
      [2, 4],
      [1, 3],
      [-6, -5, -6, -6, -5, -5, -5, -5, -6, -10],
    ],
  ];
  test.each(poolings)("maxPooling2d of %j, pool %j, strides %j", async (shape, poolSize, strides, expected) => {
    const model = new Sequential([input({ shape }), maxPooling2d({ poolSize, strides, padding: "same" })]);
    expect([...(await model.predict(numbers([1, ...shape], 7, 11, 15), { threads: 1 })).data]).toEqual(expected);
  });
});
