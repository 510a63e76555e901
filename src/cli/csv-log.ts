/** The log of `lenet train --log`: the columns of Keras's CSVLogger (https://keras.io/api/callbacks/csv_logger/). */
import { openSync, writeSync } from "node:fs";
import { describeError, explainFileError } from "./exit-codes.ts";
import type { Logs } from "./progress.ts";

/** Writes one row an epoch: `epoch`, counted from 0 as Keras does, then the metrics by name. */
export class CsvLog {
  readonly #path: string;
  readonly #warn: (line: string) => void;
  readonly #file: number;
  #columns: string[] | undefined;
  #failed = false;

  /**
   * Starts the file anew.
   *
   * @param warn told, once, when a row cannot be written: what was trained is worth more than its log
   * @throws UserError when the file cannot be opened.
   */
  constructor(path: string, warn: (line: string) => void) {
    this.#path = path;
    this.#warn = warn;
    try {
      this.#file = openSync(path, "w");
    } catch (error) {
      throw explainFileError(path, error);
    }
  }

  /** Adds an epoch's row; before the first, the names of the columns. */
  append(epoch: number, logs: Logs): void {
    if (this.#failed) return;
    const isFirst = this.#columns === undefined;
    this.#columns ??= Object.keys(logs).sort();
    const header = isFirst ? `${["epoch", ...this.#columns].join(",")}\n` : "";
    const row = [epoch, ...this.#columns.map((name) => logs[name] ?? "NA")];
    try {
      writeSync(this.#file, `${header}${row.join(",")}\n`);
    } catch (error) {
      this.#failed = true;
      const { line } = describeError(explainFileError(this.#path, error));
      this.#warn(`${line.replace("lenet: ", "lenet: --log: ").replace(/\.$/, "")}; training goes on without a log.`);
    }
  }
}
