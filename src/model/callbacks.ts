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

/** A run that can be kept, and gone on with by another process. */
export interface KeptRun {
  /** Updates that the optimizer has made. */
  readonly iterations: number;
  /** Differs wherever the run has come further. */
  readonly position: string;
  /** Whether a weight is not a finite number: nothing can go on from here. */
  readonly isBroken: boolean;
  /** All that it takes to go on, as a legacy Keras `.h5` file. The next call overwrites the bytes. */
  toBytes(): Promise<Uint8Array>;
  /**
   * Goes on from what `toBytes` gave, in place of beginning.
   *
   * @returns false for bytes that are damaged, or no checkpoint: `onDamaged` is told why
   * @throws UserError for a checkpoint of another model, of other data or with other options
   */
  restore(bytes: Uint8Array, where: string, onDamaged: (reason: string) => void): Promise<boolean>;
}

/** Keeps a run on its way. */
export interface RunKeeper {
  /** Called before training begins, to go on from what was kept. */
  begin(run: KeptRun): Promise<void>;
  /**
   * Called between two steps, when all callbacks have been told: after a step or an epoch, before the end of training,
   * and where the run is broken off by its signal. Where it has failed its state is of no use.
   */
  keep(run: KeptRun, moment: "step" | "epoch" | "end" | "interrupted" | "failed"): Promise<void>;
}

/** Where training goes on. */
export interface ResumedAt {
  /** Counted from 0. */
  readonly epoch: number;
  /** Steps of the epoch that are done. */
  readonly step: number;
  /** Whether callbacks have been told that the epoch begins. */
  readonly begun: boolean;
}

/** What callbacks may have to know of a run. */
export interface RunParameters {
  /** The epoch that it stops before. */
  readonly epochs: number;
  /** Epochs from validation to validation; undefined where there are none. */
  readonly validationFreq: number | undefined;
}

/** What training tells on its way; each is awaited before training goes on. */
export interface Callback {
  /** Set by `backupAndRestore`. @internal */
  readonly keeper?: RunKeeper;
  /**
   * What the callback has to know when training goes on from a checkpoint: numbers, text, arrays and plain objects of
   * them, and NDArrays of float32.
   */
  getState?(): unknown;
  /**
   * Called in place of `onTrainBegin` where training goes on from a checkpoint, with what `getState` gave and where the
   * run is. Of an epoch that has `begun`, `onEpochBegin` is not called again. A callback that has `getState`, and was not
   * there before, begins.
   */
  onTrainResume?(state: unknown, at: ResumedAt): void | Promise<void>;
  /** A loss that is not a number ends training quietly, where it otherwise fails. */
  readonly toleratesNaN?: boolean;
  /** Called before training begins. */
  setModel?(model: TrainedModel): void;
  /** Called after `setModel`. */
  setParams?(parameters: RunParameters): void;
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
