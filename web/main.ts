/** The page: its sections, and what passes between them. */
import { proxy, wrap } from "comlink";
import "./style.css";
import { h } from "./dom.ts";
import type { Lab, Mistake, NetworkInfo, TestImage } from "./lab/protocol.ts";
import { createDetails } from "./ui/details.ts";
import { createFiles } from "./ui/files.ts";
import { createInside } from "./ui/inside.ts";
import { createJudge } from "./ui/judge.ts";
import { createMessages } from "./ui/messages.ts";
import { createPad } from "./ui/pad.ts";
import { createTrain } from "./ui/train.ts";
import { createVerdict } from "./ui/verdict.ts";
import { createViewer } from "./ui/viewer.ts";

const messages = createMessages();
const onError = messages.error;

const worker = new Worker(new URL("./lab/worker.ts", import.meta.url), { type: "module" });
worker.addEventListener("error", ({ message }) => onError(new Error(message || "the worker could not be started")));
const lab = wrap<Lab>(worker);
// For the browser's console, and for tests.
Object.assign(globalThis, { lab });

const verdict = createVerdict();
const inside = createInside(createDetails(lab));
const viewer = createViewer(lab, {
  onSight: (sight) => {
    verdict.show(sight);
    inside.show(sight);
    if (sight && waiting) {
      pad.show(sight.pixels);
      waiting = false;
    }
  },
  onExplained: (values) => verdict.explain(values),
  onBusy: (busy) => verdict.element.setAttribute("aria-busy", String(busy)),
  onError,
});
/** Whether what is looked at is yet to be shown on the pad. */
let waiting = false;

function onNetwork(network: NetworkInfo): void {
  inside.open(network);
  inside.outdate();
  files.describe(network);
  viewer.start();
}

function onTrained(): void {
  viewer.refresh();
  inside.outdate();
}

function onOpened(network: NetworkInfo): void {
  onNetwork(network);
  judge.outdate();
}

function showTestImage({ pixels, label, index }: TestImage): void {
  pad.show(pixels);
  viewer.show({ kind: "pixels", pixels });
  messages.say(`Test image ${index}: digit ${label}.`);
}

function showMistake({ label, prediction, index, ...mistake }: Mistake): void {
  showTestImage({ ...mistake, label, index });
  messages.say(`Test image ${index}: digit ${label}, taken for ${prediction}.`);
  inside.element.scrollIntoView({ block: "start" });
}

const judge = createJudge(lab, { onMistake: showMistake, onError });
const files = createFiles(lab, {
  onNetwork: onOpened,
  onPicture: (bytes, name) => {
    waiting = true;
    viewer.show({ kind: "picture", bytes, name });
  },
  onError,
});
const train = createTrain(lab, { onNetwork, onChange: onTrained, onEnd: judge.outdate, onError });
const onExampleData = proxy((loaded: number) =>
  messages.say(`Loading the test images: ${(loaded / 1e6).toFixed(1)} MB`),
);
const example = () => lab.example(onExampleData).then(showTestImage, onError);
const exampleButton = h("button", { type: "button", onclick: () => void example() }, "Example");
const pad = createPad(
  (strokes) => {
    waiting = false;
    viewer.show(strokes.length > 0 ? { kind: "strokes", strokes } : undefined);
  },
  [files.pictureButton, exampleButton],
);

document
  .querySelector("main")!
  .replaceChildren(
    h(
      "div",
      { class: "aside" },
      h(
        "section",
        { id: "draw", class: "card", "aria-labelledby": "draw-title" },
        h("h2", { id: "draw-title" }, "Draw"),
        pad.element,
        verdict.element,
      ),
    ),
    h("div", { class: "rest" }, inside.element, train, judge.element, files.element),
  );
document.body.append(messages.element);

const file = new URLSearchParams(location.search).get("model") ?? undefined;
lab.start(document.baseURI, file).then(onOpened, onError);
