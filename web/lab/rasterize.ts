/** Lines to grey levels, as a picture of dark ink on white paper. */
import type { GreyImage } from "lenet";
import type { Stroke } from "./protocol.ts";

/** Pixels of the longest side of what is drawn, however small it is: the preparation scales it to 20. */
const INK = 96;
/** Paper around it, so that no line comes in from outside the picture. */
const MARGIN = 12;
const SIDE = INK + 2 * MARGIN;

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

/** The box around all lines: its left upper corner and its longest side. */
function boxOf(strokes: readonly Stroke[]) {
  const [x, y] = [0, 1].map((axis) => {
    const reaches = strokes.flatMap(({ width, points }) =>
      points.filter((_, i) => i % 2 === axis).flatMap((point) => [point - width / 2, point + width / 2]),
    );
    const start = reaches.reduce((least, reach) => Math.min(least, reach), Number.POSITIVE_INFINITY);
    return { start, extent: reaches.reduce((most, reach) => Math.max(most, reach), start) - start };
  }) as [{ start: number; extent: number }, { start: number; extent: number }];
  return { left: x.start, top: y.start, side: Math.max(x.extent, y.extent) };
}

export function rasterize(strokes: readonly Stroke[]): GreyImage {
  const image = { width: SIDE, height: SIDE, data: new Uint8Array(SIDE * SIDE).fill(255) };
  const { left, top, side } = boxOf(strokes);
  const scale = INK / side;
  for (const { width, points } of strokes) {
    const placed = points.map((point, i) => MARGIN + (point - (i % 2 === 0 ? left : top)) * scale);
    for (let i = 0; i < placed.length; i += 2) {
      const from = Math.max(0, i - 2);
      const segment = [placed[from]!, placed[from + 1]!, placed[i]!, placed[i + 1]!] as const;
      drawSegment(image, (width * scale) / 2, segment);
    }
  }
  return image;
}
