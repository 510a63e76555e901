/** Callbacks and history. https://keras.io/api/callbacks/ */

import type { Profile } from "./profile.ts";

/** Named values: loss, accuracy, val_loss … */
export type Logs = Record<string, number>;

/** What training tells on its way; each is awaited before training goes on. */
export interface Callback {
  onTrainBegin?(): void | Promise<void>;
  onTrainEnd?(): void | Promise<void>;
  /** Epochs are counted from 0. */
  onEpochBegin?(epoch: number): void | Promise<void>;
  /** Means over the epoch; with validation data also their val_ twins. */
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
