/** Callbacks and history. https://keras.io/api/callbacks/ */
import type { NDArray } from "../array.ts";
import type { Optimizer } from "../optimizers/index.ts";
import type { Profile } from "./profile.ts";

/** Named values: loss, accuracy, val_loss … */
export type Logs = Record<string, number>;

/** The model that is trained, as far as callbacks need it. */
export interface TrainedModel {
  /** Set it to end training after the step that is under way. */
  stopTraining: boolean;
  /** Its learning rate may be changed at any time. */
  readonly optimizer: Optimizer | undefined;
  /** Copies of the weights, in Keras's order. */
  getWeights(): NDArray[];
  /** Sets the weights, in the same order. */
  setWeights(weights: readonly NDArray[]): void;
  /** Saves the model; see `Sequential.save`. */
  save(path: string): Promise<void>;
  /** Saves the weights alone; see `Sequential.saveWeights`. */
  saveWeights(path: string): Promise<void>;
}

/** What training tells on its way; each is awaited before training goes on. */
export interface Callback {
  /** A loss that is not a number ends training quietly, where it otherwise fails. */
  readonly toleratesNaN?: boolean;
  /** Called before training begins. */
  setModel?(model: TrainedModel): void;
  /** Called before the first epoch. */
  onTrainBegin?(): void | Promise<void>;
  /** Called once training has ended, unless by an error. */
  onTrainEnd?(): void | Promise<void>;
  /** Epochs are counted from 0. */
  onEpochBegin?(epoch: number): void | Promise<void>;
  /** Means over the epoch; with validation data also their val_ twins. What is added to the logs is in the history too. */
  onEpochEnd?(epoch: number, logs: Logs): void | Promise<void>;
  /** Steps are counted from 0 in each epoch. */
  onBatchBegin?(batch: number): void | Promise<void>;
  /** Means over the epoch so far. */
  onBatchEnd?(batch: number, logs: Logs): void | Promise<void>;
}

/** What `fit` returns: the logs of each epoch. */
export interface History {
  readonly epoch: number[];
  readonly history: Record<string, number[]>;
  /** Where the time of a step went; with `fit`'s option `profile`. */
  readonly profile?: Profile;
}
