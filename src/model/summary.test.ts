import { expect, test } from "vitest";
import { NDArray } from "../array.ts";
import { conv2d, dense, flatten, input, maxPooling2d } from "../layers/index.ts";
import { Sequential } from "./sequential.ts";

function tableOf(model: Sequential): string {
  let table = "";
  model.summary({
    print: (text) => {
      table = text;
    },
  });
  return table;
}

// The tables are Keras 3.15's, `model.summary()` of the same models.

test("the recipe's model", async () => {
  const model = new Sequential([
    input({ shape: [28, 28, 1] }),
    conv2d({ filters: 20, kernelSize: 5, padding: "same", activation: "relu" }),
    maxPooling2d({ poolSize: 2 }),
    conv2d({ filters: 50, kernelSize: 5, padding: "same", activation: "relu" }),
    maxPooling2d({ poolSize: 2 }),
    flatten(),
    dense({ units: 500, activation: "relu" }),
    dense({ units: 10, activation: "softmax" }),
  ]);
  const layers = `Model: "sequential"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ conv2d (Conv2D)                 │ (None, 28, 28, 20)     │           520 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ max_pooling2d (MaxPooling2D)    │ (None, 14, 14, 20)     │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ conv2d_1 (Conv2D)               │ (None, 14, 14, 50)     │        25,050 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ max_pooling2d_1 (MaxPooling2D)  │ (None, 7, 7, 50)       │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ flatten (Flatten)               │ (None, 2450)           │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense (Dense)                   │ (None, 500)            │     1,225,500 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense_1 (Dense)                 │ (None, 10)             │         5,010 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
`;
  const untrained = ` Total params: 1,256,080 (4.79 MB)
 Trainable params: 1,256,080 (4.79 MB)
 Non-trainable params: 0 (0.00 B)`;
  expect(tableOf(model)).toBe(layers + untrained);
  model.compile({ loss: "sparse_categorical_crossentropy" });
  expect(tableOf(model)).toBe(layers + untrained);
  await model.trainOnBatch(new NDArray(new Float32Array(784), [1, 28, 28, 1]), new NDArray(Int32Array.of(3), [1]));
  expect(tableOf(model)).toBe(`${layers} Total params: 3,768,242 (14.37 MB)
 Trainable params: 1,256,080 (4.79 MB)
 Non-trainable params: 0 (0.00 B)
 Optimizer params: 2,512,162 (9.58 MB)`);
});

test("names that are too long are broken, then cut", () => {
  const model = new Sequential(
    [
      input({ shape: [28, 28, 1] }),
      conv2d({ filters: 20, kernelSize: 5, name: "a_convolution_with_a_very_long_name_indeed" }),
      maxPooling2d({ name: "first_pooling_layer_x" }),
      flatten({ name: "flat" }),
      dense({ units: 3, name: "thirty_three_wide_name_" }),
    ],
    { name: "a_model_with_a_long_name" },
  );
  expect(tableOf(model)).toBe(`Model: "a_model_with_a_long_name"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ a_convolution_with_a_very_long… │ (None, 24, 24, 20)     │           520 │
│ (Conv2D)                        │                        │               │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ first_pooling_layer_x           │ (None, 12, 12, 20)     │             0 │
│ (MaxPooling2D)                  │                        │               │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ flat (Flatten)                  │ (None, 2880)           │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ thirty_three_wide_name_ (Dense) │ (None, 3)              │         8,643 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 9,163 (35.79 KB)
 Trainable params: 9,163 (35.79 KB)
 Non-trainable params: 0 (0.00 B)`);
});
