/** Shape arithmetic of sliding windows: convolutions and poolings. */
import type { Shape } from "./op.ts";

/** Rows and columns added around an image: top, bottom, left, right. */
export type Padding = readonly [top: number, bottom: number, left: number, right: number];

/** Height and width that a window (height, width, …) covers when its pixels lie `dilation` apart. */
export function windowSize(window: Shape, dilation: readonly [number, number]): [height: number, width: number] {
  return [(window[0]! - 1) * dilation[0] + 1, (window[1]! - 1) * dilation[1] + 1];
}

/** Neighbouring pixels. */
export const NEIGHBOURS = [1, 1] as const;

/** Number of window positions along an axis that is `size` long with its padding. */
function windowCount(size: number, window: number, stride: number): number {
  return Math.floor((size - window) / stride) + 1;
}

/** Height and width of what a window of `window` height and width gives over `image` (height, width, …). */
export function convolutionOutput(
  image: Shape,
  window: Shape,
  strides: readonly [number, number],
  [top, bottom, left, right]: Padding,
): [height: number, width: number] {
  return [
    windowCount(image[0]! + top + bottom, window[0]!, strides[0]),
    windowCount(image[1]! + left + right, window[1]!, strides[1]),
  ];
}
