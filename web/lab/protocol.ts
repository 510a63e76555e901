/** What the page and its worker say to each other: the calls that the worker answers, and the data that goes between. */

/** A line as it was drawn: x and y in turn, and its width, in shares of the pad's side. */
export interface Stroke {
  readonly width: number;
  readonly points: readonly number[];
}

/** What is looked at: lines on the pad, a picture's file, or 28x28 grey levels as they are. */
export type Subject =
  | { readonly kind: "strokes"; readonly strokes: readonly Stroke[] }
  | { readonly kind: "picture"; readonly bytes: Uint8Array; readonly name: string }
  | { readonly kind: "pixels"; readonly pixels: Uint8Array };

export interface LayerInfo {
  readonly name: string;
  /** Keras's. */
  readonly className: string;
  /** Of one sample. */
  readonly outputShape: readonly number[];
  readonly parameters: number;
}

export interface NetworkInfo {
  readonly title: string;
  readonly parameters: number;
  readonly layers: readonly LayerInfo[];
}

/** What the network makes of a subject. */
export interface Sight {
  /** The 28x28 that it is given, 0 to 255. */
  readonly pixels: Uint8Array;
  /** Of the classes: the ten digits, unless the network has others. */
  readonly probabilities: readonly number[];
  /** Outputs by the layers' names. */
  readonly outputs: ReadonlyMap<string, Float32Array>;
}

/** The weights that lead to one map or unit of a layer. */
export interface Filter {
  /** [height, width, channels] of a convolution; [inputs] of a dense layer. */
  readonly shape: readonly number[];
  readonly weights: Float32Array;
  readonly bias: number | undefined;
}

export type OptimizerName = "adam" | "adamw" | "sgd" | "rmsprop" | "adadelta";

export interface TrainOptions {
  readonly epochs: number;
  readonly batchSize: number;
  readonly optimizer: OptimizerName;
  /** Default: the optimizer's own. */
  readonly learningRate?: number;
  readonly seed: number;
  readonly threads: number;
  /** Of a new network's second convolution. */
  readonly conv2Padding: "same" | "valid";
  /** A new network, or the one that is open. */
  readonly from: "new" | "open";
}

export interface Progress {
  /** Counted from 0. */
  readonly epoch: number;
  /** Steps of the epoch that are done. */
  readonly step: number;
  readonly steps: number;
  /** Means over the epoch so far. */
  readonly loss: number;
  readonly accuracy: number;
  /** Means over the steps since the last report, where there were any. */
  readonly recent: { readonly loss: number; readonly accuracy: number } | undefined;
  readonly imagesPerSecond: number;
  readonly millisecondsPerStep: number;
  /** Undefined until it can be told. */
  readonly secondsLeft: number | undefined;
  readonly paused: boolean;
}

export interface EpochEnd {
  /** Counted from 0. */
  readonly epoch: number;
  readonly loss: number;
  readonly accuracy: number;
  readonly testLoss: number;
  readonly testAccuracy: number;
}

/** What a run tells on its way. */
export type TrainEvent =
  | { readonly type: "data"; readonly loaded: number; readonly total: number | undefined }
  | { readonly type: "begin"; readonly network: NetworkInfo; readonly steps: number; readonly threads: number }
  | ({ readonly type: "progress" } & Progress)
  | { readonly type: "testing" }
  | ({ readonly type: "epoch" } & EpochEnd);

/** One of the pictures for testing. */
export interface TestImage {
  readonly index: number;
  readonly pixels: Uint8Array;
  readonly label: number;
}

/** A picture that the network takes for another digit. */
export interface Mistake extends TestImage {
  readonly prediction: number;
  /** Of what was predicted. */
  readonly probability: number;
}

export interface Judgement {
  readonly images: number;
  readonly accuracy: number;
  /** Rows are the true digits, columns what they were taken for. */
  readonly matrix: readonly (readonly number[])[];
  /** The share of each digit that was recognised. */
  readonly recalls: readonly number[];
  readonly mistakes: number;
  /** The surest first. */
  readonly worst: readonly Mistake[];
}

export type OnData = (loaded: number, total: number | undefined) => void;

/** What the worker can be asked for. Errors come back as rejections. */
export interface Lab {
  /**
   * Opens the network that comes with the page, or a file.
   *
   * @param base the page's address, beside which its files are
   * @param file a Keras file's address
   */
  start(base: string, file: string | undefined): Promise<NetworkInfo>;
  /** Opens a Keras file. */
  open(bytes: Uint8Array, name: string): Promise<NetworkInfo>;
  /** The open network as a Keras file. */
  save(): Promise<Uint8Array>;
  see(subject: Subject): Promise<Sight>;
  /** How the network's answer depends on each of the 28x28: gradient times input, of the digit's logit. */
  explain(pixels: Uint8Array, digit: number): Promise<Float32Array>;
  filter(layer: string, channel: number): Promise<Filter | undefined>;
  /** Trains; true at the end, false where the run was reset. `paused`: stops before the first step. */
  train(options: TrainOptions, paused: boolean, onEvent: (event: TrainEvent) => void): Promise<boolean>;
  pause(): void;
  resume(): void;
  /** One step, then pauses. */
  step(): void;
  /** Ends the run; the network is the one from before it. */
  reset(): Promise<NetworkInfo>;
  /** One of the test set, at random. */
  example(onData: OnData): Promise<TestImage>;
  judge(onData: OnData): Promise<Judgement>;
}
