/** The public API: everything that `lenet` exports, and the only place that says so. */
export type { Config } from "./arguments.ts";
export { type DataOf, type DType, NDArray } from "./array.ts";
export * as callbacks from "./callbacks/index.ts";
export { type ClassScore, classScores, confusionMatrix, toLabels } from "./classification.ts";
export * as datasets from "./datasets/index.ts";
export { toCategorical } from "./datasets/one-hot.ts";
export { InternalError, UserError } from "./errors.ts";
export { prepareDigit } from "./image/digit.ts";
export type { GreyImage } from "./image/pictures.ts";
export { decodeImage } from "./image/read.ts";
export type { InitializerOption } from "./initializers.ts";
export type { Shape } from "./kernels/op.ts";
export * as layers from "./layers/index.ts";
export type { Layer, LayerOptions, LayerType } from "./layers/layer.ts";
export type { PaddingName } from "./layers/padding.ts";
export * as losses from "./losses.ts";
export * as metrics from "./metrics.ts";
export type { Batches, Dataset } from "./model/batches.ts";
export type { Callback, History, Logs, ResumedAt, RunParameters, TrainedModel } from "./model/callbacks.ts";
export type { InputGradientsOptions, LayerOutputsOptions } from "./model/inspect.ts";
export { loadModel } from "./model/load.ts";
export type { ModelLayer } from "./model/model-layer.ts";
export type {
  CompileOptions,
  EvaluateOptions,
  FitOptions,
  LoadOptions,
  ModelFormat,
  RunOptions,
  SequentialOptions,
} from "./model/options.ts";
export type { KernelProfile, Profile } from "./model/profile.ts";
export type { WeightOptions } from "./model/sample-weights.ts";
export { Sequential } from "./model/sequential.ts";
export * as optimizers from "./optimizers/index.ts";
export * as regularizers from "./regularizers.ts";
