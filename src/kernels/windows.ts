/**
 * The walk over the windows of an image that poolings and depthwise convolution share: for each position of the
 * output, a panel of channels at a time, the pixels of its window that are in the image. Threads share the samples.
 */
import { f32x4, i32, local, v128 } from "wasmati";
import type { Emitter, I32, V128 } from "../wasm/emitter.ts";
import { clearMemory } from "./convolution.ts";
import { elementsOf, type Shape } from "./op.ts";
import type { Padding } from "./window.ts";

export interface Windows {
  /** Height, width and channels. */
  readonly image: Shape;
  /** Rows and columns of positions. */
  readonly output: Shape;
  /** Pixels of a window, down and across. */
  readonly window: readonly [height: number, width: number];
  readonly strides: readonly [number, number];
  /** Distance of a window's pixels, down and across. */
  readonly dilation: readonly [number, number];
  readonly padding: Padding;
}

/** Channels of a panel: four vectors. */
export const PANEL = 16;

/** A panel of channels at one position. */
export interface WindowPanel {
  /** The panel's channels, 1 to 16. */
  readonly channels: number;
  /** Address of the position's first value in the output. */
  readonly output: I32;
  /** Pixels of the window that are in the image, down and across, as [from, to). */
  readonly rows: Range;
  readonly columns: Range;
  /**
   * Runs `body` for each pixel of the window that is in the image, with the address of its first value, and the byte
   * offset that belongs to it in weights of shape (window height, window width, channels).
   */
  eachPixel(body: (source: I32, weight: I32) => void): void;
}

export interface Range {
  readonly from: I32;
  readonly to: I32;
}

/** Runs `body` for each position and panel of channels. `image` and `output` are the tensors' addresses. */
export function eachWindow(
  e: Emitter,
  windows: Windows,
  { image, output }: { image: number; output: number },
  body: (panel: WindowPanel) => void,
): void {
  const { strides, padding } = windows;
  const [height, width, channels] = windows.image as [number, number, number];
  const [rows, columns] = windows.output as [number, number];
  const pixel = channels * 4;
  const { from, to } = e.samples();
  const [n, row, column] = [e.i32(), e.i32(), e.i32()];
  const target = e.i32(e.address(output, [from, rows * columns * pixel]));
  e.for(n, from, to, 1, () => {
    const sample = e.i32(e.address(image, [n, height * width * pixel]));
    e.for(row, 0, rows, 1, () => {
      const top = e.i32(e.address(-padding[0], [row, strides[0]]));
      const vertical = inImage(e, top, windows, 0);
      e.for(column, 0, columns, 1, () => {
        const left = e.i32(e.address(-padding[2], [column, strides[1]]));
        const horizontal = inImage(e, left, windows, 1);
        const corner = e.i32(e.address(0, [sample, 1], [top, width * pixel], [left, pixel]));
        eachPanelOf(e, channels, (offset, count) => {
          const base = e.i32(i32.add(corner, offset));
          body({
            channels: count,
            output: e.i32(i32.add(target, offset)),
            rows: vertical,
            columns: horizontal,
            eachPixel: (visit) => eachPixel(e, windows, { vertical, horizontal, base, offset }, visit),
          });
        });
        local.set(target, i32.add(target, pixel));
      });
    });
  });
}

/**
 * The way back: adds to each pixel of the image what the windows that it is in give it. `body` is run for each position and
 * panel of channels, and what it returns for each pixel of the window, which gives the vectors of its channels, in locals
 * that may be written.
 */
export function addToPixels(
  e: Emitter,
  windows: Windows,
  addresses: { image: number; output: number },
  body: (panel: WindowPanel) => () => V128[],
): void {
  const isPartition = [0, 1].every((axis) => partitions(windows, axis as 0 | 1));
  if (!isPartition) {
    const bytes = elementsOf(windows.image) * 4;
    const { from, to } = e.samples();
    const n = e.i32();
    e.for(n, from, to, 1, () => clearMemory(e.i32(e.address(addresses.image, [n, bytes])), bytes));
  }
  eachWindow(e, windows, addresses, (panel) => {
    const valuesOf = body(panel);
    panel.eachPixel((pixel) => {
      for (const [v, value] of valuesOf().entries()) {
        const offset = v * 16;
        if (!isPartition) local.set(value, f32x4.add(value, v128.load({ offset, align: 4 }, pixel)));
        e.storeLanes(pixel, offset, value, lanesOf(panel.channels, v));
      }
    });
  });
}

/** Whether along an axis each pixel of the image is in one window. */
function partitions({ image, output, window, strides, dilation, padding }: Windows, axis: 0 | 1): boolean {
  const end = output[axis]! * strides[axis] - padding[2 * axis]!;
  return strides[axis] === window[axis] && dilation[axis] === 1 && end >= image[axis]!;
}

/** Runs `body` for each panel of channels, with its byte offset. It is written once for full panels and once for the rest. */
function eachPanelOf(e: Emitter, channels: number, body: (offset: I32, count: number) => void): void {
  const rest = channels % PANEL;
  const offset = e.i32(0);
  if (channels > rest) e.for(offset, 0, (channels - rest) * 4, PANEL * 4, () => body(offset, PANEL));
  if (rest) e.scope(() => body(offset, rest));
}

/** Which pixels of a window that begins at `start` lie in the image, along an axis. */
function inImage(e: Emitter, start: I32, { image, window, dilation }: Windows, axis: 0 | 1): Range {
  const step = dilation[axis];
  const stepsTo = (distance: I32) => (step === 1 ? distance : i32.div_s(i32.add(distance, step - 1), step));
  const from = e.i32(0);
  e.if(i32.lt_s(start, 0), () => local.set(from, stepsTo(e.i32(i32.sub(0, start)))));
  const to = e.i32(stepsTo(e.i32(i32.sub(image[axis]!, start))));
  e.atMost(to, window[axis]);
  return { from, to };
}

interface PixelLoop {
  readonly vertical: Range;
  readonly horizontal: Range;
  /** Address of the panel's first channel of the window's first pixel, wherever that is. */
  readonly base: I32;
  /** Byte offset of the panel. */
  readonly offset: I32;
}

function eachPixel(
  e: Emitter,
  { image, window, dilation }: Windows,
  { vertical, horizontal, base, offset }: PixelLoop,
  body: (source: I32, weight: I32) => void,
): void {
  const pixel = image[2]! * 4;
  const [ky, kx] = [e.i32(), e.i32()];
  e.for(ky, vertical.from, vertical.to, 1, () => {
    const line = e.i32(e.address(0, [base, 1], [ky, dilation[0] * image[1]! * pixel]));
    const weights = e.i32(e.address(0, [offset, 1], [ky, window[1] * pixel]));
    e.for(kx, horizontal.from, horizontal.to, 1, () => {
      const source = e.i32(e.address(0, [line, 1], [kx, dilation[1] * pixel]));
      const weight = e.i32(e.address(0, [weights, 1], [kx, pixel]));
      body(source, weight);
    });
  });
}

/** A vector for each four channels of a panel. */
export function panelVectors(e: Emitter, channels: number): V128[] {
  return Array.from({ length: Math.ceil(channels / 4) }, () => e.v128());
}

/** How many of a panel's channels its vector `v` has. */
export const lanesOf = (channels: number, v: number) => Math.min(4, channels - 4 * v);
