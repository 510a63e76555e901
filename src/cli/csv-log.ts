/** The log of `lenet train --log`: the columns of Keras's CSVLogger (https://keras.io/api/callbacks/csv_logger/). */
import { appendFileSync, writeFileSync } from "node:fs";
import { explainFileError } from "./exit-codes.ts";
import type { Logs } from "./progress.ts";

/** Writes one row an epoch: `epoch`, counted from 0 as Keras does, then the metrics by name. */
export class CsvLog {
  readonly #path: string;
  #columns: string[] | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Adds an epoch's row; the first starts the file anew, with the names of the columns.
   *
   * @throws UserError when the file cannot be written.
   */
  append(epoch: number, logs: Logs): void {
    try {
      if (this.#columns === undefined) {
        this.#columns = Object.keys(logs).sort();
        writeFileSync(this.#path, `${["epoch", ...this.#columns].join(",")}\n`);
      }
      const row = [epoch, ...this.#columns.map((name) => logs[name] ?? "NA")];
      appendFileSync(this.#path, `${row.join(",")}\n`);
    } catch (error) {
      throw explainFileError(this.#path, error);
    }
  }
}
