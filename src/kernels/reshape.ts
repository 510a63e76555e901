/**
 * Another shape for the same elements. The planner gives the output the input's memory, so that there is nothing to do;
 * only where the output has a place of its own, as the network's output has, the elements are copied.
 */
import { v128 } from "wasmati";
import { eachVector } from "./activations.ts";
import { elementsOf, type Op, type Shape } from "./op.ts";

export interface ReshapeAttributes {
  readonly shape: Shape;
}

export const reshape: Op<ReshapeAttributes> = {
  name: "reshape",
  isView: true,
  infer: ({ shape }, [x]) => [{ shape, batched: x!.batched, dtype: x!.dtype }],
  reference: (_, [x], [y]) => y!.data.set(x!.data),
  gradient: (graph, { inputs: [x] }, [dy]) => [graph.apply(reshape, { shape: x!.shape }, dy!)],
  emit(e, _, [x], [y]) {
    eachVector(e, elementsOf(x!.shape), (offset) => {
      v128.store({ offset: y!.address }, offset, v128.load({ offset: x!.address }, offset));
    });
  },
};
