/** A gallery of pictures that were taken for something else. */
import { paintPixels } from "./colours.ts";

export interface GalleryItem {
  readonly pixels: Uint8Array;
  readonly label: number;
  readonly prediction: number;
  /** Of the prediction. */
  readonly probability: number;
}

/** @param onSelect what a click on a picture does; without it they are no buttons */
export function gallery<Item extends GalleryItem>(
  items: readonly Item[],
  { width, height, onSelect }: { width: number; height: number; onSelect?: (item: Item) => void },
): HTMLUListElement {
  const list = document.createElement("ul");
  list.className = "gallery";
  for (const item of items) {
    const { pixels, label, prediction, probability } = item;
    const canvas = document.createElement("canvas");
    paintPixels(canvas, pixels, { width, height, largest: 255 });
    const sure = Math.floor(100 * probability);
    const caption = document.createElement("span");
    caption.textContent = `${label} → ${prediction}`;
    const frame = document.createElement(onSelect ? "button" : "div");
    frame.append(canvas, caption);
    frame.title = `Digit ${label}, taken for ${prediction}: ${sure} % sure`;
    if (onSelect) frame.addEventListener("click", () => onSelect(item));
    const entry = document.createElement("li");
    entry.append(frame);
    list.append(entry);
  }
  return list;
}
