/** Puts a layer behind others: its name, its shapes, its weights. */
import { isWholeText, show } from "../arguments.ts";
import { stateTensor } from "../compiler/graph.ts";
import { UserError } from "../errors.ts";
import { snakeCase } from "../formats/saved-model.ts";
import type { Shape, Tensor } from "../kernels/op.ts";
import type { Layer, WeightSpec } from "../layers/layer.ts";
import { generator, seedFor } from "../random.ts";
import type { PlacedLayer, PlacedWeight } from "./state.ts";
import type { Variables } from "./variables.ts";

/** Whose layer it becomes. */
interface Owner {
  /** Begins the weights' names. */
  readonly name: string;
  /** Seed of the weights' first values, and of layers that draw at random without a seed of their own. */
  readonly seed: number;
  /** Take the weights. */
  readonly variables: Variables;
}

/** @throws UserError for something else than a layer, a name that is taken, or a shape that does not fit. */
export function placeLayer(layer: Layer, before: readonly PlacedLayer[], owner: Owner): PlacedLayer {
  const name = layer?.name ?? freeName(String(layer?.className), before);
  checkLayer(layer, name, before);
  const inputShape = before.at(-1)?.outputShape ?? [];
  const outputShape = layer.outputShape(inputShape, `layer "${name}"`);
  const weights = placeWeights(layer, inputShape, (spec, index) => {
    const tensor = stateTensor(`${owner.name}/${name}/${spec.name}`, spec.shape);
    const random = generator(owner.seed, before.length, index);
    owner.variables.add(tensor, () => spec.initializer.create(spec.shape, random));
    return tensor;
  });
  const seeded = layer.withSeed?.(seedFor(owner.seed, before.length)) ?? layer;
  const { withSeed } = layer;
  return { layer: seeded, name, inputShape, outputShape, weights, ...(withSeed && { withSeed }) };
}

/** The layer frozen, or no longer; with the same weights. */
export function withTrainable(placed: PlacedLayer, trainable: boolean): PlacedLayer {
  const layer = placed.layer.withTrainable(trainable);
  return { ...placed, layer, weights: placeWeights(layer, placed.inputShape, (_, i) => placed.weights[i]!.tensor) };
}

function placeWeights(
  layer: Layer,
  inputShape: Shape,
  tensorOf: (spec: WeightSpec, index: number) => Tensor,
): PlacedWeight[] {
  return layer.weights(inputShape).map((spec, index) => {
    const trainable = layer.trainable !== false && spec.trainable !== false;
    const regularizer = trainable ? spec.regularizer : undefined;
    return { name: spec.name, tensor: tensorOf(spec, index), trainable, regularizer };
  });
}

/** Keras's default name: the class in snake case, counted from the second on. */
function freeName(className: string, before: readonly PlacedLayer[]): string {
  const base = snakeCase(className);
  const taken = new Set(before.map(({ name }) => name));
  for (let count = 0; ; count++) {
    const name = count === 0 ? base : `${base}_${count}`;
    if (!taken.has(name)) return name;
  }
}

const RESERVED = [".", "top_level_model_weights"];

/** Checks a layer that is to follow others, and its name. */
function checkLayer(layer: unknown, name: string, before: readonly { readonly name: string }[]): void {
  const isLayer = typeof layer === "object" && layer !== null && "lower" in layer;
  if (!isLayer) throw new UserError(`Sequential: expected a layer, made by one of layers.*, got ${show(layer)}.`);
  const { className } = layer as Layer;
  if ((className === "InputLayer") !== (before.length === 0)) {
    throw new UserError(
      before.length === 0
        ? `Sequential: the first layer must be layers.input({ shape }), got ${className}.`
        : `Sequential: layer "${name}" is an input, which can only be the first layer.`,
    );
  }
  // In files a name is a part of a path, where "." stands for nothing, and Keras has a group of its own.
  if (typeof name !== "string" || name === "" || name.includes("/") || !isWholeText(name) || RESERVED.includes(name)) {
    const others = RESERVED.map((text) => show(text)).join(" or ");
    throw new UserError(`Sequential: a layer's name must be text without "/", and not ${others}, got ${show(name)}.`);
  }
  if (before.some((other) => other.name === name)) {
    throw new UserError(`Sequential: two layers are named "${name}"; names must be unique.`);
  }
}
