/** Lines to grey levels, as a picture of dark ink on white paper. */
import type { GreyImage } from "lenet";
import type { Stroke } from "./protocol.ts";

const SIDE = 200;
/** Paper around the pad, so that no line comes in from outside the picture. */
const MARGIN = 20;

/** Distance of a point from the segment a–b. */
function distance(x: number, y: number, ax: number, ay: number, bx: number, by: number): number {
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const along = length === 0 ? 0 : Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / length));
  return Math.hypot(x - ax - along * dx, y - ay - along * dy);
}

/** Draws a segment with round ends, its edge one pixel soft. */
function drawSegment(image: GreyImage, radius: number, [ax, ay, bx, by]: readonly [number, number, number, number]) {
  const { width, height, data } = image;
  const reach = radius + 1;
  const [left, right] = [Math.floor(Math.min(ax, bx) - reach), Math.ceil(Math.max(ax, bx) + reach)];
  const [top, bottom] = [Math.floor(Math.min(ay, by) - reach), Math.ceil(Math.max(ay, by) + reach)];
  for (let y = Math.max(0, top); y <= Math.min(height - 1, bottom); y++) {
    for (let x = Math.max(0, left); x <= Math.min(width - 1, right); x++) {
      const cover = Math.min(1, Math.max(0, radius + 0.5 - distance(x, y, ax, ay, bx, by)));
      const level = Math.round(255 * (1 - cover));
      if (level < data[y * width + x]!) data[y * width + x] = level;
    }
  }
}

export function rasterize(strokes: readonly Stroke[]): GreyImage {
  const side = SIDE + 2 * MARGIN;
  const image = { width: side, height: side, data: new Uint8Array(side * side).fill(255) };
  const place = (share: number) => MARGIN + share * SIDE;
  for (const { width, points } of strokes) {
    const radius = (width * SIDE) / 2;
    for (let i = 0; i < points.length; i += 2) {
      const from = Math.max(0, i - 2);
      const [ax, ay] = [place(points[from]!), place(points[from + 1]!)];
      drawSegment(image, radius, [ax, ay, place(points[i]!), place(points[i + 1]!)]);
    }
  }
  return image;
}
