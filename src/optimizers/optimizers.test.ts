import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { programOf } from "../../test/helpers/graphs.ts";
import { Graph, stateTensor } from "../compiler/graph.ts";
import { UserError } from "../errors.ts";
import type { Tensor } from "../kernels/op.ts";
import { adadelta, adam, adamW, type Optimizer, rmsprop, schedules, sgd, toOptimizer } from "./index.ts";

const { cosineDecay, exponentialDecay } = schedules;

interface GoldenSteps {
  readonly shapes: readonly (readonly number[])[];
  readonly initial: readonly number[];
  readonly gradients: readonly (readonly number[])[];
  /** The numbers of the steps after which the weights were kept. */
  readonly steps: readonly number[];
  readonly cases: readonly {
    readonly optimizer: { readonly class_name: string; readonly config: Record<string, unknown> };
    /** Names of Keras's variables, in its order. */
    readonly state: readonly string[];
    readonly weights: readonly (readonly number[])[];
  }[];
}

/** Written by `interop/make_training_golden.py`. */
const golden = JSON.parse(
  readFileSync(new URL("../../test/golden/optimizers.json", import.meta.url), "utf8"),
) as GoldenSteps;

/** All weights, one after another, after each of the golden steps, computed by the emitted kernels. */
function stepsOf(optimizer: Optimizer): number[][] {
  const graph = new Graph();
  const tensors = (kind: string) => golden.shapes.map((shape, i) => stateTensor(`${kind}_${i}`, shape));
  const [weights, gradients] = [tensors("weight"), tensors("gradient")];
  const slots = weights.map(({ shape }) => optimizer.slotNames.map((name) => stateTensor(name, shape)));
  const scalars = stateTensor("scalars", [optimizer.scalarCount]);
  const factors = optimizer.factors?.(graph, gradients);
  for (const [index, parameter] of weights.entries()) {
    const factor = factors && { factors, index };
    optimizer.update(graph, { parameter, gradient: gradients[index]!, slots: slots[index]!, scalars, factor });
  }
  const program = programOf(graph.nodes, [...weights, ...gradients, ...slots.flat(), scalars]);
  const write = (targets: readonly Tensor[], values: readonly number[]) => {
    let start = 0;
    for (const tensor of targets) {
      const view = program.view(tensor);
      view.set(values.slice(start, start + view.length));
      start += view.length;
    }
  };
  write(weights, golden.initial);
  return golden.gradients.map((values) => {
    write(gradients, values);
    program.view(scalars).set(optimizer.stepScalars());
    program.run();
    optimizer.iterations++;
    return weights.flatMap((weight) => Array.from(program.view(weight)));
  });
}

describe("ten steps of two weights are Keras's", () => {
  const title = ({ optimizer: { class_name: name, config } }: (typeof golden.cases)[number]) =>
    `${name} ${JSON.stringify(config)}`;
  test.each(golden.cases.map((one) => [title(one), one] as const))("%s", (_, { optimizer, weights }) => {
    const found = stepsOf(toOptimizer(optimizer));
    for (const [i, step] of golden.steps.entries()) {
      for (const [j, expected] of weights[i]!.entries()) {
        // The change from the first value, not only the value: small steps of large weights must be right as well.
        const change = Math.abs(expected - golden.initial[j]!);
        const difference = Math.abs(found[step - 1]![j]! - expected);
        expect(difference).toBeLessThan(1e-5 * change + 6e-7 * Math.abs(expected) + 1e-9);
      }
    }
  });

  test("and the state has Keras's names, in its order", () => {
    for (const { optimizer, state } of golden.cases) {
      const { slotGroups } = toOptimizer(optimizer);
      const names = slotGroups.flatMap((group) =>
        ["kernel", "bias"].flatMap((weight) => group.map((slot) => `${weight}_${slot}`)),
      );
      expect(names).toEqual(state);
    }
  });

  test("and there are cases of every optimizer, option and schedule", () => {
    expect(golden.steps.at(-1)).toBe(10);
    const text = JSON.stringify(golden.cases);
    for (const word of ["Adam", "AdamW", "SGD", "RMSprop", "Adadelta", "ExponentialDecay", "CosineDecay"]) {
      expect(text).toContain(`"class_name":"${word}"`);
    }
    for (const word of ["weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "warmup_target"]) {
      expect(text).toMatch(new RegExp(`"${word}":[0-9]`));
    }
    for (const word of ["amsgrad", "centered", "nesterov", "staircase"]) expect(text).toContain(`"${word}":true`);
  });
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
    adam({ amsgrad: true, weightDecay: 0.1, clipvalue: 0.5 }),
    adamW({ globalClipnorm: 2 }),
    rmsprop({ rho: 0.8, momentum: 0.5, centered: true, clipnorm: 1 }),
    adadelta({ learningRate: 1, rho: 0.9, epsilon: 1e-6 }),
    sgd({
      learningRate: exponentialDecay({ initialLearningRate: 1, decaySteps: 10, decayRate: 0.5, staircase: true }),
    }),
    adam({ learningRate: cosineDecay({ initialLearningRate: 0, decaySteps: 9, warmupTarget: 1, warmupSteps: 3 }) }),
    adam({ learningRate: cosineDecay({ initialLearningRate: 1, decaySteps: 9, alpha: 0.1 }) }),
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

  test.each(["use_ema", "gradient_accumulation_steps", "loss_scale_factor"])(
    "that ask for %s are refused",
    (setting) => {
      const config = { ...adam().getConfig(), [setting]: 2 };
      const make = () => toOptimizer({ class_name: "Adam", config });
      expect(make).toThrow(new UserError(`optimizer adam: ${setting} 2 is not supported.`));
    },
  );

  test("have what is switched off as null, as Keras writes it, or not at all", () => {
    const config = { ...adam().getConfig(), weight_decay: null, clipnorm: null, clipvalue: 0, use_ema: false };
    const optimizer = toOptimizer({ class_name: "Adam", config });
    expect(optimizer.scalarCount).toBe(1);
    expect(optimizer.factors).toBeUndefined();
  });
});

test("a learning rate that follows a schedule is that of the next step, and cannot be set", () => {
  const optimizer = sgd({
    learningRate: exponentialDecay({ initialLearningRate: 0.5, decaySteps: 2, decayRate: 0.25 }),
  });
  expect(optimizer.learningRate).toBe(0.5);
  optimizer.iterations = 1;
  expect(optimizer.learningRate).toBe(0.25);
  expect(optimizer.stepScalars()).toEqual([0.25]);
  expect(() => {
    optimizer.learningRate = 0.1;
  }).toThrow(new UserError("sgd: the learning rate follows a schedule, and cannot be set."));
});

test.each([
  [() => toOptimizer("lion"), 'compile: optimizer "lion" is unknown; known are adam, adamw, sgd, rmsprop, adadelta.'],
  [
    () => toOptimizer("constructor"),
    'compile: optimizer "constructor" is unknown; known are adam, adamw, sgd, rmsprop, adadelta.',
  ],
  [
    () => toOptimizer({ class_name: "SGD", config: { learning_rate: { class_name: "PolynomialDecay", config: {} } } }),
    'optimizer: learning-rate schedule "PolynomialDecay" is unknown; known are ExponentialDecay, CosineDecay.',
  ],
  [() => adam({ clipnorm: 1, clipvalue: 1 }), "adam: only one of clipnorm, globalClipnorm and clipvalue can be given."],
  [() => rmsprop({ rho: 1 }), "rmsprop: rho must be a number from 0 to below 1, got 1."],
  [() => adadelta({ weightDecay: -1 }), "adadelta: weightDecay must be a number of at least 0, got -1."],
  [
    () => exponentialDecay({ initialLearningRate: 1, decaySteps: 0, decayRate: 0.5 }),
    "exponentialDecay: decaySteps must be a positive integer, got 0.",
  ],
  [() => adam({ learningRate: Number.NaN }), "adam: learningRate must be a number of at least 0, got NaN."],
  [() => adam({ learningRate: -1 }), "adam: learningRate must be a number of at least 0, got -1."],
  [() => adam({ beta1: 1 }), "adam: beta1 must be a number from 0 to below 1, got 1."],
  [() => adam({ epsilon: Number.POSITIVE_INFINITY }), "adam: epsilon must be a number of at least 0, got Infinity."],
  [() => sgd({ momentum: 1.5 }), "sgd: momentum must be a number from 0 to 1, got 1.5."],
  [() => sgd({ nesterov: 1 as never }), "sgd: nesterov must be true or false, got 1."],
])("bad options are refused: %#", (make, message) => {
  expect(make).toThrow(new UserError(message));
});
