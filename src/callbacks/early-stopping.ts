import { boolean, numberIn, onlyKnown, wholeNumber } from "../arguments.ts";
import type { NDArray } from "../array.ts";
import type { Callback, TrainedModel } from "../model/callbacks.ts";
import { Monitor, type MonitorOptions } from "./monitor.ts";

/** What `earlyStopping` is told. */
export interface EarlyStoppingOptions extends MonitorOptions {
  /** What counts as better; default 0. */
  readonly minDelta?: number;
  /** Epochs without a better value before training ends; default 0. */
  readonly patience?: number;
  /** A value that must be passed too, or training ends. */
  readonly baseline?: number;
  /** At the end, go back to the weights of the best epoch; default false. */
  readonly restoreBestWeights?: boolean;
  /** The first epoch that is watched, from 0; default 0. */
  readonly startFromEpoch?: number;
}

/**
 * Ends training when a value gets no better. https://keras.io/api/callbacks/early_stopping/
 *
 * @throws UserError for options out of range; in training, for a value that the logs do not have.
 */
export function earlyStopping(options: EarlyStoppingOptions = {}): Callback {
  const where = "earlyStopping";
  const names = ["monitor", "mode", "minDelta", "patience", "baseline", "restoreBestWeights", "startFromEpoch"];
  onlyKnown(where, options, names);
  const monitor = new Monitor(where, options, options.minDelta);
  const patience = wholeNumber(where, "patience", options.patience ?? 0);
  const startFromEpoch = wholeNumber(where, "startFromEpoch", options.startFromEpoch ?? 0);
  const restores = boolean(where, "restoreBestWeights", options.restoreBestWeights ?? false);
  const { baseline } = options;
  if (baseline !== undefined) numberIn(where, "baseline", baseline, { expected: "a number" });
  let model: TrainedModel;
  let best: number | undefined;
  let bestWeights: NDArray[] | undefined;
  let waited = 0;
  return {
    setModel(given) {
      model = given;
    },
    setParams: (parameters) => monitor.setParams(parameters),
    onTrainBegin() {
      best = undefined;
      bestWeights = undefined;
      waited = 0;
    },
    getState: () => ({ best, bestWeights, waited }),
    onTrainResume(state) {
      ({ best, bestWeights, waited } = state as { best?: number; bestWeights?: NDArray[]; waited: number });
    },
    onEpochEnd(epoch, logs) {
      const value = monitor.valueIn(epoch, logs);
      if (value === undefined || epoch < startFromEpoch) return;
      waited++;
      if (monitor.isBetter(value, best)) {
        best = value;
        if (restores) bestWeights = model.getWeights();
        if (monitor.isBetter(value, baseline)) waited = 0;
      } else if (waited >= patience && epoch > 0) model.stopTraining = true;
    },
    onTrainEnd() {
      if (bestWeights) model.setWeights(bestWeights);
    },
  };
}
