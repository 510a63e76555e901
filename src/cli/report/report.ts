/** Gathers what a report shows, and writes it. */
import os from "node:os";
import type { NDArray, Sequential } from "../../index.ts";
import { writeFileAtomic } from "../../runtime/files.ts";
import type { ImageData, Samples } from "../data.ts";
import { type Judgement, wrongSamples } from "../judge.ts";
import { version } from "../version.ts";
import type { Curves } from "./curves.ts";
import type { Mistakes } from "./gallery.ts";
import type { Fact } from "./html.ts";
import type { LayerRow } from "./layers.ts";
import { renderReport } from "./page.ts";
import { pictureOf } from "./pictures.ts";
import { count, dimensions, plural } from "./words.ts";

/** Pictures in the gallery. */
const MOST_PICTURES = 24;

/** What a report needs of a data set: not the images for training, which are most of it. */
export interface ReportedData {
  /** What `--data` named. */
  readonly name: string;
  readonly trainCount: number;
  readonly testImages: NDArray;
  readonly shape: readonly number[];
  readonly classes: number;
  readonly classNames: readonly string[] | undefined;
}

export function reportedData(name: string, { train, test, shape, classes, classNames }: ImageData): ReportedData {
  return { name, trainCount: train.images.length, testImages: test.images, shape, classes, classNames };
}

export interface Run {
  readonly title: string;
  readonly model: Sequential;
  readonly data: ReportedData;
  readonly test: Samples;
  readonly judgement: Judgement;
  readonly curves?: Curves;
  /** What was chosen, beside the data. */
  readonly settings: readonly Fact[];
  /** Undefined: as many as there are cores, to 16. */
  readonly threads?: number | undefined;
  /** How long things took. */
  readonly times: readonly Fact[];
}

function layerRows(model: Sequential): LayerRow[] {
  return model.layers.map((layer) => {
    const { name, className, outputShape, trainable } = layer;
    const parameters = layer.getWeights().reduce((sum, weights) => sum + weights.size, 0);
    return { name, className, outputShape, parameters, trainable };
  });
}

function mistakesOf({ model, data, test, judgement }: Run): Mistakes {
  const wrong = wrongSamples(model, test.y, judgement.outputs, MOST_PICTURES);
  const worst = wrong.worst.map((sample) => ({ ...sample, picture: pictureOf(data.testImages, sample.index) }));
  return { ...wrong, worst };
}

function dataFacts({ name, trainCount, testImages, shape, classes }: ReportedData): Fact[] {
  return [
    ["Data", name],
    ["Images", `${count(trainCount)} for training, ${count(testImages.length)} for testing`],
    ["Shape", `${dimensions(shape)}, ${plural(classes, "class", "classes")}`],
  ];
}

function environmentFacts({ threads, times }: Run): Fact[] {
  const cores = os.availableParallelism();
  const cpu = os.cpus()[0]?.model.trim() ?? "unknown";
  const memory = process.resourceUsage().maxRSS / 1024;
  return [
    ["lenet", version()],
    ["Node", process.version.slice(1)],
    ["System", `${os.type()} ${os.release()}, ${os.arch()}`],
    ["Processor", `${cpu}, ${plural(cores, "core", "cores")}`],
    ["Threads", threads === undefined ? "one a core, to 16" : String(threads)],
    ...times,
    ["Peak memory", `${count(Math.round(memory))} MB`],
  ];
}

/** Writes the report of a run. @throws UserError where it cannot be written. */
export async function writeReport(path: string, run: Run, date = new Date()): Promise<void> {
  const { title, model, data, judgement, curves, settings } = run;
  const names = judgement.scores.map((_, label) => data.classNames?.[label] ?? String(label));
  const page = renderReport({
    title,
    subtitle: `${date.toISOString().slice(0, 16).replace("T", " ")} UTC`,
    score: judgement.score,
    scores: judgement.scores,
    confusions: { names, matrix: judgement.matrix },
    mistakes: mistakesOf(run),
    ...(curves && { curves }),
    inputShape: model.inputShape,
    layers: layerRows(model),
    settings: [...dataFacts(data), ...settings],
    environment: environmentFacts(run),
  });
  await writeFileAtomic(path, new TextEncoder().encode(page));
}
