/** What the network says: the digit, how sure it is, and what it was given. */
import { createBars } from "../charts/bars.ts";
import { onSchemeChange, paintPixels, strongest } from "../charts/colours.ts";
import { h, percent } from "../dom.ts";
import type { Sight } from "../lab/protocol.ts";
import { largestOf } from "./viewer.ts";

/** Below this share the answer is called a guess. */
const SURE = 0.6;
/** What else is named beside a guess. */
const POSSIBLE = 0.15;
/** Screen readers are told once the hand rests. */
const QUIET_MILLISECONDS = 600;

export interface Verdict {
  readonly element: HTMLElement;
  show(sight: Sight | undefined): void;
  explain(values: Float32Array | undefined): void;
}

function sentence(probabilities: readonly number[]): string {
  const digit = largestOf(probabilities);
  if (probabilities[digit]! >= SURE) return `${percent(probabilities[digit]!, 0)} sure.`;
  const others = probabilities.flatMap((share, i) => (i !== digit && share >= POSSIBLE ? [i] : []));
  return others.length > 0 ? `Not sure: it may also be ${others.join(" or ")}.` : "Not sure: this looks like no digit.";
}

export function createVerdict(): Verdict {
  const digit = h("output", { class: "digit", "aria-hidden": "true" });
  const words = h("p", { class: "words" });
  const spoken = h("p", { class: "visually-hidden", "aria-live": "polite" });
  const pixels = h("canvas", {
    width: 28,
    height: 28,
    role: "img",
    "aria-label": "The 28 by 28 pixels that it is given",
  });
  const heat = h("canvas", { width: 28, height: 28, role: "img", "aria-label": "Which of the pixels decided" });
  const bars = createBars();
  let last: { sight: Sight | undefined; values: Float32Array | undefined } = { sight: undefined, values: undefined };
  let timer = 0;

  function show(sight: Sight | undefined): void {
    last = { ...last, sight };
    const size = { width: 28, height: 28 };
    paintPixels(pixels, sight?.pixels ?? new Uint8Array(784), { ...size, largest: 255 });
    const text = sight ? sentence(sight.probabilities) : "Draw a digit, and see what the network makes of it.";
    const found = sight ? String(largestOf(sight.probabilities)) : "";
    digit.textContent = found || "?";
    digit.classList.toggle("unsure", !sight || Math.max(...sight.probabilities) < SURE);
    words.textContent = text;
    bars.set(sight?.probabilities);
    clearTimeout(timer);
    timer = window.setTimeout(() => {
      spoken.textContent = sight ? `${found}. ${text}` : "The pad is empty.";
    }, QUIET_MILLISECONDS);
    if (!sight) explain(undefined);
  }

  function explain(values: Float32Array | undefined): void {
    last = { ...last, values };
    const shown = values ?? new Float32Array(784);
    paintPixels(heat, shown, { width: 28, height: 28, palette: "diverging", largest: strongest(shown) });
  }

  onSchemeChange(() => {
    show(last.sight);
    explain(last.values);
  });
  show(undefined);
  const element = h(
    "div",
    { class: "verdict" },
    h(
      "div",
      { class: "answer" },
      digit,
      words,
      h("figure", {}, pixels, h("figcaption", {}, "what it sees")),
      h("figure", {}, heat, h("figcaption", {}, "what decided")),
    ),
    bars.element,
    spoken,
  );
  return { element, show, explain };
}
