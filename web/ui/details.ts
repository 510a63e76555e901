/** One map or unit looked at closely: its numbers, its filter, and what the filter is laid on. */
import type { Remote } from "comlink";
import { type Palette, paintPixels, strongest } from "../charts/colours.ts";
import { h } from "../dom.ts";
import type { Filter, Lab, LayerInfo, Sight } from "../lab/protocol.ts";

/** A map of a layer, or one of its units. */
export interface Place {
  readonly layer: LayerInfo;
  readonly channel: number;
}

export interface Details {
  readonly element: HTMLElement;
  /** @param before the layer whose output this one takes */
  open(place: Place, before: LayerInfo | undefined): void;
  show(sight: Sight | undefined): void;
  /** The weights have changed. */
  outdate(): void;
}

/** Outputs of a layer in a sight, the input's as well. */
function outputOf(sight: Sight | undefined, { name, className }: LayerInfo): ArrayLike<number> | undefined {
  return className === "InputLayer" ? sight?.pixels : sight?.outputs.get(name);
}

/** Every so-manieth value, from the first. */
const channelOf = (values: ArrayLike<number>, channel: number, channels: number) =>
  Float32Array.from({ length: values.length / channels }, (_, i) => values[i * channels + channel]!);

const short = (value: number) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3));

function statistics(values: Float32Array): string {
  if (values.length === 1) return `value ${short(values[0]!)}`;
  const sum = values.reduce((total, value) => total + value, 0);
  const positive = values.filter((value) => value > 0).length;
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return `from ${short(least)} to ${short(most)}, mean ${short(sum / values.length)}; ${positive} of ${values.length} above 0`;
}

/** So many canvases in an element, those that are there first. */
function canvasesIn(element: HTMLElement, count: number): HTMLCanvasElement[] {
  while (element.children.length > count) element.lastChild!.remove();
  while (element.children.length < count) element.append(h("canvas"));
  return [...element.children] as HTMLCanvasElement[];
}

/** Values without a shape of their own, as a square, its last row filled up. */
function paintSquare(element: HTMLElement, values: ArrayLike<number>, palette: Palette): void {
  const width = Math.ceil(Math.sqrt(values.length));
  const padded = new Float32Array(width * Math.ceil(values.length / width));
  padded.set(Float32Array.from(values));
  const size = { width, height: padded.length / width };
  paintPixels(canvasesIn(element, 1)[0]!, padded, { ...size, largest: strongest(values), palette });
}

/** Maps side by side, in colours that can be compared; all of them, or those that are wanted. */
function paintTiles(
  element: HTMLElement,
  values: ArrayLike<number>,
  { shape, palette, only }: { shape: readonly number[]; palette: Palette; only?: number | undefined },
): void {
  const [height = 1, width = 1, channels = 1] = shape;
  const wanted = only === undefined ? Array.from({ length: channels }, (_, i) => i) : [only];
  const largest = strongest(values);
  for (const [i, canvas] of canvasesIn(element, wanted.length).entries()) {
    paintPixels(canvas, values, { width, height, largest, stride: channels, first: wanted[i]!, palette });
  }
}

const sizeOf = (shape: readonly number[]) => shape.reduce((product, length) => product * length, 1);

/** The weights as they lie on what they are multiplied by: one tile for each map of the layer before. */
function paintFilter(element: HTMLElement, { shape, weights }: Filter, before: LayerInfo | undefined): void {
  const spatial = shape.length === 3 ? shape : before?.outputShape;
  const fits = spatial?.length === 3 && sizeOf(spatial) === weights.length;
  if (fits) paintTiles(element, weights, { shape: spatial, palette: "diverging" });
  else paintSquare(element, weights, "diverging");
}

/** A large picture of a map whose values can be read one by one. */
function createReader(): { element: HTMLElement; show(values: Float32Array, width: number, height: number): void } {
  const canvas = h("canvas", { role: "img", "aria-label": "The map, large" });
  const cursor = h("span", { class: "cursor", "aria-hidden": "true" });
  const readout = h("p", { class: "readout" });
  let at: { x: number; y: number } | undefined;
  let map: { values: Float32Array; width: number; height: number } = {
    values: new Float32Array(1),
    width: 1,
    height: 1,
  };
  function read(): void {
    const { values, width, height } = map;
    const inside = at && at.x < width && at.y < height ? at : undefined;
    cursor.hidden = inside === undefined;
    if (inside) {
      cursor.style.left = `${(100 * inside.x) / width}%`;
      cursor.style.top = `${(100 * inside.y) / height}%`;
      cursor.style.width = `${100 / width}%`;
      cursor.style.height = `${100 / height}%`;
    }
    readout.textContent = inside
      ? `row ${inside.y + 1}, column ${inside.x + 1}: ${short(values[inside.y * width + inside.x]!)}`
      : "Point at a pixel to read its value.";
  }
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    const x = Math.floor(((event.clientX - box.left) / box.width) * map.width);
    const y = Math.floor(((event.clientY - box.top) / box.height) * map.height);
    at = { x, y };
    read();
  });
  canvas.addEventListener("pointerleave", () => {
    at = undefined;
    read();
  });
  return {
    element: h("div", { class: "reader" }, h("div", { class: "reader-frame" }, canvas, cursor), readout),
    show: (values, width, height) => {
      map = { values, width, height };
      paintPixels(canvas, values, { width, height, largest: strongest(values) });
      read();
    },
  };
}

export function createDetails(lab: Remote<Lab>): Details {
  const title = h("h3");
  const numbers = h("p", { class: "numbers" });
  const reader = createReader();
  const filterTitle = h("h4");
  const tiles = h("div", { class: "tiles" });
  const inputTitle = h("h4");
  const inputs = h("div", { class: "tiles" });
  let place: Place | undefined;
  let before: LayerInfo | undefined;
  let sight: Sight | undefined;
  let asked = 0;

  async function showFilter(): Promise<void> {
    const ask = ++asked;
    const { layer, channel } = place!;
    const filter = layer.className === "InputLayer" ? undefined : await lab.filter(layer.name, channel);
    if (ask !== asked) return;
    filterTitle.textContent = filter ? `Its filter, ${filter.shape.join("×")}` : "No weights of its own";
    tiles.hidden = filter === undefined;
    if (filter) paintFilter(tiles, filter, before);
    if (filter?.bias !== undefined) filterTitle.append(`, and ${short(filter.bias)} added to each sum`);
  }

  function showInputs(): void {
    inputTitle.textContent = before ? "Its input" : "";
    inputs.hidden = before === undefined;
    if (!before || !place) return;
    const shape = before.outputShape;
    const values = outputOf(sight, before) ?? new Float32Array(sizeOf(shape));
    const only = place.layer.className.includes("Pooling") ? place.channel : undefined;
    if (shape.length === 3) paintTiles(inputs, values, { shape, palette: "sequential", only });
    else paintSquare(inputs, values, "sequential");
  }

  function render(): void {
    if (!place) return;
    const { layer, channel } = place;
    const { outputShape } = layer;
    const isMap = outputShape.length === 3;
    const [height = 1, width = 1, channels = 1] = isMap ? outputShape : [1, 1, outputShape[0]!];
    const what = layer.className === "InputLayer" ? "" : `, ${isMap ? "map" : "unit"} ${channel + 1} of ${channels}`;
    title.textContent = `${layer.name}${what}`;
    const values = outputOf(sight, layer);
    const map = values ? channelOf(values, channel, channels) : new Float32Array(width * height);
    numbers.textContent = values ? statistics(map) : "Draw something to see its numbers.";
    reader.element.hidden = !isMap;
    if (isMap) reader.show(map, width, height);
    showInputs();
  }

  const outdate = () => void showFilter().catch(() => {});

  return {
    element: h(
      "div",
      { class: "details" },
      h("div", {}, title, numbers, reader.element),
      h("div", {}, filterTitle, tiles, inputTitle, inputs),
    ),
    open: (next, nextBefore) => {
      if (place?.layer === next.layer && place.channel === next.channel) return;
      place = next;
      before = nextBefore;
      render();
      outdate();
    },
    show: (next) => {
      sight = next;
      render();
    },
    outdate,
  };
}
