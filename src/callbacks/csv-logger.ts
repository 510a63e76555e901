import { badArgument, boolean, onlyKnown } from "../arguments.ts";
import type { Callback, Logs } from "../model/callbacks.ts";
import { appendText, fileSize, truncateFile } from "../runtime/files.ts";

/** What `csvLogger` is told. */
export interface CsvLoggerOptions {
  readonly filename: string;
  /** Between the columns; default ",". */
  readonly separator?: string;
  /** Go on with a file that is there; default false: begin anew. */
  readonly append?: boolean;
  /** Told, once, when a row cannot be written; training then goes on without a log. Without it training ends. */
  readonly onError?: (error: Error) => void;
}

/**
 * Writes a row an epoch: `epoch`, from 0, then the values by name, as Keras does. https://keras.io/api/callbacks/csv_logger/
 *
 * @throws UserError for options out of range; in training, where the file cannot be written.
 */
export function csvLogger(options: CsvLoggerOptions): Callback {
  const where = "csvLogger";
  onlyKnown(where, options, ["filename", "separator", "append", "onError"]);
  const { filename, separator = ",", onError } = options;
  if (typeof filename !== "string" || filename === "") throw badArgument(where, "filename", "text", filename);
  if (typeof separator !== "string") throw badArgument(where, "separator", "text", separator);
  const append = boolean(where, "append", options.append ?? false);
  let columns: string[] | undefined;
  let hasHeader = false;
  /** Length of the file. */
  let bytes = 0;
  let isFull = false;
  return {
    async onTrainBegin() {
      columns = undefined;
      hasHeader = append && (await fileSize(filename)) > 0;
      if (!hasHeader) await appendText(filename, "", { anew: true });
      bytes = await fileSize(filename);
    },
    getState: () => ({ columns, hasHeader, bytes }),
    async onTrainResume(state) {
      ({ columns, hasHeader, bytes } = state as { columns?: string[]; hasHeader: boolean; bytes: number });
      // Rows of epochs after the checkpoint come again.
      await truncateFile(filename, bytes);
      hasHeader = hasHeader && (await fileSize(filename)) > 0;
      await appendText(filename, "");
    },
    async onEpochEnd(epoch, logs) {
      if (isFull) return;
      columns ??= columnsOf(logs);
      const lines = [[epoch, ...columns.map((name) => logs[name] ?? "NA")]] as (string | number)[][];
      if (!hasHeader) lines.unshift(["epoch", ...columns]);
      hasHeader = true;
      try {
        await appendText(filename, lines.map((line) => `${line.join(separator)}\n`).join(""));
        bytes = await fileSize(filename);
      } catch (error) {
        if (!onError) throw error;
        isFull = true;
        onError(error as Error);
      }
    },
  };
}

/** As Keras has them: also those of validations, which later epochs may have. */
function columnsOf(logs: Logs): string[] {
  const names = Object.keys(logs).sort();
  return names.some((name) => name.startsWith("val_")) ? names : [...names, ...names.map((name) => `val_${name}`)];
}
