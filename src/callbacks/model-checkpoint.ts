import { badArgument, boolean, numberIn, onlyKnown, positiveInteger } from "../arguments.ts";
import { UserError } from "../errors.ts";
import type { Callback, Logs, TrainedModel } from "../model/callbacks.ts";
import { folderOf, makeFolder } from "../runtime/files.ts";
import { Monitor, type MonitorOptions } from "./monitor.ts";

/** What `modelCheckpoint` is told. */
export interface ModelCheckpointOptions extends MonitorOptions {
  /** Where to save. `{epoch}` and, with a number as `saveFreq`, `{batch}`, from 1, and `{name}` of a value in the logs are filled in: `{epoch:02d}-{val_loss:.2f}`. */
  readonly filepath: string;
  /** Save only where the value that is watched is the best so far; default false. */
  readonly saveBestOnly?: boolean;
  /** Save the weights alone, to a file that ends in .weights.h5; default false. */
  readonly saveWeightsOnly?: boolean;
  /** "epoch" (default): after each epoch; a number: after so many steps. */
  readonly saveFreq?: "epoch" | number;
  /** The value that the first save must be better than. */
  readonly initialValueThreshold?: number;
}

/**
 * Saves the model while it is trained. https://keras.io/api/callbacks/model_checkpoint/
 *
 * @throws UserError for options out of range; in training, where the file cannot be written.
 */
export function modelCheckpoint(options: ModelCheckpointOptions): Callback {
  const where = "modelCheckpoint";
  const names = ["saveBestOnly", "saveWeightsOnly", "saveFreq", "initialValueThreshold"];
  onlyKnown(where, options, ["filepath", "monitor", "mode", ...names]);
  const { filepath, saveFreq = "epoch", initialValueThreshold: threshold } = options;
  if (typeof filepath !== "string" || filepath === "") throw badArgument(where, "filepath", "text", filepath);
  const bestOnly = boolean(where, "saveBestOnly", options.saveBestOnly ?? false);
  const weightsOnly = boolean(where, "saveWeightsOnly", options.saveWeightsOnly ?? false);
  if (!(weightsOnly ? /\.weights\.h5$/i : /(?<!\.weights)\.h5$|\.(keras|hdf5)$/i).test(filepath)) {
    const ending = weightsOnly ? ".weights.h5, for saveWeightsOnly" : ".keras or .h5";
    throw badArgument(where, "filepath", `a name that ends in ${ending}`, filepath);
  }
  if (saveFreq !== "epoch") positiveInteger(where, "saveFreq", saveFreq);
  if (threshold !== undefined) numberIn(where, "initialValueThreshold", threshold, { expected: "a number" });
  const monitor = bestOnly ? new Monitor(where, options) : undefined;
  let model: TrainedModel;
  let best = threshold;
  let epochNow = 0;
  let steps = 0;
  async function save(epoch: number, logs: Logs, values: Logs = {}): Promise<void> {
    const value = monitor?.valueIn(epoch, logs);
    if (monitor && (value === undefined || !monitor.isBetter(value, best))) return;
    best = value;
    const path = fillIn(where, filepath, { epoch: epoch + 1, ...values, ...logs });
    await makeFolder(folderOf(path));
    if (weightsOnly) await model.saveWeights(path);
    else await model.save(path);
  }
  return {
    setModel(given) {
      model = given;
    },
    setParams: (parameters) => monitor?.setParams(parameters),
    getState: () => ({ best, steps }),
    onTrainResume(state, at) {
      ({ best, steps } = state as { best?: number; steps: number });
      epochNow = at.epoch;
    },
    onEpochBegin(epoch) {
      epochNow = epoch;
    },
    async onBatchEnd(batch, logs) {
      steps++;
      if (saveFreq !== "epoch" && steps % saveFreq === 0) await save(epochNow, logs, { batch: batch + 1 });
    },
    async onEpochEnd(epoch, logs) {
      if (saveFreq === "epoch") await save(epoch, logs);
    },
  };
}

/** Fills `{name}`, `{name:02d}` and `{name:.3f}` in, as Python's `format` does. */
function fillIn(where: string, pattern: string, values: Logs): string {
  return pattern.replace(/\{(\w+)(?::(0?)(\d*)(?:\.(\d+))?[df]?)?\}/g, (_, name: string, zero, width, digits) => {
    const value = values[name];
    if (value === undefined) {
      const known = Object.keys(values).join(", ");
      throw new UserError(`${where}: there is no "${name}" for the file's name, but ${known}.`);
    }
    const text = digits === undefined ? String(value) : value.toFixed(Number(digits));
    return text.padStart(Number(width || 0), zero ? "0" : " ");
  });
}
