/** The report: one page that needs nothing else, no script and no network. A pure function from data to HTML. */
import type { ClassScore } from "../../index.ts";
import type { Score } from "../lenet.ts";
import { classesSection } from "./classes.ts";
import { type Curves, curvesSection } from "./curves.ts";
import { gallerySection, type Mistakes } from "./gallery.ts";
import { type Fact, factTable, Html, html, NOTHING, section } from "./html.ts";
import { type LayerRow, layersSection } from "./layers.ts";
import { type Confusions, matrixSection } from "./matrix.ts";
import { STYLE } from "./style.ts";
import { count, decimals, percent } from "./words.ts";

export interface ReportData {
  readonly title: string;
  /** What stands below the title. */
  readonly subtitle: string;
  readonly score: Score;
  /** One a class. */
  readonly scores: readonly ClassScore[];
  readonly confusions: Confusions;
  readonly mistakes: Mistakes;
  /** Of training; a saved model does not have them. */
  readonly curves?: Curves;
  readonly inputShape: readonly number[];
  readonly layers: readonly LayerRow[];
  readonly settings: readonly Fact[];
  readonly environment: readonly Fact[];
}

/** Nothing is fetched and nothing runs, whatever the names of files and classes are. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/** What the rest shows at length. */
function summary({ score, scores, mistakes, layers }: ReportData): Html {
  const tested = scores.reduce((sum, { support }) => sum + support, 0);
  const parameters = layers.reduce((sum, layer) => sum + layer.parameters, 0);
  const tiles: readonly Fact[] = [
    ["Test accuracy", percent(score.test_accuracy)],
    ["Test loss", decimals(score.test_loss)],
    ["Mistakes", `${count(mistakes.count)} of ${count(tested)}`],
    ["Parameters", count(parameters)],
  ];
  return html`<dl class="tiles">
${tiles.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
</dl>`;
}

function factsSection({ settings, environment }: ReportData): Html {
  return section(
    "run",
    "The run",
    html`<div class="pair">
${factTable("Settings", settings)}
${factTable("Environment", environment)}
</div>`,
  );
}

export function renderReport(data: ReportData): string {
  const { title, subtitle, confusions, scores, mistakes, curves, inputShape, layers } = data;
  const { names } = confusions;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} – lenet</title>
<link rel="icon" href="data:,">
<style>${new Html(STYLE)}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p>${subtitle}</p>
</header>
<main>
${summary(data)}
${curves ? curvesSection(curves) : NOTHING}
${matrixSection(confusions)}
${classesSection(names, scores)}
${gallerySection(mistakes, names)}
${layersSection(inputShape, layers)}
${factsSection(data)}
</main>
<footer>Made by lenet.</footer>
</body>
</html>
`;
  return page.text;
}
