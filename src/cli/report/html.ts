/** HTML as text: what is put into it is escaped, unless it is HTML itself. */
import { escaped } from "../../charts/svg.ts";

/** Markup that may stand in a page as it is. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Part = string | number | Html | readonly Html[];

function textOf(part: Part): string {
  if (part instanceof Html) return part.text;
  return typeof part === "object" ? part.map(({ text }) => text).join("\n") : escaped(String(part));
}

/** A template of HTML. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(strings.map((text, i) => text + (i < parts.length ? textOf(parts[i]!) : "")).join(""));
}

export const NOTHING = new Html("");

/** A part of the page under a heading. */
export function section(id: string, title: string, body: Html): Html {
  return html`<section aria-labelledby="${id}">
<h2 id="${id}">${title}</h2>
${body}
</section>`;
}

/** A table that scrolls for itself where it is too wide or too high; its caption says what it is. */
export function scrolling(label: string, table: Html, kind = ""): Html {
  return html`<div class="scroll ${kind}" role="region" tabindex="0" aria-label="${label}">
${table}
</div>`;
}

export type Fact = readonly [name: string, value: string];

/** Names and values in two columns. */
export function factTable(caption: string, facts: readonly Fact[]): Html {
  const rows = facts.map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`);
  return html`<table class="facts">
<caption>${caption}</caption>
<tbody>
${rows}
</tbody>
</table>`;
}
