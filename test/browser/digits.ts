/** Digits as one would draw them, as lines in a square of side 1, in several shapes. */

type Point = readonly [x: number, y: number];
type Line = readonly Point[];

/** Part of an ellipse, from angle to angle in turns, clockwise from the right as screens have it. */
function arc(cx: number, cy: number, rx: number, ry: number, from: number, to: number): Line {
  const steps = Math.max(4, Math.ceil(Math.abs(to - from) * 12));
  return Array.from({ length: steps + 1 }, (_, i) => {
    const angle = 2 * Math.PI * (from + ((to - from) * i) / steps);
    return [cx + rx * Math.cos(angle), cy + ry * Math.sin(angle)] as const;
  });
}

const DIGITS: readonly (readonly Line[])[] = [
  [arc(0.5, 0.5, 0.3, 0.45, -0.25, 0.78)],
  [
    [
      [0.42, 0.2],
      [0.52, 0.05],
      [0.5, 0.5],
      [0.48, 0.95],
    ],
  ],
  [[...arc(0.48, 0.28, 0.26, 0.22, -0.5, 0.08), [0.45, 0.72], [0.2, 0.94], [0.5, 0.9], [0.82, 0.92]]],
  [[...arc(0.45, 0.28, 0.26, 0.22, -0.45, 0.22), ...arc(0.45, 0.71, 0.29, 0.23, -0.22, 0.42)]],
  [
    [
      [0.3, 0.08],
      [0.2, 0.55],
      [0.8, 0.52],
    ],
    [
      [0.68, 0.15],
      [0.64, 0.95],
    ],
  ],
  [[[0.72, 0.06], [0.32, 0.08], [0.28, 0.44], ...arc(0.46, 0.67, 0.28, 0.27, -0.35, 0.4)]],
  [[[0.62, 0.04], [0.4, 0.22], [0.27, 0.5], ...arc(0.47, 0.72, 0.22, 0.22, 0.5, -0.55)]],
  [
    [
      [0.2, 0.1],
      [0.5, 0.08],
      [0.8, 0.1],
      [0.62, 0.45],
      [0.46, 0.95],
    ],
  ],
  [[...arc(0.5, 0.27, 0.22, 0.21, 0.25, -0.75), ...arc(0.5, 0.72, 0.27, 0.24, -0.25, 0.75)]],
  [[...arc(0.48, 0.3, 0.24, 0.24, -0.05, -1.05), [0.7, 0.5], [0.62, 0.95]]],
];

export interface Shape {
  /** Share of the pad that the digit takes. */
  readonly size: number;
  /** Its upper left corner. */
  readonly left: number;
  readonly top: number;
  /** Thickness of the line, in shares of the pad. */
  readonly line: number;
}

export const SHAPES: Readonly<Record<string, Shape>> = {
  usual: { size: 0.6, left: 0.2, top: 0.2, line: 0.075 },
  small: { size: 0.28, left: 0.35, top: 0.4, line: 0.04 },
  large: { size: 0.9, left: 0.05, top: 0.05, line: 0.09 },
  "off-centre": { size: 0.45, left: 0.5, top: 0.03, line: 0.06 },
  thick: { size: 0.65, left: 0.18, top: 0.18, line: 0.13 },
  thin: { size: 0.65, left: 0.18, top: 0.18, line: 0.02 },
};

/** A digit's lines in a shape, in shares of the pad. */
export function linesOf(digit: number, { size, left, top }: Shape): Line[] {
  return DIGITS[digit]!.map((line) => line.map(([x, y]) => [left + size * x, top + size * y] as const));
}
