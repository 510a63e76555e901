import { describe, expect, test } from "vitest";
import { layers, loadModel, regularizers, Sequential } from "./index.ts";
import { toRegularizer } from "./regularizers.ts";

describe("regularizers", () => {
  test("are known by Keras's names and configs", () => {
    expect(toRegularizer("dense", "kernelRegularizer", "l1_l2")).toMatchObject({ l1: 0.01, l2: 0.01 });
    expect(toRegularizer("dense", "kernelRegularizer", { class_name: "L1L2", config: {} })).toMatchObject({
      l1: 0,
      l2: 0,
    });
    expect(toRegularizer("dense", "kernelRegularizer", { class_name: "L2", config: { l2: 0.5 } })).toMatchObject({
      l2: 0.5,
    });
    expect(toRegularizer("dense", "kernelRegularizer", null)).toBeUndefined();
  });

  test("are refused where they make no sense", () => {
    expect(() => layers.dense({ units: 1, kernelRegularizer: "l3" })).toThrow(
      /kernelRegularizer "l3" is unknown; known are/,
    );
    expect(() => regularizers.l2({ l2: -1 })).toThrow(/l2 must be a number of at least 0/);
    expect(() => layers.dense({ units: 1, biasRegularizer: 3 as unknown as string })).toThrow(
      /biasRegularizer must be/,
    );
  });

  test("are saved with their layer", async () => {
    const { l1L2 } = regularizers;
    const model = new Sequential([
      layers.input({ shape: [4, 4, 1] }),
      layers.conv2d({ filters: 1, kernelSize: 2, kernelRegularizer: "l1", biasRegularizer: l1L2({ l1: 0.2 }) }),
      layers.flatten(),
      layers.dense({ units: 2, kernelRegularizer: l1L2({ l1: 0.1, l2: 0.3 }) }),
    ]);
    const loaded = await loadModel(await model.toBytes());
    const configs = ({ placed }: Sequential) => placed.map(({ layer }) => layer.getConfig());
    expect(configs(loaded)).toEqual(configs(model));
    expect(configs(loaded)[3]).toMatchObject({ kernel_regularizer: { config: { l1: 0.1, l2: 0.3 } } });
  });
});
