/** What a learning rate that follows the number of steps is. */
import { type Config, isConfig } from "../arguments.ts";

/** A learning rate that follows the number of steps. */
export interface Schedule {
  /** Keras's class name. */
  readonly className: string;
  /** The learning rate of a step, counted from 0; in single precision, as in Keras. */
  rateAt(step: number): number;
  /** What Keras's `get_config` gives. */
  getConfig(): Config;
}

export function isSchedule(value: unknown): value is Schedule {
  return isConfig(value) && typeof value.rateAt === "function";
}

/** What Keras's `serialize` gives. */
export function scheduleConfig(schedule: Schedule): Config {
  return {
    module: "keras.optimizers.schedules",
    class_name: schedule.className,
    config: schedule.getConfig(),
    registered_name: null,
  };
}
