/** How the network does on the test set: which digits it takes for which, and its worst mistakes. */
import { proxy, type Remote } from "comlink";
import { createBars } from "../charts/bars.ts";
import { onSchemeChange } from "../charts/colours.ts";
import { gallery } from "../charts/gallery.ts";
import { confusionTable } from "../charts/matrix.ts";
import { h, percent, section } from "../dom.ts";
import type { Judgement, Lab, Mistake } from "../lab/protocol.ts";

export interface Judge {
  readonly element: HTMLElement;
  /** There is another network: what was found is out of date, and found anew where it can be seen. */
  outdate(): void;
}

export interface JudgeListeners {
  onMistake(mistake: Mistake): void;
  onError(error: Error): void;
}

/** Bars begin here: what networks do worse than this is seen well enough. */
const BARS_FROM = 0.9;

export function createJudge(lab: Remote<Lab>, { onMistake, onError }: JudgeListeners): Judge {
  const status = h("p", { class: "status", role: "status" });
  const button = h("button", { type: "button", onclick: () => void judge() }, "Judge again");
  const matrix = h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Confusion matrix" });
  const bars = createBars({ from: BARS_FROM, digits: 1 });
  const worst = h("div");
  const results = h(
    "div",
    { hidden: true },
    h(
      "div",
      { class: "judgement" },
      h("div", {}, h("h3", {}, "Taken for what"), matrix),
      h(
        "div",
        {},
        h("h3", {}, "Accuracy of each digit"),
        bars.element,
        h("p", { class: "note" }, "Bars begin at 90 %."),
      ),
    ),
    h("h3", {}, "Worst mistakes"),
    h("p", { class: "note" }, "The surest first. Choose one to see inside."),
    worst,
  );
  let found: Judgement | undefined;
  let visible = false;
  let outdated = false;
  let busy = false;

  function show(): void {
    if (!found) return;
    const { accuracy, images, mistakes } = found;
    status.textContent = `${percent(accuracy, 2)} of ${images.toLocaleString("en")} test images; ${mistakes} mistakes.`;
    matrix.replaceChildren(confusionTable(found.matrix));
    bars.set(found.recalls);
    worst.replaceChildren(gallery(found.worst, { width: 28, height: 28, onSelect: onMistake }));
    results.hidden = false;
  }
  onSchemeChange(show);

  async function judge(): Promise<void> {
    if (busy) return;
    busy = true;
    outdated = false;
    button.disabled = true;
    status.textContent = "Looking at 10,000 test images …";
    const onData = proxy((loaded: number) => {
      status.textContent = `Loading the test images: ${(loaded / 1e6).toFixed(1)} MB`;
    });
    try {
      found = await lab.judge(onData);
      show();
    } catch (error) {
      status.textContent = "The test images could not be looked at.";
      onError(error as Error);
    }
    busy = false;
    button.disabled = false;
    if (outdated && visible) void judge();
  }

  const lead = "MNIST’s 10,000 test images, of which the network has seen none in training.";
  const element = section("judge", "Judge", lead, h("div", { class: "tools" }, button, status), results);
  new IntersectionObserver((entries) => {
    visible = entries.some(({ isIntersecting }) => isIntersecting);
    if (visible && outdated) void judge();
  }).observe(element);
  return {
    element,
    outdate: () => {
      outdated = true;
      if (visible) void judge();
    },
  };
}
