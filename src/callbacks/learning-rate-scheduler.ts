import { badArgument, numberIn } from "../arguments.ts";
import type { Callback, TrainedModel } from "../model/callbacks.ts";

/**
 * Sets the learning rate at the beginning of each epoch; the logs get `learning_rate`.
 * https://keras.io/api/callbacks/learning_rate_scheduler/
 *
 * @param schedule gives the rate for an epoch, from 0, and the present rate
 * @throws UserError where it gives no number of at least 0.
 */
export function learningRateScheduler(schedule: (epoch: number, learningRate: number) => number): Callback {
  const where = "learningRateScheduler";
  if (typeof schedule !== "function") throw badArgument(where, "schedule", "a function", schedule);
  let model: TrainedModel;
  return {
    setModel(given) {
      model = given;
    },
    onEpochBegin(epoch) {
      const optimizer = model.optimizer!;
      const rate = schedule(epoch, optimizer.learningRate);
      optimizer.learningRate = numberIn(where, "the schedule's rate", rate, {
        min: 0,
        expected: "a number of at least 0",
      });
    },
    onEpochEnd(_, logs) {
      logs.learning_rate = model.optimizer!.learningRate;
    },
  };
}
