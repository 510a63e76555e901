/** What callbacks that watch a value share: which value, and whether it got better. */
import { badArgument, numberIn, oneOf } from "../arguments.ts";
import { UserError } from "../errors.ts";
import type { Logs, RunParameters } from "../model/callbacks.ts";

/** Whether smaller or larger values are better; "auto" tells by the name. */
export type MonitorMode = "auto" | "min" | "max";

export interface MonitorOptions {
  /** The value that is watched, by its name in the logs; default "val_loss". */
  readonly monitor?: string;
  /** Whether smaller or larger values are better; "auto" (default) goes by the name. */
  readonly mode?: MonitorMode;
}

/** Names of values of which more is better, and of which less is. */
const UP = /acc|auc|precision|recall|f1|top_k/;
const DOWN = /loss|error|mse|mae|entropy/;

export class Monitor {
  readonly #where: string;
  readonly #name: string;
  /** 1 where more is better, else -1. */
  readonly #sign: 1 | -1;
  readonly #minDelta: number;
  #validationFreq: number | undefined;

  /** @throws UserError for a name that does not tell its direction, where no mode does. */
  constructor(where: string, { monitor = "val_loss", mode = "auto" }: MonitorOptions, minDelta: unknown = 0) {
    if (typeof monitor !== "string" || monitor === "") throw badArgument(where, "monitor", "a name", monitor);
    this.#where = where;
    this.#name = monitor;
    oneOf(where, "mode", mode, ["auto", "min", "max"]);
    const isUp = mode === "auto" ? UP.test(monitor) : mode === "max";
    if (mode === "auto" && !isUp && !DOWN.test(monitor)) {
      throw new UserError(`${where}: whether more of "${monitor}" is better is not known; pass mode "min" or "max".`);
    }
    this.#sign = isUp ? 1 : -1;
    this.#minDelta = numberIn(where, "minDelta", minDelta, { min: 0, expected: "a number of at least 0" });
  }

  /** What a callback is told of a run. */
  setParams({ validationFreq }: RunParameters): void {
    this.#validationFreq = validationFreq;
  }

  /**
   * Undefined in an epoch without validation, where others have one.
   *
   * @throws UserError where the logs do not have it.
   */
  valueIn(epoch: number, logs: Logs): number | undefined {
    const value = logs[this.#name];
    if (value !== undefined) return value;
    const isLeftOut = this.#validationFreq !== undefined && (epoch + 1) % this.#validationFreq !== 0;
    if (isLeftOut && this.#name.startsWith("val_")) return undefined;
    const names = Object.keys(logs).join(", ");
    const hint = this.#name.startsWith("val_") ? "; pass validationData or validationSplit" : "";
    throw new UserError(`${this.#where}: there is no "${this.#name}" to monitor, but ${names}${hint}.`);
  }

  /** Whether a value is better than another by more than `minDelta`; anything is better than none. */
  isBetter(value: number, than: number | undefined): boolean {
    if (than === undefined) return true;
    // In single precision, as Keras compares.
    const moved = Math.fround(value - this.#sign * this.#minDelta);
    return this.#sign * (moved - Math.fround(than)) > 0;
  }
}
