/** The callbacks: what users call. One's own is an object with some of `Callback`'s methods. */
export { type BackupAndRestoreOptions, backupAndRestore } from "./backup-and-restore.ts";
export { type CsvLoggerOptions, csvLogger } from "./csv-logger.ts";
export { type EarlyStoppingOptions, earlyStopping } from "./early-stopping.ts";
export { learningRateScheduler } from "./learning-rate-scheduler.ts";
export { type ModelCheckpointOptions, modelCheckpoint } from "./model-checkpoint.ts";
export type { MonitorMode } from "./monitor.ts";
export { type ReduceLROnPlateauOptions, reduceLROnPlateau } from "./reduce-lr-on-plateau.ts";
export { terminateOnNaN } from "./terminate-on-nan.ts";
