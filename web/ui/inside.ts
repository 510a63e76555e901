/** The layers as a picture, left to right: each map live as one draws. */
import { onSchemeChange, paintPixels, strongest } from "../charts/colours.ts";
import { h, section } from "../dom.ts";
import type { LayerInfo, NetworkInfo, Sight } from "../lab/protocol.ts";
import type { Details, Place } from "./details.ts";

/** Layers whose output is the one before, perhaps in another shape. */
const isHidden = ({ className }: LayerInfo) => /^(Flatten|Reshape|Dropout|Random.*)$/.test(className);
/** Of wider layers the first ones are shown. */
const MOST_MAPS = 128;
/** Few maps come near to the largest value of their layer. */
const GAMMA = 0.7;

export interface Inside {
  readonly element: HTMLElement;
  open(network: NetworkInfo): void;
  show(sight: Sight | undefined): void;
  /** The weights have changed. */
  outdate(): void;
}

interface Column {
  readonly layer: LayerInfo;
  readonly figure: HTMLElement;
  paint(values: ArrayLike<number> | undefined): void;
}

const INPUT: LayerInfo = { name: "input", className: "InputLayer", outputShape: [28, 28, 1], parameters: 0 };

const KINDS: Readonly<Record<string, string>> = {
  InputLayer: "input",
  Conv2D: "convolution",
  DepthwiseConv2D: "depthwise convolution",
  MaxPooling2D: "largest of 2×2",
  AveragePooling2D: "mean of 2×2",
  Dense: "dense",
};

/** Arrow keys move among the buttons of a grid, of which one alone is reached by the tab key. */
function moveByKeys(buttons: readonly HTMLButtonElement[], columns: number): (event: KeyboardEvent) => void {
  const moves: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  return (event) => {
    const from = buttons.indexOf(event.target as HTMLButtonElement);
    const to = buttons[from + (moves[event.key] ?? Number.NaN)];
    if (!to) return;
    event.preventDefault();
    buttons[from]!.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
  };
}

function mapsColumn(layer: LayerInfo, onPlace: (place: Place) => void): Column {
  const [height = 1, width = 1, channels = 1] = layer.outputShape;
  const count = Math.min(channels, MOST_MAPS);
  const columns = count <= 2 ? 1 : count <= 24 ? 4 : 5;
  const canvases = Array.from({ length: count }, () => h("canvas", { width, height }));
  const buttons = canvases.map((canvas, channel) => {
    const choose = (event: Event) => {
      document.querySelector(".map.chosen")?.classList.remove("chosen");
      (event.currentTarget as HTMLElement).classList.add("chosen");
      onPlace({ layer, channel });
    };
    const label = count === 1 ? layer.name : `${layer.name}, map ${channel + 1} of ${channels}`;
    const attributes = { type: "button", class: "map", tabindex: channel === 0 ? 0 : -1, "aria-label": label };
    return h("button", { ...attributes, onpointerenter: choose, onfocus: choose, onclick: choose }, canvas);
  });
  const size = width >= 20 ? "large" : width >= 10 ? "middle" : "small";
  const grid = h("div", { class: `maps ${count === 1 ? "single" : size}`, style: `--columns: ${columns}` }, ...buttons);
  grid.addEventListener("keydown", moveByKeys(buttons, columns));
  return {
    layer,
    figure: h("figure", {}, grid),
    paint: (values = new Float32Array(height * width * channels)) => {
      const largest = strongest(values);
      for (const [first, canvas] of canvases.entries()) {
        paintPixels(canvas, values, { width, height, largest, stride: channels, first, gamma: GAMMA });
      }
    },
  };
}

/** Units as cells, as many rows as fit. */
function unitsColumn(layer: LayerInfo, onPlace: (place: Place) => void): Column {
  const units = layer.outputShape.reduce((product, length) => product * length, 1);
  const width = units <= 16 ? 1 : Math.ceil(Math.sqrt(units * 0.8));
  const height = Math.ceil(units / width);
  const canvas = h("canvas", { width, height });
  let channel = 0;
  const choose = (next: number) => {
    channel = Math.max(0, Math.min(units - 1, next));
    document.querySelector(".map.chosen")?.classList.remove("chosen");
    onPlace({ layer, channel });
  };
  const button = h(
    "button",
    {
      type: "button",
      class: `units ${width === 1 ? "few" : ""}`,
      "aria-label": `${layer.name}, ${units} units; arrow keys move among them`,
      onfocus: () => choose(channel),
      onpointermove: (event: PointerEvent) => {
        const box = canvas.getBoundingClientRect();
        const column = Math.floor(((event.clientX - box.left) / box.width) * width);
        const row = Math.floor(((event.clientY - box.top) / box.height) * height);
        choose(row * width + Math.max(0, Math.min(width - 1, column)));
      },
      onkeydown: (event: KeyboardEvent) => {
        const moves: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -width, ArrowDown: width };
        const move = moves[event.key];
        if (move === undefined) return;
        event.preventDefault();
        choose(channel + move);
      },
    },
    canvas,
  );
  const digits = h("ol", { class: "digits", "aria-hidden": "true" });
  if (units === 10) digits.append(...Array.from({ length: 10 }, (_, digit) => h("li", {}, String(digit))));
  return {
    layer,
    figure: h("figure", { class: units === 10 ? "ten" : "" }, h("div", { class: "units-frame" }, button, digits)),
    paint: (values = new Float32Array(units)) => {
      const padded = new Float32Array(width * height);
      padded.set(Float32Array.from(values));
      paintPixels(canvas, padded, { width, height, largest: strongest(values), gamma: GAMMA });
    },
  };
}

function caption({ className, name, outputShape }: LayerInfo): HTMLElement {
  const [height, width, channels] = outputShape;
  const size = channels === undefined ? `${height} units` : `${channels} × ${height}×${width}`;
  return h("figcaption", { title: name }, h("b", {}, KINDS[className] ?? name), h("span", {}, size));
}

export function createInside(details: Details): Inside {
  const strip = h("div", { class: "strip", tabindex: 0, role: "group", "aria-label": "Layers, from input to output" });
  let columns: Column[] = [];
  let sight: Sight | undefined;
  let drawn = "";

  function paint(): void {
    for (const { layer, paint } of columns) {
      paint(layer === INPUT ? sight?.pixels : sight?.outputs.get(layer.name));
    }
    details.show(sight);
  }
  onSchemeChange(paint);

  const hint = "Point at a map, tap it or move to it by the arrow keys, for its filter, its input and its numbers.";
  return {
    element: section("inside", "See inside", hint, h("div", { class: "strip-frame" }, strip), details.element),
    open: (network) => {
      // While one trains anew the picture stays, and what has been chosen in it.
      const next = JSON.stringify(network.layers);
      if (next === drawn) return;
      drawn = next;
      const layers = [INPUT, ...network.layers.filter((layer) => !isHidden(layer))];
      columns = layers.map((layer, i) => {
        const choose = (place: Place) => details.open(place, layers[i - 1]);
        const column = (layer.outputShape.length === 3 ? mapsColumn : unitsColumn)(layer, choose);
        column.figure.append(caption(layer));
        return column;
      });
      strip.replaceChildren(...columns.map(({ figure }) => figure));
      const first = layers[1] ?? INPUT;
      details.open({ layer: first, channel: 0 }, layers[0]);
      paint();
    },
    show: (next) => {
      sight = next;
      paint();
    },
    outdate: details.outdate,
  };
}
