/** The options of each command, as `program.ts` reads them. */

/** What `--optimizer` takes. */
export const OPTIMIZER_NAMES = ["adam", "adamw", "sgd", "rmsprop", "adadelta"] as const;
export type OptimizerName = (typeof OPTIMIZER_NAMES)[number];

export interface TrainOptions {
  readonly epochs: number;
  readonly batchSize: number;
  /** Undefined: the optimizer's own, or that of the model that is trained further. */
  readonly learningRate?: number;
  readonly optimizer?: OptimizerName;
  readonly seed: number;
  readonly threads?: number;
  readonly data: string;
  /** [height, width, channels] that the pictures of class folders are scaled to. */
  readonly inputShape?: readonly number[];
  readonly conv2Padding?: "same" | "valid";
  readonly model?: string;
  readonly stepsPerEpoch?: number;
  readonly shuffle: boolean;
  readonly out: string;
  readonly log?: string;
  /** A page to write about the run. */
  readonly report?: string;
  /** A folder to keep the run in. */
  readonly checkpoint?: string;
  /** Steps from checkpoint to checkpoint; undefined: an epoch. */
  readonly every?: number;
  readonly resume?: boolean;
  readonly profile?: boolean;
  readonly json?: boolean;
}

export interface EvaluateOptions {
  readonly data: string;
  /** A page to write about the model. */
  readonly report?: string;
  readonly json?: boolean;
}

export interface PredictOptions {
  /** Draw what the network sees. */
  readonly show?: boolean;
  readonly json?: boolean;
}

export interface WebOptions {
  readonly port?: number;
}
