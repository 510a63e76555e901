import { describe, expect, test } from "vitest";
import { expectClose, runKernel } from "../../test/helpers/kernels.ts";
import { Graph, stateTensor } from "../compiler/graph.ts";
import { UserError } from "../errors.ts";
import { adam, type Optimizer, sgd, toOptimizer } from "./index.ts";

const gradients = [
  [0.1, -0.2, 0.3],
  [0.5, 0, -1],
  [1e-3, -2, 0.01],
  [0, 0, 0],
  [-0.3, 0.7, 1e-6],
];

/** The weight (1, -2, 0.5) after each of the steps, computed by the emitted kernel. */
function stepsOf(optimizer: Optimizer): Float32Array[] {
  const graph = new Graph();
  const state = (name: string) => stateTensor(name, [3]);
  const slots = optimizer.slotNames.map(state);
  optimizer.update(graph, state("weight"), state("gradient"), slots, stateTensor("scalars", [optimizer.scalarCount]));
  const { op, attributes } = graph.nodes[0]!;
  let weight: Float32Array = Float32Array.of(1, -2, 0.5);
  let values: Float32Array[] = slots.map(() => new Float32Array(3));
  return gradients.map((gradient) => {
    const inputs = [weight, gradient, ...values, optimizer.stepScalars()].map((data) => {
      return { shape: [data.length], batched: false, data };
    });
    const after = runKernel({ op, attributes, inputs, batch: 1 }).inputs as Float32Array[];
    optimizer.iterations++;
    weight = after[0]!;
    values = after.slice(2, -1);
    return weight;
  });
}

// Keras 3.15 on TensorFlow 2.21: the variable (1, -2, 0.5) after each `optimizer.apply_gradients` of the gradients above.
const golden: [string, () => Optimizer, number[][]][] = [
  [
    "adam",
    () => adam(),
    [
      [0.999, -1.9990001, 0.499],
      [0.99813896, -1.99833, 0.49952033],
      [0.9974721, -1.9976429, 0.4999164],
      [0.9969259, -1.99708, 0.50024086],
      [0.996805, -1.9968103, 0.5005151],
    ],
  ],
  [
    "adam, all options",
    () => adam({ learningRate: 0.1, beta1: 0.8, beta2: 0.95, epsilon: 1e-3 }),
    [
      [0.90428066, -1.9021871, 0.40146878],
      [0.8167202, -1.8399396, 0.45781744],
      [0.75247353, -1.766784, 0.498398],
      [0.7027779, -1.7101872, 0.5297913],
      [0.70304745, -1.6896296, 0.55477655],
    ],
  ],
  [
    "sgd",
    () => sgd(),
    [
      [0.999, -1.998, 0.497],
      [0.994, -1.998, 0.507],
      [0.99399, -1.978, 0.5069],
      [0.99399, -1.978, 0.5069],
      [0.99699, -1.985, 0.5069],
    ],
  ],
  [
    "sgd, momentum",
    () => sgd({ learningRate: 0.1, momentum: 0.9 }),
    [
      [0.99, -1.98, 0.47],
      [0.931, -1.962, 0.543],
      [0.8778, -1.7458, 0.6077],
      [0.82992, -1.55122, 0.66593],
      [0.816828, -1.4460981, 0.7183369],
    ],
  ],
  [
    "sgd, nesterov",
    () => sgd({ learningRate: 0.1, momentum: 0.9, nesterov: true }),
    [
      [0.981, -1.962, 0.443],
      [0.8779, -1.9458001, 0.6087],
      [0.82992, -1.55122, 0.66593],
      [0.786828, -1.376098, 0.71833694],
      [0.8050452, -1.3514882, 0.76550305],
    ],
  ],
];

test.each(golden)("%s: five steps are Keras's", (_, make, expected) => {
  const found = stepsOf(make());
  // Two roundings a step of numbers up to 2.
  for (const [step, weight] of found.entries()) expectClose(weight, expected[step]!, 4e-7);
});

test("Adam's rate is corrected by the number of steps, and the learning rate may change at any time", () => {
  const optimizer = adam({ learningRate: 0.01 });
  expect(optimizer.stepScalars()[0]).toBeCloseTo((0.01 * Math.sqrt(1 - 0.999)) / (1 - 0.9), 6);
  optimizer.iterations = 99;
  const corrected = (0.01 * Math.sqrt(1 - 0.999 ** 100)) / (1 - 0.9 ** 100);
  expect(optimizer.stepScalars()[0]! / corrected).toBeCloseTo(1, 4);
  optimizer.learningRate = 0.02;
  expect(optimizer.stepScalars()[0]! / (2 * corrected)).toBeCloseTo(1, 4);
  // Far on the corrections are 1, and single precision must not lose them.
  optimizer.iterations = 1_000_000;
  expect(optimizer.stepScalars()[0]).toBeCloseTo(0.02, 8);
});

describe("configs", () => {
  test.each([
    adam({ learningRate: 0.002, beta1: 0.8, beta2: 0.99, epsilon: 1e-4 }),
    sgd({ learningRate: 0.5, momentum: 0.9, nesterov: true }),
    sgd(),
  ])("of $className come back", (optimizer) => {
    const config = JSON.parse(JSON.stringify(optimizer.getConfig()));
    const again = toOptimizer({ class_name: optimizer.className, config });
    expect(again.getConfig()).toEqual(optimizer.getConfig());
    expect(again.slotNames).toEqual(optimizer.slotNames);
  });

  test("a name stands for Keras's defaults, an optimizer for itself", () => {
    expect(toOptimizer("adam").getConfig()).toMatchObject({
      learning_rate: 0.001,
      beta_1: 0.9,
      beta_2: 0.999,
      epsilon: 1e-7,
    });
    expect(toOptimizer("SGD").getConfig()).toMatchObject({ learning_rate: 0.01, momentum: 0, nesterov: false });
    const own = adam();
    expect(toOptimizer(own)).toBe(own);
  });

  test.each(["clipnorm", "global_clipnorm", "clipvalue", "weight_decay", "use_ema", "amsgrad"])(
    "that ask for %s are refused",
    (setting) => {
      const config = {
        ...adam().getConfig(),
        [setting]: setting.startsWith("use") || setting === "amsgrad" ? true : 0.5,
      };
      const make = () => toOptimizer({ class_name: "Adam", config });
      expect(make).toThrow(UserError);
      expect(make).toThrow(`optimizer adam: ${setting} ${config[setting]} is not supported.`);
    },
  );
});

test.each([
  [() => toOptimizer("rmsprop"), 'compile: optimizer "rmsprop" is unknown; known are adam, sgd.'],
  [() => toOptimizer("constructor"), 'compile: optimizer "constructor" is unknown; known are adam, sgd.'],
  [() => adam({ learningRate: Number.NaN }), "adam: learningRate must be a number of at least 0, got NaN."],
  [() => adam({ learningRate: -1 }), "adam: learningRate must be a number of at least 0, got -1."],
  [() => adam({ beta1: 1 }), "adam: beta1 must be a number from 0 to below 1, got 1."],
  [() => adam({ epsilon: Number.POSITIVE_INFINITY }), "adam: epsilon must be a number of at least 0, got Infinity."],
  [() => sgd({ momentum: 1.5 }), "sgd: momentum must be a number from 0 to 1, got 1.5."],
  [() => sgd({ nesterov: 1 as never }), "sgd: nesterov must be true or false, got 1."],
])("bad options are refused: %#", (make, message) => {
  expect(make).toThrow(new UserError(message));
});
