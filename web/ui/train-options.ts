/** What a run is told, as fields of a form. */
import { h } from "../dom.ts";
import type { OptimizerName, TrainOptions } from "../lab/protocol.ts";

interface Field<Value> {
  readonly element: HTMLElement;
  read(): Value;
}

function label(text: string, control: HTMLElement): HTMLElement {
  return h("label", {}, h("span", {}, text), control);
}

function numberField(text: string, value: number | "", attributes: Record<string, string | number>): Field<number> {
  const input = h("input", { type: "number", value, required: value !== "", inputmode: "decimal", ...attributes });
  return { element: label(text, input), read: () => input.valueAsNumber };
}

function choice<Value extends string>(text: string, values: Readonly<Record<Value, string>>): Field<Value> {
  const options = Object.entries(values).map(([value, name]) => h("option", { value }, name as string));
  const select = h("select", {}, ...options);
  return { element: label(text, select), read: () => select.value as Value };
}

const OPTIMIZERS: Record<OptimizerName, string> = {
  adam: "Adam",
  adamw: "AdamW",
  sgd: "SGD",
  rmsprop: "RMSprop",
  adadelta: "Adadelta",
};

/** On how many threads the page can train. */
export const mostThreads = crossOriginIsolated ? Math.min(navigator.hardwareConcurrency ?? 1, 16) : 1;

export function createOptions(): { element: HTMLFieldSetElement; read(): TrainOptions } {
  const epochs = numberField("Epochs", 3, { min: 1, max: 100, step: 1 });
  const batchSize = numberField("Batch", 128, { min: 1, max: 4096, step: 1 });
  const learningRate = numberField("Learning rate", "", { min: 0, step: "any", placeholder: "its own" });
  const seed = numberField("Seed", 1, { min: 0, max: 2 ** 31, step: 1 });
  const threads = numberField("Threads", mostThreads, { min: 1, max: mostThreads, step: 1 });
  const optimizer = choice("Optimizer", OPTIMIZERS);
  const padding = choice("Second padding", { same: "same", valid: "valid" });
  const from = choice("Begin with", { new: "new weights", open: "the open ones" });
  const fields = [from, epochs, batchSize, optimizer, learningRate, seed, threads, padding];
  return {
    element: h("fieldset", { class: "options" }, h("legend", {}, "Options"), ...fields.map(({ element }) => element)),
    read: () => ({
      epochs: epochs.read(),
      batchSize: batchSize.read(),
      optimizer: optimizer.read(),
      ...(Number.isFinite(learningRate.read()) && { learningRate: learningRate.read() }),
      seed: seed.read(),
      threads: threads.read(),
      conv2Padding: padding.read(),
      from: from.read(),
    }),
  };
}
