/** The pad: lines by mouse, pen or finger, and what else is to be recognised in their place. */
import { paintPixels } from "../charts/colours.ts";
import { h } from "../dom.ts";
import type { Stroke } from "../lab/protocol.ts";

/** Pixels of the canvas a side. */
const SIDE = 640;
const THICKNESS = { least: 0.02, most: 0.16, usual: 0.075 };

export interface Pad {
  readonly element: HTMLElement;
  /** Shows 28x28 pixels until something is drawn. */
  show(pixels: Uint8Array): void;
}

function drawStroke(context: CanvasRenderingContext2D, { width, points }: Stroke): void {
  const [x = 0, y = 0, ...rest] = points;
  context.lineWidth = width * SIDE;
  context.beginPath();
  context.moveTo(x * SIDE, y * SIDE);
  // A line of no length is drawn as a dot.
  context.lineTo(x * SIDE, y * SIDE);
  for (let i = 0; i < rest.length; i += 2) context.lineTo(rest[i]! * SIDE, rest[i + 1]! * SIDE);
  context.stroke();
}

/** Draws the lines, on 28x28 pixels where they are shown. */
function drawPad(canvas: HTMLCanvasElement, strokes: readonly Stroke[], shown: Uint8Array | undefined): void {
  const context = canvas.getContext("2d")!;
  context.clearRect(0, 0, SIDE, SIDE);
  if (shown) {
    const small = document.createElement("canvas");
    paintPixels(small, shown, { width: 28, height: 28, largest: 255 });
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, SIDE, SIDE);
  }
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = getComputedStyle(canvas).color;
  for (const stroke of strokes) drawStroke(context, stroke);
}

/** Where a pointer has been since its last event, x and y in turn, in shares of the element's sides. */
function placesOf(event: PointerEvent, element: Element): number[] {
  const box = element.getBoundingClientRect();
  const moves = event.getCoalescedEvents?.() ?? [];
  const all = moves.length > 0 ? moves : [event];
  return all.flatMap(({ clientX, clientY }) => [(clientX - box.left) / box.width, (clientY - box.top) / box.height]);
}

/** @param onChange called with the lines whenever they change */
export function createPad(onChange: (strokes: readonly Stroke[]) => void, tools: readonly Node[]): Pad {
  const canvas = h("canvas", {
    class: "pad",
    width: SIDE,
    height: SIDE,
    tabindex: 0,
    role: "img",
    "aria-label": "Pad to draw a digit on, with mouse, pen or finger. Without one of them, take a test image.",
  });
  const thickness = h("input", {
    type: "range",
    min: THICKNESS.least,
    max: THICKNESS.most,
    step: 0.005,
    value: THICKNESS.usual,
  });
  const undoButton = h("button", { type: "button", disabled: true, onclick: () => undo() }, "Undo");
  const clearButton = h("button", { type: "button", disabled: true, onclick: () => clear() }, "Clear");
  let strokes: Stroke[] = [];
  let shown: Uint8Array | undefined;
  let points: number[] | undefined;

  function redraw(): void {
    drawPad(canvas, strokes, shown);
    undoButton.disabled = strokes.length === 0;
    clearButton.disabled = strokes.length === 0 && !shown;
  }

  function change(next: Stroke[]): void {
    strokes = next;
    redraw();
    onChange(strokes);
  }
  const undo = () => change(strokes.slice(0, -1));
  const clear = () => {
    shown = undefined;
    change([]);
  };

  function add(event: PointerEvent): void {
    points!.push(...placesOf(event, canvas));
    change([...strokes.slice(0, -1), { width: thickness.valueAsNumber, points: points! }]);
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary || event.button !== 0) return;
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    shown = undefined;
    points = [];
    strokes = [...strokes, { width: 0, points }];
    add(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (points && event.isPrimary) add(event);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => {
      points = undefined;
    });
  }
  addEventListener("keydown", (event) => {
    if (event.target instanceof HTMLInputElement) return;
    if ((event.ctrlKey || event.metaKey) && event.key === "z" && strokes.length > 0) undo();
    else if (event.target === canvas && ["Delete", "Backspace", "Escape"].includes(event.key)) clear();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  redraw();

  const element = h(
    "div",
    { class: "pad-frame" },
    canvas,
    h("div", { class: "tools" }, undoButton, clearButton, ...tools),
    h("label", { class: "thickness" }, h("span", {}, "Line"), thickness),
  );
  return {
    element,
    show: (pixels) => {
      strokes = [];
      shown = pixels;
      redraw();
    },
  };
}
