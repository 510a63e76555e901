/** Bar charts of the results, as SVG that reads on light and on dark pages. */
import { mkdirSync, writeFileSync } from "node:fs";
import { here } from "./contenders.mjs";

const WIDTH = 720;
const LABEL = 210;
const VALUE = 130;
const BAR = 22;
const GAP = 10;
const TOP = 46;

/** What is drawn: a section, its title, and whether times differ so much that only a logarithm shows them all. */
const charts = [
  { section: "same", title: "Training step, LeNet on MNIST, batch 128, mean over 10 epochs (ms)" },
  { section: "valid", title: 'Training step with the second convolution "valid" (ms)' },
  { section: "convnet", title: "Training step, Conv 32, pool, Conv 64, pool, Dropout, Dense 10 (ms)" },
  { section: "strided", title: "Training step, three strided convolutions on 32x32x3 (ms)" },
  { section: "one", title: "One image, one call (ms)", logarithmic: true },
  { section: "many", title: "10,000 images (ms)" },
  { section: "cold", title: "One image from a cold start (s)" },
  { section: "recipe", title: "The whole recipe, process start to saved file (s)" },
  { section: "javascript", title: "Training step in JavaScript (ms, logarithmic)", logarithmic: true },
];

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(`"`, "&quot;");

const format = (value) =>
  value >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));

function draw({ title, logarithmic = false }, { median, ratios = {}, unit }) {
  const rows = Object.entries(median).filter(([name]) => name !== "one thread");
  rows.sort((a, b) => a[1] - b[1]);
  const most = rows.at(-1)[1];
  const least = rows[0][1] / 3;
  const share = (value) => (logarithmic ? Math.log(value / least) / Math.log(most / least) : value / most);
  const room = WIDTH - LABEL - VALUE;
  const bars = rows.map(([name, value], i) => {
    const y = TOP + i * (BAR + GAP);
    const ratio = ratios[name] ? `, ${format(1 / ratios[name])} times ours` : "";
    const own = name === "lenet" ? " own" : "";
    return `  <text class="name${own}" x="${LABEL - 10}" y="${y + 16}">${escaped(name)}</text>
  <rect class="bar${own}" x="${LABEL}" y="${y}" width="${Math.max(2, room * share(value)).toFixed(1)}" height="${BAR}" rx="3"/>
  <text class="value${own}" x="${(LABEL + room * share(value) + 8).toFixed(1)}" y="${y + 16}">${format(value)} ${unit}${ratio}</text>`;
  });
  const height = TOP + rows.length * (BAR + GAP) + 6;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH + 60} ${height}" role="img" aria-label="${escaped(title)}">
  <style>
    text { font: 13px system-ui, sans-serif; fill: #333; }
    .title { font-size: 15px; font-weight: 600; }
    .name { text-anchor: end; }
    .bar { fill: #9aa5b1; }
    .bar.own { fill: #0b6bcb; }
    .own { font-weight: 600; }
    @media (prefers-color-scheme: dark) { text { fill: #e6e6e6; } .bar { fill: #6b7683; } .bar.own { fill: #4aa3ff; } }
  </style>
  <text class="title" x="10" y="24">${escaped(title)}</text>
${bars.join("\n")}
</svg>
`;
}

export function drawCharts({ sections }) {
  mkdirSync(new URL("charts/", here), { recursive: true });
  for (const chart of charts) {
    const found = sections[chart.section];
    if (found) writeFileSync(new URL(`charts/${chart.section}.svg`, here), draw(chart, found));
  }
}
