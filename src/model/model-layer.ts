/** A layer in its model, as users see it. */
import { boolean, show } from "../arguments.ts";
import type { NDArray } from "../array.ts";
import { UserError } from "../errors.ts";
import type { Shape } from "../kernels/op.ts";
import { withTrainable } from "./place-layer.ts";
import { type PlacedLayer, weightsOf } from "./state.ts";
import type { Variables } from "./variables.ts";
import { readWeights, writeWeights } from "./weights.ts";

/** The model that a layer is in. */
interface Owner {
  readonly placed: PlacedLayer[];
  readonly variables: Variables;
}

/** One of `model.layers`. https://keras.io/api/layers/base_layer/ */
export class ModelLayer {
  readonly name: string;
  readonly #owner: Owner;
  readonly #beforeChange: () => void;

  /**
   * @param beforeChange refuses a change, or forgets what was made of the layer as it was
   * @throws UserError where the model has no layer of that name.
   * @internal
   */
  constructor(name: string, owner: Owner, beforeChange: () => void) {
    this.name = name;
    this.#owner = owner;
    this.#beforeChange = beforeChange;
    this.#placed();
  }

  #placed(): PlacedLayer {
    const { placed } = this.#owner;
    const found = placed.find(({ name }) => name === this.name);
    if (found) return found;
    const names = placed.map(({ name }) => name).join(", ");
    throw new UserError(`the model has no layer ${show(this.name)}; it has ${names || "none"}.`);
  }

  /** Keras's class name. */
  get className(): string {
    return this.#placed().layer.className;
  }

  /** Shape of one sample's output. */
  get outputShape(): Shape {
    return this.#placed().outputShape;
  }

  /** Whether training changes the weights. Once it has been set to another value, the model must be compiled again. */
  get trainable(): boolean {
    return this.#placed().layer.trainable !== false;
  }

  /** Freezes the layer or sets it free. */
  set trainable(trainable: boolean) {
    boolean(`layer "${this.name}"`, "trainable", trainable);
    if (trainable === this.trainable) return;
    this.#beforeChange();
    const before = this.#placed();
    this.#owner.placed[this.#owner.placed.indexOf(before)] = withTrainable(before, trainable);
  }

  /** Copies of the layer's weights, in Keras's order. */
  getWeights(): NDArray<"float32">[] {
    return readWeights(this.#owner.variables, weightsOf([this.#placed()]));
  }

  /** @throws UserError where the number or the shapes differ. */
  setWeights(weights: readonly NDArray[]): void {
    writeWeights(`layer "${this.name}"`, this.#owner.variables, weightsOf([this.#placed()]), weights);
  }
}
