/** Which classes were taken for which: the confusion matrix, and its largest cells off the diagonal. */
import { type Html, html, NOTHING, scrolling, section } from "./html.ts";
import { count, percent } from "./words.ts";

/** A larger matrix cannot be looked at. */
const MOST_CLASSES = 30;
const MOST_CONFUSIONS = 10;
const MORE_CONFUSIONS = 30;
/** Text must be read on the deepest shade. */
const DEEPEST = 0.5;
/** A mistake must be seen, however rare. */
const FAINTEST = 0.12;

export interface Confusions {
  readonly names: readonly string[];
  /** Samples of each class (rows), by the class that they were taken for. */
  readonly matrix: readonly (readonly number[])[];
}

const sum = (row: readonly number[]) => row.reduce((total, cell) => total + cell, 0);

function cell(value: number, share: number, isRight: boolean): Html {
  if (value === 0) return html`<td class="none">0</td>`;
  // Mistakes are a small share, and are what one looks for.
  const shade = isRight ? DEEPEST * share : Math.min(DEEPEST, FAINTEST + Math.sqrt(share));
  return html`<td class="${isRight ? "right" : "wrong"}" style="--shade:${shade.toFixed(3)}">${value}</td>`;
}

function matrixTable({ names, matrix }: Confusions): Html {
  const isLong = names.some((name) => name.length > 3);
  const rows = matrix.map((row, label) => {
    const total = sum(row);
    const cells = row.map((value, other) => cell(value, value / total, label === other));
    return html`<tr><th scope="row">${names[label]!}</th>${cells}</tr>`;
  });
  const heads = names.map((name) => html`<th scope="col"><span>${name}</span></th>`);
  const table = html`<table class="matrix ${isLong ? "long" : ""}">
<caption>Rows: what it is. Columns: what it was taken for.</caption>
<thead><tr><td></td>${heads}</tr></thead>
<tbody>
${rows}
</tbody>
</table>`;
  return scrolling("What was taken for what", table);
}

interface Confusion {
  readonly label: number;
  readonly other: number;
  readonly value: number;
  /** Of the class's samples. */
  readonly share: number;
}

function confusionTable({ names, matrix }: Confusions, most: number): Html {
  const found: Confusion[] = [];
  for (const [label, row] of matrix.entries()) {
    const total = sum(row);
    for (const [other, value] of row.entries()) {
      if (label !== other && value > 0) found.push({ label, other, value, share: value / total });
    }
  }
  found.sort((a, b) => b.value - a.value || b.share - a.share);
  const rows = found
    .slice(0, most)
    .map(
      ({ label, other, value, share }) =>
        html`<tr><th scope="row">${names[label]!}</th><td class="text">${names[other]!}</td><td>${count(value)}</td><td>${percent(share)}</td></tr>`,
    );
  if (rows.length === 0) return html`<p>Nothing was taken for something else.</p>`;
  return html`<table class="numbers narrow">
<caption>Most frequent confusions</caption>
<thead><tr><th scope="col">It is</th><th scope="col" class="text">taken for</th><th scope="col">Images</th><th scope="col">Of its class</th></tr></thead>
<tbody>
${rows}
</tbody>
</table>`;
}

export function matrixSection(confusions: Confusions): Html {
  const classes = confusions.names.length;
  const isSmall = classes <= MOST_CLASSES;
  const list = confusionTable(confusions, isSmall ? MOST_CONFUSIONS : MORE_CONFUSIONS);
  const note = isSmall
    ? NOTHING
    : html`<p class="note">The whole matrix of ${classes} classes is in the output of <code>lenet evaluate --json</code>.</p>`;
  const body = isSmall
    ? html`<div class="pair">
${matrixTable(confusions)}
<div>${list}</div>
</div>`
    : html`${list}${note}`;
  return section("confusion", "Confusion matrix", body);
}
