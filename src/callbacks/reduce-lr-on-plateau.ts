import { numberIn, onlyKnown, positiveInteger, wholeNumber } from "../arguments.ts";
import type { Callback, TrainedModel } from "../model/callbacks.ts";
import { Monitor, type MonitorOptions } from "./monitor.ts";

/** What `reduceLROnPlateau` is told. */
export interface ReduceLROnPlateauOptions extends MonitorOptions {
  /** What the learning rate is multiplied by; below 1, default 0.1. */
  readonly factor?: number;
  /** Epochs without a better value before the rate is reduced; default 10. */
  readonly patience?: number;
  /** What counts as better; default 1e-4. */
  readonly minDelta?: number;
  /** Epochs after a reduction that are not counted; default 0. */
  readonly cooldown?: number;
  /** The rate is never below this; default 0. */
  readonly minLr?: number;
}

/**
 * Reduces the learning rate when a value gets no better; the logs get `learning_rate`.
 * https://keras.io/api/callbacks/reduce_lr_on_plateau/
 *
 * @throws UserError for options out of range; in training, for a value that the logs do not have.
 */
export function reduceLROnPlateau(options: ReduceLROnPlateauOptions = {}): Callback {
  const where = "reduceLROnPlateau";
  onlyKnown(where, options, ["monitor", "mode", "factor", "patience", "minDelta", "cooldown", "minLr"]);
  const monitor = new Monitor(where, options, options.minDelta ?? 1e-4);
  const range = { min: 0, below: 1, expected: "a number from 0 to below 1" };
  const factor = numberIn(where, "factor", options.factor ?? 0.1, range);
  const patience = positiveInteger(where, "patience", options.patience ?? 10);
  const cooldown = wholeNumber(where, "cooldown", options.cooldown ?? 0);
  const minLr = numberIn(where, "minLr", options.minLr ?? 0, { min: 0, expected: "a number of at least 0" });
  let model: TrainedModel;
  let best: number | undefined;
  let waited = 0;
  let cooling = 0;
  return {
    setModel(given) {
      model = given;
    },
    setParams: (parameters) => monitor.setParams(parameters),
    onTrainBegin() {
      best = undefined;
      waited = 0;
      cooling = 0;
    },
    getState: () => ({ best, waited, cooling }),
    onTrainResume(state) {
      ({ best, waited, cooling } = state as { best?: number; waited: number; cooling: number });
    },
    onEpochEnd(epoch, logs) {
      const { optimizer } = model;
      const value = monitor.valueIn(epoch, logs);
      const rate = optimizer!.learningRate;
      logs.learning_rate = rate;
      if (value === undefined) return;
      if (cooling > 0) {
        cooling--;
        waited = 0;
      }
      if (monitor.isBetter(value, best)) {
        best = value;
        waited = 0;
      } else if (cooling === 0 && ++waited >= patience && rate > Math.fround(minLr)) {
        optimizer!.learningRate = Math.max(rate * factor, minLr);
        cooling = cooldown;
        waited = 0;
      }
    },
  };
}
