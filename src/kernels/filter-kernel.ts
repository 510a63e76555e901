/**
 * The kernel of a convolution, transformed for filtering (`filtering.ts`), and what the convolution's errors are below. An op
 * of its own, so that threads share the work and programs that change no weights have it done once.
 */
import { f32x4, i32, local, v128 } from "wasmati";
import type { Emitter, I32 } from "../wasm/emitter.ts";
import { PANEL_BYTES, PANEL_COLUMNS } from "./block.ts";
import type { Filtering } from "./filtering.ts";
import { deskBytes, filteredPanelBytes, panelOf, squareBytes } from "./filtering-plan.ts";
import { eachVector, squareTransform } from "./filtering-transforms.ts";
import type { Op, TensorType } from "./op.ts";
import { firstLanes } from "./packing.ts";

export interface FilterKernelAttributes {
  /** How the convolution is filtered. */
  readonly method: Filtering;
}

/**
 * kernel (size, size, in, out) → the transformed kernel, in panels of eight output channels: (panel, product, in, 8); and for
 * each output channel the bound of the errors for inputs of up to 1, (panel, 8). Behind the last channel the former has
 * anything, the latter zeros. For convolutions that filtering takes.
 */
export const filterKernel: Op<FilterKernelAttributes> = {
  name: "filterKernel",

  infer({ method }, [kernel]) {
    const { channels, panels } = sizesOf(kernel!);
    const type = { batched: false, dtype: "float32" } as const;
    return [
      { ...type, shape: [panels, method.rows * method.columns, channels, PANEL_COLUMNS] },
      { ...type, shape: [panels, PANEL_COLUMNS] },
    ];
  },

  reference({ method }, [kernel], [filtered, bounds]) {
    const { channels, outs } = sizesOf(kernel!);
    const { rows, columns, r } = method;
    const scale = errorScale(method, channels);
    for (let out = 0; out < outs; out++) {
      const [panel, column] = [Math.floor(out / PANEL_COLUMNS), out % PANEL_COLUMNS];
      let magnitude = 0;
      for (let channel = 0; channel < channels; channel++) {
        const tap = (y: number, x: number) => kernel!.data[((y * r + x) * channels + channel) * outs + out]!;
        for (const [product, value] of method.filtered(tap).entries()) {
          const place = (panel * rows * columns + product) * channels + channel;
          filtered!.data[place * PANEL_COLUMNS + column] = value;
        }
        for (let y = 0; y < r; y++) for (let x = 0; x < r; x++) magnitude += Math.abs(tap(y, x));
      }
      bounds!.data[panel * PANEL_COLUMNS + column] = magnitude * scale;
    }
  },

  scratchBytes: ({ method }) => squareBytes(method, method.kernel) + deskBytes(method),

  emit(e, { method }, [kernel], [filtered, bounds]) {
    const { channels, outs, panels } = sizesOf(kernel!);
    const square = e.scratch();
    const desk = e.i32(i32.add(square, squareBytes(method, method.kernel)));
    const transform = squareTransform(e, method, method.kernel, { square, desk });
    const pitches = {
      fromRow: method.r * channels * outs * 4,
      fromColumn: channels * outs * 4,
      toRow: method.columns * channels * PANEL_BYTES,
      toColumn: channels * PANEL_BYTES,
    };
    e.eachUnit(e.i32(panels * channels), (unit) => {
      const panel = panelOf(e, outs, e.i32(i32.div_u(unit, channels)));
      const channel = e.i32(i32.rem_u(unit, channels));
      const from = e.i32(e.address(kernel!.address, [panel.index, PANEL_BYTES], [channel, outs * 4]));
      const panelBytes = filteredPanelBytes(method, channels);
      const to = e.i32(e.address(filtered!.address, [panel.index, panelBytes], [channel, PANEL_BYTES]));
      eachVector(e, panel, [from, to], ([from, to]) => transform({ from: from!, to: to!, ...pitches }));
      e.if(i32.eqz(channel), () => {
        const own = e.i32(e.address(bounds!.address, [panel.index, PANEL_BYTES]));
        panel.withColumns((columns) => boundErrors(e, { method, channels, outs, columns }, from, own));
      });
    });
  },
};

function sizesOf({ shape }: TensorType) {
  const [, , channels, outs] = shape as [number, number, number, number];
  return { channels, outs, panels: Math.ceil(outs / PANEL_COLUMNS) };
}

/** Errors grow as the root of the number of taps, the sum of the kernel's magnitudes as the number. */
const errorScale = ({ error }: Filtering, channels: number) => error * Math.max(1, Math.sqrt(20 / channels));

/** The bounds of one panel's errors. In lanes that are no channels there is nothing to settle. */
function boundErrors(
  e: Emitter,
  { method, channels, outs, columns }: { method: Filtering; channels: number; outs: number; columns: number },
  kernel: I32,
  bounds: I32,
): void {
  const error = errorScale(method, channels);
  for (let v = 0; v < PANEL_BYTES / 16; v++) {
    const tap = e.i32(i32.add(kernel, v * 16));
    const sum = e.v128(f32x4.splat(0));
    const lanes = Math.max(0, Math.min(4, columns - v * 4));
    if (lanes > 0) {
      e.for(e.i32(), 0, method.r ** 2 * channels, 1, () => {
        local.set(sum, f32x4.add(sum, f32x4.abs(v128.load({ align: 4 }, tap))));
        local.set(tap, i32.add(tap, outs * 4));
      });
    }
    const used = firstLanes(e, lanes);
    v128.store({ offset: v * 16 }, bounds, e.v128(v128.and(f32x4.mul(sum, f32x4.splat(error)), used)));
  }
}
