/** The report of `lenet train`. */
import type { Config, History } from "../../index.ts";
import type { TrainOptions } from "../options.ts";
import type { Fact } from "./html.ts";
import { type Run, writeReport } from "./report.ts";
import { count, duration, fileName } from "./words.ts";

/** How training went. */
export interface Course {
  readonly history: History;
  /** Of this process; a run that was gone on with took longer. */
  readonly seconds: number;
}

export interface Training extends Pick<Run, "model" | "data" | "test" | "judgement"> {
  readonly options: TrainOptions;
  readonly course: Course;
}

/** `Adam: learning rate 0.001, beta 1 0.9 …` */
function describeOptimizer(className: string, config: Config): string {
  const parts = Object.entries(config).flatMap(([name, value]) => {
    if (name === "name" || value === null || value === false) return [];
    const isPlain = typeof value === "number" || typeof value === "string" || value === true;
    return [`${name} ${isPlain ? value : (value as { class_name?: string }).class_name}`];
  });
  return `${className}: ${parts.join(", ")}`;
}

function settingsOf({ model, options }: Training): Fact[] {
  const { epochs, batchSize, stepsPerEpoch, shuffle, seed, model: start, conv2Padding = "same", out } = options;
  const { compiled, optimizer } = model;
  return [
    ["Epochs", count(epochs)],
    ["Batch size", count(batchSize)],
    ...(stepsPerEpoch === undefined ? [] : [["Steps an epoch", count(stepsPerEpoch)] as const]),
    ["Optimizer", optimizer ? describeOptimizer(optimizer.className, optimizer.getConfig()) : "none"],
    ["Loss", compiled?.loss.name ?? "none"],
    ["Order", shuffle ? "shuffled" : "as it is"],
    ["Seed", String(seed)],
    start === undefined ? ["Second convolution", `padding "${conv2Padding}"`] : ["Begun from", start],
    ["Saved to", out],
  ];
}

/** @throws UserError where it cannot be written. */
export async function writeTrainingReport(path: string, training: Training): Promise<void> {
  const { model, data, test, judgement, options, course } = training;
  const { history, seconds } = course;
  const epochs = history.epoch.map((epoch) => epoch + 1);
  const gone = options.resume ? "Training, since it was gone on with" : "Training";
  await writeReport(path, {
    title: `${fileName(options.out)}, trained on ${fileName(options.data)}`,
    model,
    data,
    test,
    judgement,
    ...(epochs.length > 0 && { curves: { epochs, values: history.history } }),
    settings: settingsOf(training),
    threads: options.threads,
    times: [[gone, duration(seconds)]],
  });
}
