/** Bar charts of the results, as SVG that reads on light and on dark pages. */
import { mkdirSync, writeFileSync } from "node:fs";
import { barChart } from "../dist/charts/bar-chart.js";
import { formatNumber } from "../dist/charts/svg.js";
import { here } from "./contenders.mjs";

/** Widths of a chart's three columns. */
const LAYOUT = { names: 250, room: 340, values: 190, titled: true };

/** What is drawn: a section, its title, and whether times differ so much that only a logarithm shows them all. */
const charts = [
  { section: "same", title: "Training step, LeNet on MNIST, batch 128, mean over 10 epochs (ms)" },
  { section: "valid", title: 'Training step with the second convolution "valid" (ms)' },
  { section: "convnet", title: "Training step, Conv 32, pool, Conv 64, pool, Dropout, Dense 10 (ms)" },
  { section: "strided", title: "Training step, three strided convolutions on 32x32x3 (ms)" },
  {
    section: "normalized",
    title: "Training step, two pairs of 3x3 convolutions with batch normalization on 32x32x3 (ms)",
  },
  { section: "tanh", title: "Training step, two 3x3 convolutions with tanh and pooling on 32x32x3 (ms)" },
  { section: "one", title: "One image, one call (ms, logarithmic)", logarithmic: true },
  { section: "many", title: "10,000 images (ms)" },
  { section: "cold", title: "One image from a cold start (s)" },
  { section: "recipe", title: "The whole recipe, process start to saved file (s)" },
  { section: "javascript", title: "Training step in JavaScript (ms, logarithmic)", logarithmic: true },
];

const STYLE = `    text { font: 13px system-ui, sans-serif; fill: #333; }
    .title { font-size: 15px; font-weight: 600; }
    .name { text-anchor: end; }
    .bar { fill: #9aa5b1; }
    .bar.own { fill: #0b6bcb; }
    .own { font-weight: 600; }
    @media (prefers-color-scheme: dark) { text { fill: #e6e6e6; } .bar { fill: #6b7683; } .bar.own { fill: #4aa3ff; } }`;

function draw({ title, logarithmic = false }, { median, ratios = {}, unit }) {
  const rows = Object.entries(median).filter(([name]) => name !== "one thread");
  rows.sort((a, b) => a[1] - b[1]);
  const most = rows.at(-1)[1];
  const least = rows[0][1] / 3;
  const share = (value) => (logarithmic ? Math.log(value / least) / Math.log(most / least) : value / most);
  const bars = rows.map(([name, value]) => {
    const ratio = ratios[name] ? `, ${formatNumber(1 / ratios[name])} times ours` : "";
    return { name, share: share(value), text: `${formatNumber(value)} ${unit}${ratio}`, own: name === "lenet" };
  });
  return barChart(bars, LAYOUT, { title, style: STYLE });
}

export function drawCharts({ sections }) {
  mkdirSync(new URL("charts/", here), { recursive: true });
  for (const chart of charts) {
    const found = sections[chart.section];
    if (found) writeFileSync(new URL(`charts/${chart.section}.svg`, here), draw(chart, found));
  }
}
