/** Weights and the optimizer's state of a file, put into a model that is there: found by the names that Keras gave them. */
import { show } from "../arguments.ts";
import { formatShape } from "../array.ts";
import { UserError } from "../errors.ts";
import type { NamedTensor, SavedLayer, SavedModel } from "../formats/saved-model.ts";
import type { Tensor } from "../kernels/op.ts";
import { learningRateOf } from "../optimizers/optimizer.ts";
import { LEARNING_RATE, slotsInKerasOrder } from "./serialize.ts";
import type { ModelState } from "./state.ts";

/** A path as Keras 3 has it: Keras 2 wrote TensorFlow's output number, `conv2d/kernel:0`, and `depthwise_kernel`. */
const asInKeras3 = (path: string) => path.replace(/:\d+$/, "").replace(/\bdepthwise_kernel\b/, "kernel");

const WITHOUT_STATE = "load it with { optimizerState: false } to do without it.";

/** The last part of a path: `sequential/conv2d/kernel` is a kernel. */
const lastPart = (path: string) => asInKeras3(path).split("/").at(-1)!;

/** Gives a model the weights of the layers of its names. */
export function loadWeights(model: ModelState, layers: readonly SavedLayer[], where: string): void {
  for (const { name, weights } of model.placed) {
    if (weights.length === 0) continue;
    const found = layers.find((layer) => layer.name === name);
    if (!found) throw new UserError(`${where}: the file has no weights for layer ${show(name)}.`);
    for (const [index, weight] of weights.entries()) {
      // Keras 3's own formats number what the legacy one names.
      const tensor = found.weights.find(({ name }) => [weight.name, String(index)].includes(lastPart(name)));
      if (!tensor) throw new UserError(`${where}: layer ${show(name)} has no ${weight.name} in the file.`);
      model.variables.write(weight.tensor, checkShape(tensor, weight.tensor, where));
    }
  }
}

function checkShape(found: NamedTensor, expected: Tensor, where: string): Float32Array {
  if (formatShape(found.shape) === formatShape(expected.shape)) return found.data;
  throw new UserError(
    `${where}: ${found.name} has shape ${formatShape(found.shape)}, the model's config asks for ${formatShape(expected.shape)}.`,
  );
}

/** Gives a compiled model its optimizer's state, as one Keras or another wrote it. */
export function loadOptimizer(model: ModelState, saved: NonNullable<SavedModel["optimizer"]>, where: string): void {
  const { optimizer, slots } = model.compiled!;
  const { iterations, weights } = saved;
  const isNumbered = weights.every(({ name }) => /^\d+$/.test(lastPart(name)));
  // The rate is the only scalar.
  const rate = weights.find(({ name, shape }) => (isNumbered ? shape.length === 0 : lastPart(name) === LEARNING_RATE));
  // The config has the rate as it was given, the file's tensor as it was used: in single precision.
  if (!optimizer.schedule && rate?.data.length === 1 && rate.data[0] !== Math.fround(optimizer.learningRate)) {
    optimizer.learningRate = learningRateOf(`${where}: ${rate.name}`, rate.data[0]);
  }
  // A file saved before the first step has no slots, nor one that Keras 3 loaded from a legacy file and saved again, with
  // whatever number of steps: such an optimizer begins anew.
  if (slots.flat().length > 0 && weights.every((tensor) => tensor === rate)) return;
  optimizer.iterations = iterations;
  const placed = model.placed.flatMap(({ name, weights }) =>
    weights.filter(({ trainable }) => trainable).map((weight) => `${name}/${weight.name}`),
  );
  const numbered = weights.filter((tensor) => tensor !== rate);
  const inKerasOrder = isNumbered ? numberedSlots(model, numbered.length, where) : [];
  slots.forEach((tensors, index) => {
    tensors.forEach((tensor, slot) => {
      const found = isNumbered
        ? numbered[inKerasOrder.indexOf(tensor)]
        : findSlot(weights, tensor.name, placed[index]!, optimizer.slotNames[slot]!);
      if (!found) {
        throw new UserError(`${where}: the optimizer's state has no ${tensor.name}; ${WITHOUT_STATE}`);
      }
      model.variables.write(tensor, checkShape(found, tensor, where));
    });
  });
}

/**
 * The slots that so many arrays without names are for, in their order; undefined for those of a layer that was frozen
 * since: an optimizer keeps the state of all that it was made for.
 */
function numberedSlots({ placed, compiled }: ModelState, count: number, where: string): (Tensor | undefined)[] {
  const { optimizer, slots } = compiled!;
  const isTrained = placed.flatMap(({ layer, inputShape, weights }) =>
    layer.weights(inputShape).flatMap((spec, i) => (spec.trainable === false ? [] : [weights[i]!.trainable])),
  );
  const trained = slots.values();
  const withFrozen = isTrained.map((trains) => (trains ? trained.next().value! : []));
  const orders = [slots, withFrozen].map((slots) => slotsInKerasOrder({ optimizer, slots }));
  const expected = orders[0]!.length;
  // Keras 2 also saves the momentum of an SGD that has none.
  const order = expected === 0 ? [] : orders.find(({ length }) => length === count);
  if (order) return order;
  throw new UserError(
    `${where}: the optimizer's state has ${count} arrays, the model's weights need ${expected}; ${WITHOUT_STATE}`,
  );
}

/** What Keras 2 calls the slots, of Adam and of others. */
const shortNames: Record<string, readonly string[]> = {
  momentum: ["m"],
  velocity: ["v", "rms"],
  velocity_hat: ["vhat"],
  average_gradient: ["mg"],
  accumulated_grad: ["accum_grad"],
  accumulated_delta_var: ["accum_var"],
};

/**
 * The state of a weight, `conv2d/kernel`, as one Keras or another names it: 3 `adam/sequential_conv2d_kernel_momentum`,
 * 3.0 without `adam/`, 2.11 `Adam/m/conv2d/kernel:0`, before `Adam/conv2d/kernel/m:0`, SGD's `SGD/conv2d/kernel/momentum:0`.
 */
function findSlot(state: readonly NamedTensor[], name: string, weight: string, slot: string): NamedTensor | undefined {
  const exact = state.find((tensor) => tensor.name === name);
  if (exact) return exact;
  const flat = (path: string) => `_${asInKeras3(path).replaceAll("/", "_")}`;
  const endings = [slot, ...(shortNames[slot] ?? [])].flatMap((short) => [
    flat(`${weight}/${short}`),
    flat(`${short}/${weight}`),
  ]);
  // The shortest: the state of layer "my_conv2d" ends like that of layer "conv2d", which has less before it.
  return state
    .filter((tensor) => endings.some((ending) => flat(tensor.name).endsWith(ending)))
    .sort((a, b) => a.name.length - b.name.length)[0];
}
