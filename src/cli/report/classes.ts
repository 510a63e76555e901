/** How well each class is told from the others. */
import { barChart } from "../../charts/bar-chart.ts";
import type { ClassScore } from "../../index.ts";
import { Html, html, scrolling, section } from "./html.ts";
import { count, percent } from "./words.ts";

/** More bars than this are cut down to those of the worst classes. */
const MOST_BARS = 30;
const WORST_BARS = 20;
const WIDTH = 480;
const VALUES = 116;
const LONGEST_NAME = 16;
const CHARACTER = 7.5;

interface Errors {
  readonly name: string;
  readonly wrong: number;
  readonly share: number;
}

function errorsOf(names: readonly string[], scores: readonly ClassScore[]): Errors[] {
  return scores.map(({ recall, support }, label) => {
    const wrong = Math.round(support * (1 - recall));
    return { name: names[label]!, wrong, share: support > 0 ? wrong / support : 0 };
  });
}

const shortened = (name: string) => (name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 1)}…` : name);

function errorChart(names: readonly string[], scores: readonly ClassScore[]): Html {
  const all = errorsOf(names, scores);
  const isMany = all.length > MOST_BARS;
  const worstFirst = [...all].sort((a, b) => b.share - a.share);
  const shown = isMany ? worstFirst.slice(0, WORST_BARS) : all;
  const most = Math.max(...shown.map(({ share }) => share));
  const bars = shown.map(({ name, wrong, share }) => ({
    name: shortened(name),
    share: most > 0 ? share / most : 0,
    text: `${percent(share)} (${count(wrong)})`,
    own: share === most && most > 0,
  }));
  const longest = Math.max(...bars.map(({ name }) => name.length));
  const left = Math.ceil(18 + longest * CHARACTER);
  const title = isMany ? `Mistakes of the ${WORST_BARS} worst classes` : "Mistakes of each class";
  const worst = worstFirst[0]!;
  const description = `Of the images of each class, the share that was taken for another. Most: ${worst.name}, ${percent(worst.share)}.`;
  const layout = { names: left, room: WIDTH - left - VALUES, values: VALUES, titled: false };
  const svg = barChart(bars, layout, { id: "chart-classes", title, description });
  return html`<figure>
<figcaption>${title}</figcaption>
${new Html(svg)}</figure>`;
}

function scoreTable(names: readonly string[], scores: readonly ClassScore[]): Html {
  const rows = scores.map(({ precision, recall, f1, support }, label) => {
    const shares = [precision, recall, f1].map((share) => html`<td>${percent(share)}</td>`);
    return html`<tr><th scope="row">${names[label]!}</th><td>${count(support)}</td>${shares}</tr>`;
  });
  const heads = ["Images", "Precision", "Recall", "F1"].map((head) => html`<th scope="col">${head}</th>`);
  const table = html`<table class="numbers">
<caption>Scores of each class</caption>
<thead><tr><th scope="col">Class</th>${heads}</tr></thead>
<tbody>
${rows}
</tbody>
</table>`;
  return scrolling("Scores of each class", table, scores.length > MOST_BARS ? "high" : "");
}

export function classesSection(names: readonly string[], scores: readonly ClassScore[]): Html {
  const note =
    "Recall is the accuracy within a class: the share of its images that was recognised. Precision is the share of what " +
    "was taken for the class that is of it, F1 the harmonic mean of the two.";
  return section(
    "classes",
    "Class by class",
    html`<div class="pair">
${errorChart(names, scores)}
<div>
${scoreTable(names, scores)}
<p class="note">${note}</p>
</div>
</div>`,
  );
}
