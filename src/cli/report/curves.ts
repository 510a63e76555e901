/** How a run went: a chart for each value that was measured, and the numbers. */
import { type Line, lineChart } from "../../charts/line-chart.ts";
import { formatNumber } from "../../charts/svg.ts";
import { Html, html, scrolling, section } from "./html.ts";
import { decimals, plural, shortPercent } from "./words.ts";

/** Values by epoch. */
export interface Curves {
  /** Counted from 1. */
  readonly epochs: readonly number[];
  /** By Keras's names: `loss`, `accuracy`, and `val_loss`, `val_accuracy` on the test set. */
  readonly values: Readonly<Record<string, readonly number[]>>;
}

const isShare = (name: string) => name.includes("accuracy");

const titleOf = (name: string) => `${name.charAt(0).toUpperCase()}${name.slice(1)}`.replaceAll("_", " ");

const formatOf = (name: string) => (isShare(name) ? shortPercent : decimals);

/** Where a line begins and ends, in words. */
function describe({ name, values }: Line, epochs: readonly number[], format: (value: number) => string): string {
  const [first, last] = [values[0] ?? Number.NaN, values.at(-1) ?? Number.NaN];
  if (epochs.length < 2) return `${name}: ${format(last)}.`;
  return `${name}: from ${format(first)} in epoch ${epochs[0]} to ${format(last)} in epoch ${epochs.at(-1)}.`;
}

function chartOf(name: string, { epochs, values }: Curves): Html {
  const lines: Line[] = [{ name: "training", values: values[name]! }];
  const tested = values[`val_${name}`];
  if (tested) lines.push({ name: "test", values: tested });
  const title = `${titleOf(name)} by epoch`;
  const format = formatOf(name);
  const bounds = isShare(name) ? { atMost: 1 } : { including: 0 };
  const svg = lineChart(
    { places: epochs, lines, axis: "epoch", format: isShare(name) ? format : formatNumber, ...bounds },
    { id: `chart-${name}`, title, description: lines.map((line) => describe(line, epochs, format)).join(" ") },
  );
  return html`<figure>
<figcaption>${title}</figcaption>
${new Html(svg)}</figure>`;
}

function numbers({ epochs, values }: Curves, names: readonly string[]): Html {
  const columns = names.flatMap((name) => [name, `val_${name}`]).filter((name) => values[name] !== undefined);
  const heading = (name: string) =>
    name.startsWith("val_") ? `${titleOf(name.slice("val_".length))}, test` : `${titleOf(name)}, training`;
  const rows = epochs.map((epoch, i) => {
    const cells = columns.map((name) => html`<td>${formatOf(name)(values[name]![i] ?? Number.NaN)}</td>`);
    return html`<tr><th scope="row">${epoch}</th>${cells}</tr>`;
  });
  const table = html`<table class="numbers">
<caption class="unseen">Values by epoch</caption>
<thead><tr><th scope="col">Epoch</th>${columns.map((name) => html`<th scope="col">${heading(name)}</th>`)}</tr></thead>
<tbody>
${rows}
</tbody>
</table>`;
  return html`<details>
<summary>The numbers of ${plural(epochs.length, "epoch", "epochs")}</summary>
${scrolling("Values by epoch", table)}
</details>`;
}

export function curvesSection(curves: Curves): Html {
  const measured = Object.keys(curves.values).filter((name) => !name.startsWith("val_"));
  const names = measured.sort((a, b) => Number(b === "loss") - Number(a === "loss"));
  const note = "Of training the mean over an epoch, while the weights change; of the test set the value at its end.";
  return section(
    "training",
    "Training",
    html`<div class="pair">
${names.map((name) => chartOf(name, curves))}
</div>
<p class="note">${note}</p>
${numbers(curves, names)}`,
  );
}
