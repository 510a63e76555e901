/** Keras's table of a model's layers. */
import { formatShape } from "../array.ts";
import { elementsOf, type Tensor } from "../kernels/op.ts";
import { type ModelState, weightsOf } from "./state.ts";

export interface SummaryRow {
  readonly name: string;
  readonly className: string;
  readonly outputShape: readonly number[];
  readonly parameters: number;
}

export interface SummaryCounts {
  readonly name: string;
  readonly rows: readonly SummaryRow[];
  readonly trainable: number;
  /** Weights that are not trained. */
  readonly nonTrainable?: number;
  /** Numbers that the optimizer keeps; absent before training. */
  readonly optimizer?: number;
}

/** What the table says of a model. */
export function summaryOf({ name, placed, compiled }: ModelState): SummaryCounts {
  const countOf = (tensors: readonly Tensor[]) => tensors.reduce((sum, { shape }) => sum + elementsOf(shape), 0);
  const optimizer = compiled?.optimizer;
  // Keras counts the number of steps and, where it is a variable, the learning rate, and nothing before the first step.
  const own = optimizer?.schedule ? 1 : 2;
  return {
    name,
    rows: placed
      .filter(({ layer }) => layer.className !== "InputLayer")
      .map((each) => ({
        name: each.name,
        className: each.layer.className,
        outputShape: each.outputShape,
        parameters: countOf(weightsOf([each])),
      })),
    trainable: countOf(weightsOf(placed, { trainable: true })),
    nonTrainable: countOf(weightsOf(placed, { trainable: false })),
    optimizer: optimizer?.iterations ? countOf(compiled!.slots.flat()) + own : 0,
  };
}

/** Widths of the columns, as Keras lays them out on 80 columns. */
const widths = [33, 24, 15];

/** The table, as `model.summary()` of Keras 3 prints it. */
export function formatSummary({ name, rows, trainable, nonTrainable = 0, optimizer = 0 }: SummaryCounts): string {
  const line = (left: string, between: string, right: string, dash: string) =>
    left + widths.map((width) => dash.repeat(width)).join(between) + right;
  const row = (cells: readonly (readonly string[])[], bar: string) =>
    Array.from({ length: Math.max(...cells.map((lines) => lines.length)) }, (_, i) => {
      return bar + cells.map((lines, column) => cell(lines[i] ?? "", column)).join(bar) + bar;
    }).join("\n");
  const heading = row([["Layer (type)"], ["Output Shape"], ["Param #"]], "┃");
  const body = rows.map(({ name: layer, className, outputShape, parameters }) => {
    const texts = [`${layer} (${className})`, formatShape([null, ...outputShape]), parameters.toLocaleString("en-US")];
    return row(texts.map(wrap), "│");
  });
  const total = trainable + nonTrainable + optimizer;
  return [
    `Model: "${name}"`,
    line("┏", "┳", "┓", "━"),
    heading,
    line("┡", "╇", "┩", "━"),
    body.join(`\n${line("├", "┼", "┤", "─")}\n`),
    line("└", "┴", "┘", "─"),
    ` Total params: ${count(total)}`,
    ` Trainable params: ${count(trainable)}`,
    ` Non-trainable params: ${count(nonTrainable)}`,
    ...(optimizer > 0 ? [` Optimizer params: ${count(optimizer)}`] : []),
  ].join("\n");
}

/** The lines that a text takes in its column: broken between words, and a word cut where it is too long. */
function wrap(text: string, column: number): string[] {
  const room = widths[column]! - 2;
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= room) lines[lines.length - 1] = longer;
    else lines.push(word.length > room ? `${word.slice(0, room - 1)}…` : word);
  }
  return lines;
}

/** A line of a cell; numbers stand on the right. */
function cell(line: string, column: number): string {
  const room = widths[column]! - 2;
  return ` ${column === 2 ? line.padStart(room) : line.padEnd(room)} `;
}

/** `1,256,080 (4.79 MB)`: four bytes each, in powers of 1024. */
function count(parameters: number): string {
  let size = parameters * 4;
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${parameters.toLocaleString("en-US")} (${size.toFixed(2)} ${units[unit]})`;
}
