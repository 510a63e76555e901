/** Keras's table of a model's layers. */
import { formatShape } from "../array.ts";

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
  /** Numbers that the optimizer keeps; absent before training. */
  readonly optimizer?: number;
}

/** Widths of the columns, as Keras lays them out on 80 columns. */
const widths = [33, 24, 15];

/** The table, as `model.summary()` of Keras 3 prints it. */
export function formatSummary({ name, rows, trainable, optimizer = 0 }: SummaryCounts): string {
  const line = (left: string, between: string, right: string, dash: string) =>
    left + widths.map((width) => dash.repeat(width)).join(between) + right;
  const row = (cells: readonly string[], bar: string) => bar + cells.join(bar) + bar;
  const heading = row([cell("Layer (type)", 0), cell("Output Shape", 1), cell("Param #", 2, true)], "┃");
  const body = rows.map(({ name: layer, className, outputShape, parameters }) => {
    const shape = formatShape([null, ...outputShape]);
    return row(
      [cell(`${layer} (${className})`, 0), cell(shape, 1), cell(parameters.toLocaleString("en-US"), 2, true)],
      "│",
    );
  });
  const total = trainable + optimizer;
  return [
    `Model: "${name}"`,
    line("┏", "┳", "┓", "━"),
    heading,
    line("┡", "╇", "┩", "━"),
    body.join(`\n${line("├", "┼", "┤", "─")}\n`),
    line("└", "┴", "┘", "─"),
    ` Total params: ${count(total)}`,
    ` Trainable params: ${count(trainable)}`,
    ` Non-trainable params: ${count(0)}`,
    ...(optimizer > 0 ? [` Optimizer params: ${count(optimizer)}`] : []),
  ].join("\n");
}

/** A cell's text in its column, cut where it is too long. */
function cell(text: string, column: number, isRight = false): string {
  const room = widths[column]! - 2;
  const shown = text.length > room ? `${text.slice(0, room - 1)}…` : text;
  return ` ${isRight ? shown.padStart(room) : shown.padEnd(room)} `;
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
