/** The layers of the network. */
import { type Html, html, section } from "./html.ts";
import { count, dimensions } from "./words.ts";

export interface LayerRow {
  readonly name: string;
  /** Keras's name of what it is. */
  readonly className: string;
  readonly outputShape: readonly number[];
  readonly parameters: number;
  readonly trainable: boolean;
}

export function layersSection(inputShape: readonly number[], layers: readonly LayerRow[]): Html {
  const rows = layers.map(({ name, className, outputShape, parameters, trainable }) => {
    const frozen = trainable || parameters === 0 ? "" : ", frozen";
    return html`<tr><th scope="row">${name} <span class="kind">${className}${frozen}</span></th><td>${dimensions(outputShape)}</td><td>${count(parameters)}</td></tr>`;
  });
  const total = layers.reduce((sum, { parameters }) => sum + parameters, 0);
  return section(
    "layers",
    "Layers",
    html`<table class="numbers narrow">
<caption class="unseen">Layers, their outputs and parameters</caption>
<thead><tr><th scope="col">Layer</th><th scope="col">Output</th><th scope="col">Parameters</th></tr></thead>
<tbody>
<tr><th scope="row">input</th><td>${dimensions(inputShape)}</td><td>0</td></tr>
${rows}
</tbody>
<tfoot><tr><th scope="row">together</th><td></td><td>${count(total)}</td></tr></tfoot>
</table>`,
  );
}
