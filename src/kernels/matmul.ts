/**
 * Matrix product of a batch of rows with a weight matrix, with bias and ReLU behind it: the dense layer, forward, and,
 * with the matrix transposed, its input gradient.
 *
 * Threads share the panels of eight columns. A panel of the matrix is packed into contiguous scratch memory once and
 * then runs against all samples, four at a time; each output is one sum over k in ascending order. A batch of fewer than
 * four samples does not repay the packing: there the matrix is read where it lies.
 */
import { i32 } from "wasmati";
import type { Emitter, I32 } from "../wasm/emitter.ts";
import { reluGradient } from "./activations.ts";
import {
  BLOCK_ROWS,
  clearSums,
  eachPanel,
  finishSums,
  multiplyRun,
  PANEL_BYTES,
  PANEL_COLUMNS,
  storeSums,
  takeSums,
} from "./block.ts";
import { channelSum } from "./channel-sum.ts";
import { matmulWeightGradient } from "./matmul-weight-gradient.ts";
import { elementsOf, type Op, type Operand } from "./op.ts";
import { packPanel, packTransposedPanel } from "./packing.ts";

export interface MatmulAttributes {
  /** Multiply by the transposed matrix. */
  readonly transposed?: boolean;
  readonly relu?: boolean;
}

/** x (in), w (in, out) or (out, in) where transposed, optionally bias (out) → (out). */
export const matmul: Op<MatmulAttributes> = {
  name: "matmul",

  infer({ transposed }, [, w]) {
    return [{ shape: [w!.shape[transposed ? 0 : 1]!], batched: true, dtype: "float32" }];
  },

  reference({ transposed, relu }, [x, w, bias], [y], batch) {
    const inner = elementsOf(x!.shape);
    const columns = y!.shape[0]!;
    for (let i = 0; i < batch; i++) {
      for (let j = 0; j < columns; j++) {
        let sum = bias ? bias.data[j]! : 0;
        for (let k = 0; k < inner; k++) {
          sum += x!.data[i * inner + k]! * w!.data[transposed ? j * inner + k : k * columns + j]!;
        }
        y!.data[i * columns + j] = relu && sum < 0 ? 0 : sum;
      }
    }
  },

  gradient(graph, { attributes, inputs: [x, w, bias], outputs: [y] }, [dy], wanted) {
    const dz = attributes.relu ? graph.apply(reluGradient, {}, y!, dy!) : dy!;
    return [
      wanted[0] ? graph.apply(matmul, { transposed: true }, dz, w!) : undefined,
      graph.apply(matmulWeightGradient, {}, x!, dz),
      bias ? graph.apply(channelSum, {}, dz) : undefined,
    ];
  },

  scratchBytes: (_, [x]) => (elementsOf(x!.shape) + 4) * PANEL_BYTES,

  emit(e, { transposed = false, relu = false }, [x, w, bias], [y]) {
    const inner = elementsOf(x!.shape);
    const total = y!.shape[0]!;
    const panel = e.scratch();
    eachPanel(e, total, (index, columns) => {
      const biasAddress = bias && e.i32(e.address(bias.address, [index, PANEL_BYTES]));
      const block = { inner, total, columns, x: x!, y: y!, index, biasAddress, relu };
      const packAndRun = () => {
        const step = transposed ? PANEL_COLUMNS * inner * 4 : PANEL_BYTES;
        const from = e.i32(e.address(w!.address, [index, step]));
        const to = e.i32(panel);
        if (transposed) packTransposedPanel(e, { inner, columns }, from, to);
        else packPanel(e, { inner, columns, rowBytes: total * 4 }, from, to);
        const i = e.i32();
        const lastBlock = e.i32(i32.sub(e.batch, BLOCK_ROWS - 1));
        e.for(i, 0, lastBlock, BLOCK_ROWS, () => runBlock(e, block, BLOCK_ROWS, i, panel, PANEL_BYTES));
        e.for(i, i, e.batch, 1, () => runBlock(e, block, 1, i, panel, PANEL_BYTES));
      };
      if (transposed) return packAndRun();
      e.if(
        i32.lt_s(e.batch, BLOCK_ROWS),
        () => {
          const i = e.i32();
          const start = e.i32(e.address(w!.address, [index, PANEL_BYTES]));
          e.for(i, 0, e.batch, 1, () => runBlock(e, block, 1, i, start, total * 4));
        },
        packAndRun,
      );
    });
  },
};

interface BlockPlan {
  readonly inner: number;
  readonly total: number;
  readonly columns: number;
  readonly x: Operand;
  readonly y: Operand;
  readonly index: I32;
  readonly biasAddress: I32 | undefined;
  readonly relu: boolean;
}

/** `rows` samples from sample `i` against one panel, whose rows lie `bStep` bytes apart. */
function runBlock(e: Emitter, plan: BlockPlan, rows: number, i: I32, panel: I32, bStep: number): void {
  const { inner, total, columns } = plan;
  const sums = takeSums(e, rows, columns);
  clearSums(sums);
  const a = e.i32(e.address(plan.x.address, [i, inner * 4]));
  const aEnd = e.i32(i32.add(a, inner * 4));
  const b = e.i32(panel);
  const rowOffsets = sums.map((_, r) => r * inner * 4);
  multiplyRun(e, { rowOffsets, aStep: 4, bStep }, sums, a, b, aEnd);
  finishSums(sums, plan.biasAddress, plan.relu);
  const out = e.i32(e.address(plan.y.address, [i, total * 4], [plan.index, PANEL_BYTES]));
  storeSums(
    e,
    sums,
    out,
    sums.map((_, r) => r * total * 4),
    columns,
  );
}
