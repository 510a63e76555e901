/** How a report looks: light, dark, on paper. Colours are those of Okabe and Ito, which the colour-blind tell apart. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #ffffff; --ink: #1c2126; --soft: #59626b; --rule: #dfe3e7; --wash: #f5f6f8;
  --right: 0 114 178; --wrong: 213 94 0; --wrong-text: #ad4a00; --bar: #a9b4be;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #14171a; --ink: #e7eaed; --soft: #a3adb6; --rule: #30363c; --wash: #1c2024;
    --right: 86 180 233; --wrong: 230 159 0; --wrong-text: #f0b429; --bar: #66717b;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; max-width: 68rem; padding: 2.5rem 1rem 3rem;
  background: var(--page); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word;
}
header p { margin: 0.35rem 0 0; color: var(--soft); }
h1 { margin: 0; font-size: clamp(1.4rem, 1.1rem + 1.5vw, 2rem); line-height: 1.2; font-weight: 650; letter-spacing: -0.015em; }
h2 { margin: 0 0 1.1rem; font-size: 1.2rem; line-height: 1.3; font-weight: 650; }
section { margin-top: 3rem; padding-top: 1.5rem; border-top: 1px solid var(--rule); }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--rule); color: var(--soft); font-size: 0.85rem; }
.note { margin: 0.8rem 0; color: var(--soft); font-size: 0.9rem; max-width: 48rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1.25rem; margin: 2rem 0 0; }
.tiles dt { color: var(--soft); font-size: 0.85rem; }
.tiles dd { margin: 0.1rem 0 0; font-size: 1.45rem; line-height: 1.25; font-weight: 600; font-variant-numeric: tabular-nums; }

.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 25rem), 1fr)); gap: 2rem 3rem; align-items: start; }
.pair > * { min-width: 0; }
figure { margin: 0; }
figcaption, caption { color: var(--ink); font-size: 0.95rem; font-weight: 600; text-align: left; }
figure > figcaption { margin-bottom: 0.8rem; }
svg { display: block; width: 100%; max-width: 34rem; height: auto; overflow: visible; font: 13px system-ui, sans-serif; }
svg text { fill: var(--soft); font-variant-numeric: tabular-nums; }
svg .grid { stroke: var(--rule); }
svg .tick.value, svg .name { text-anchor: end; }
svg .tick.place, svg .axis { text-anchor: middle; }
svg .legend, svg .name { fill: var(--ink); }
svg .line { stroke: rgb(var(--right)); stroke-width: 2; fill: none; stroke-linejoin: round; }
svg .line circle, svg .line rect { fill: var(--page); }
svg .line-1 { stroke: rgb(var(--wrong)); }
svg .line-1 path { stroke-dasharray: 6 4; }
svg .bar { fill: var(--bar); }
svg .bar.own { fill: rgb(var(--wrong)); }
svg .value.own { fill: var(--ink); font-weight: 600; }

table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
caption { padding-bottom: 0.6rem; }
th { font-weight: inherit; text-align: left; }
.scroll { overflow: auto; }
.scroll.high { max-height: 30rem; }
:focus-visible, .scroll:focus-visible { outline: 2px solid rgb(var(--right)); outline-offset: 3px; }
.numbers, .facts { width: 100%; }
.numbers th, .numbers td, .facts th, .facts td { padding: 0.34rem 0.6rem 0.34rem 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
.numbers td, .numbers thead th:not(:first-child) { padding-right: 0; padding-left: 0.6rem; text-align: right; }
.numbers .text.text { text-align: left; }
.numbers thead th { color: var(--soft); font-size: 0.82rem; vertical-align: bottom; }
.numbers tfoot th, .numbers tfoot td { border-bottom: 0; font-weight: 600; }
.facts th { color: var(--soft); width: 36%; }
.facts td { overflow-wrap: anywhere; }
.narrow { max-width: 44rem; }
.kind { color: var(--soft); margin-left: 0.3rem; }

.matrix { width: 100%; max-width: 36rem; table-layout: fixed; border-collapse: separate; border-spacing: 2px; font-size: 0.82rem; }
.matrix td, .matrix th { height: 2.1rem; padding: 0; text-align: center; white-space: nowrap; }
.matrix th { color: var(--soft); font-weight: 600; background: var(--page); }
.matrix tbody td { background: rgb(var(--wrong) / var(--shade)); border-radius: 3px; }
.matrix tbody td.right { background: rgb(var(--right) / var(--shade)); font-weight: 600; }
.matrix tbody td.none { background: none; color: var(--soft); }
.matrix.long { table-layout: auto; width: auto; }
.matrix.long td { min-width: 2.1rem; }
.matrix.long tbody th { position: sticky; left: 0; padding-right: 0.5rem; text-align: right; white-space: nowrap; }
.matrix.long thead th { height: auto; vertical-align: bottom; }
.matrix.long thead span { display: inline-block; writing-mode: vertical-rl; transform: rotate(180deg); white-space: nowrap; padding: 0.4rem 0; }

details { margin-top: 1rem; }
summary { cursor: pointer; color: var(--soft); font-size: 0.9rem; }
details .scroll { margin-top: 0.8rem; max-width: 40rem; max-height: 30rem; }

.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(7.2rem, 1fr)); gap: 1.5rem 1rem; margin: 0; padding: 0; list-style: none; }
.gallery img { display: block; width: 100%; height: auto; aspect-ratio: 1; object-fit: contain; image-rendering: pixelated; background: var(--wash); border-radius: 6px; }
.gallery figcaption { margin-top: 0.5rem; font-weight: 400; font-size: 0.82rem; line-height: 1.4; }
.gallery span { display: block; }
.gallery .what { font-size: 0.95rem; margin-bottom: 0.15rem; }
.gallery b { font-weight: 650; }
.gallery .wrong { color: var(--wrong-text); }
.gallery .how { color: var(--soft); font-variant-numeric: tabular-nums; }

@media (max-width: 30rem) {
  .matrix { font-size: 0.7rem; border-spacing: 1px; }
  .matrix tbody td.right { font-weight: inherit; }
  .matrix td, .matrix th { height: 1.7rem; }
  .tiles { grid-template-columns: 1fr 1fr; }
  .tiles dd { font-size: 1.2rem; }
  .gallery { grid-template-columns: repeat(3, 1fr); gap: 1.1rem 0.7rem; }
  .numbers, .facts { font-size: 0.84rem; }
  .numbers td, .numbers thead th:not(:first-child) { padding-left: 0.4rem; }
  svg { font-size: 15px; }
}
@media print {
  @page { margin: 16mm; }
  :root { color-scheme: light; }
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  section { margin-top: 1.6rem; padding-top: 1rem; }
  h2, caption, figcaption { break-after: avoid; }
  figure, tr, li { break-inside: avoid; }
  .scroll { overflow: visible; max-height: none !important; }
  .pair { grid-template-columns: 1fr 1fr; gap: 1.5rem 2rem; }
  .gallery { grid-template-columns: repeat(6, 1fr); }
  .tiles { grid-template-columns: repeat(4, auto); }
  .tiles dd { font-size: 1.15rem; }
  .matrix { font-size: 0.62rem; border-spacing: 1px; }
  .numbers, .facts { font-size: 0.8rem; }
  svg { font-size: 15px; }
  td, svg, img { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
