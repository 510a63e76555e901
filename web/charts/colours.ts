/** Colours of values, light and dark, which the colour-blind can tell apart: blue alone, or blue against orange. */

type Rgb = readonly [number, number, number];

const SHADES = 256;

const SEQUENTIAL: Record<Scheme, readonly Rgb[]> = {
  light: [
    [250, 251, 252],
    [188, 214, 238],
    [63, 130, 193],
    [8, 46, 92],
  ],
  dark: [
    [24, 30, 38],
    [30, 77, 122],
    [96, 172, 235],
    [236, 246, 255],
  ],
};

const DIVERGING: Record<Scheme, readonly Rgb[]> = {
  light: [
    [6, 76, 140],
    [120, 172, 214],
    [248, 248, 247],
    [240, 160, 80],
    [168, 72, 4],
  ],
  dark: [
    [126, 196, 250],
    [44, 98, 148],
    [26, 31, 38],
    [150, 86, 24],
    [255, 178, 92],
  ],
};

type Scheme = "light" | "dark";

const dark = matchMedia("(prefers-color-scheme: dark)");

/** Calls back when the page turns from light to dark or back. */
export function onSchemeChange(listener: () => void): void {
  dark.addEventListener("change", listener);
}

/** Colours between the stops, as pixels of an ImageData. */
function shades(stops: readonly Rgb[]): Uint32Array {
  return Uint32Array.from({ length: SHADES }, (_, i) => {
    const at = (i / (SHADES - 1)) * (stops.length - 1);
    const below = Math.min(stops.length - 2, Math.floor(at));
    const [red, green, blue] = stops[below]!.map((level, c) =>
      Math.round(level + (at - below) * (stops[below + 1]![c]! - level)),
    ) as [number, number, number];
    return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  });
}

const tables = {
  light: { sequential: shades(SEQUENTIAL.light), diverging: shades(DIVERGING.light) },
  dark: { sequential: shades(SEQUENTIAL.dark), diverging: shades(DIVERGING.dark) },
};

/** `sequential`: 0 to `largest`, from paper to ink. `diverging`: −`largest` to `largest`, from blue over paper to orange. */
export type Palette = keyof (typeof tables)["light"];

export interface PixelsOptions {
  readonly width: number;
  readonly height: number;
  readonly palette?: Palette;
  /** The value of the strongest colour. */
  readonly largest: number;
  /** Lifts small shares of the largest value, where it is below 1. */
  readonly gamma?: number;
  /** Values lie so far apart, beginning with the first. */
  readonly stride?: number;
  readonly first?: number;
}

/** The colour of a share of the largest value, as CSS. */
export function colourOf(share: number, palette: Palette): string {
  const colour = tables[dark.matches ? "dark" : "light"][palette][shadeOf(share, palette)]!;
  return `rgb(${colour & 255} ${(colour >> 8) & 255} ${(colour >> 16) & 255})`;
}

function shadeOf(share: number, palette: Palette): number {
  const at = palette === "diverging" ? (share + 1) / 2 : share;
  return Math.max(0, Math.min(SHADES - 1, Math.round(at * (SHADES - 1))));
}

/** The largest distance from 0: what the strongest colour stands for. */
export function strongest(values: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]!));
  return largest;
}

/** Draws values as pixels, one each; the canvas is scaled by CSS. */
export function paintPixels(canvas: HTMLCanvasElement, values: ArrayLike<number>, options: PixelsOptions): void {
  const { width, height, palette = "sequential", largest, stride = 1, first = 0, gamma = 1 } = options;
  const table = tables[dark.matches ? "dark" : "light"][palette];
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const scale = largest > 0 ? 1 / largest : 0;
  for (let i = 0; i < pixels.length; i++) {
    const share = values[first + i * stride]! * scale;
    pixels[i] = table[shadeOf(gamma === 1 ? share : Math.sign(share) * Math.abs(share) ** gamma, palette)]!;
  }
  context.putImageData(image, 0, 0);
}
