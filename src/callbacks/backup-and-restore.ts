import { badArgument, boolean, onlyKnown, positiveInteger } from "../arguments.ts";
import type { Callback, KeptRun, RunKeeper } from "../model/callbacks.ts";
import {
  listFolder,
  makeFolder,
  pathIn,
  readFile,
  removeAbandoned,
  removeFile,
  writeFileAtomic,
} from "../runtime/files.ts";

/** What `backupAndRestore` is told. */
export interface BackupAndRestoreOptions {
  /** A folder for the checkpoints of this run alone; made where there is none. */
  readonly directory: string;
  /** "epoch" (default): after each epoch; a number: after so many steps. */
  readonly saveFreq?: "epoch" | number;
  /** Checkpoints that are kept; older ones are removed when a newer one is on disk. Default 2. */
  readonly keep?: number;
  /** Remove the checkpoints when training has come to its end; default true. */
  readonly deleteCheckpoint?: boolean;
  /** Told of a file that is damaged or no checkpoint, and is skipped. Default: `console.warn`. */
  readonly onSkip?: (message: string) => void;
  /** Told when a checkpoint cannot be written; training goes on. Without it training ends. */
  readonly onError?: (error: Error) => void;
}

/** The number is that of the optimizer's updates. */
const NAME = /^checkpoint-(\d+)\.h5$/;

/**
 * Keeps the run in checkpoints and, when the same program is run again, goes on from the last one that is whole: with
 * the same bits as if it had never been broken off, from any step and with any number of threads. A run that is broken off
 * by its signal is kept first. Each checkpoint is a legacy Keras `.h5` file, with the optimizer's state.
 * https://keras.io/api/callbacks/backup_and_restore/
 *
 * The program must make the same model and give the same data and options; `epochs` may differ. Batches that are made
 * while they are used must come again the same: those from before are drawn and left aside. Files are written while
 * training goes on.
 *
 * @throws UserError for options out of range; in training, where nothing can be written, or where the checkpoint is of
 *   another model, other data or other options.
 */
export function backupAndRestore(options: BackupAndRestoreOptions): Callback {
  const where = "backupAndRestore";
  onlyKnown(where, options, ["directory", "saveFreq", "keep", "deleteCheckpoint", "onSkip", "onError"]);
  const { directory, saveFreq = "epoch", keep = 2, onSkip = console.warn } = options;
  if (typeof directory !== "string" || directory === "") throw badArgument(where, "directory", "text", directory);
  if (saveFreq !== "epoch") positiveInteger(where, "saveFreq", saveFreq);
  for (const name of ["onSkip", "onError"] as const) {
    const given = options[name];
    if (given !== undefined && typeof given !== "function") throw badArgument(where, name, "a function", given);
  }
  const keeper = new FolderKeeper({
    directory,
    saveFreq,
    keep: positiveInteger(where, "keep", keep),
    removes: boolean(where, "deleteCheckpoint", options.deleteCheckpoint ?? true),
    onSkip,
    onError: options.onError,
  });
  return { keeper, onTrainEnd: () => keeper.end() };
}

interface KeeperOptions {
  readonly directory: string;
  readonly saveFreq: "epoch" | number;
  readonly keep: number;
  readonly removes: boolean;
  readonly onSkip: (message: string) => void;
  readonly onError: ((error: Error) => void) | undefined;
}

/** Keeps a run in a folder. */
class FolderKeeper implements RunKeeper {
  readonly #options: KeeperOptions;
  /** The save that is under way, and how it failed. */
  #saving: Promise<Error | undefined> = Promise.resolve(undefined);
  /** Where the run was when it was last saved. */
  #saved: string | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  async begin(run: KeptRun): Promise<void> {
    const { directory, onSkip } = this.#options;
    this.#saved = undefined;
    await makeFolder(directory);
    await removeAbandoned(directory, (name) => NAME.test(name));
    await this.#probe();
    for (const name of (await this.#names()).reverse()) {
      const path = pathIn(directory, name);
      const skip = (reason: string) => onSkip(`${path} is skipped: ${reason}`);
      if (await run.restore(await readFile(path), path, skip)) return;
    }
  }

  /** What cannot be written is said before anything is trained. */
  async #probe(): Promise<void> {
    const path = pathIn(this.#options.directory, "checkpoint-probe");
    await writeFileAtomic(path, new Uint8Array(1));
    await removeFile(path);
  }

  /** The names of the checkpoints, the oldest first. */
  async #names(): Promise<string[]> {
    const entries = await listFolder(this.#options.directory);
    const names = entries.filter(({ isFolder }) => !isFolder).map(({ name }) => name);
    return names.filter((name) => NAME.test(name)).sort((a, b) => numberOf(a) - numberOf(b));
  }

  async keep(run: KeptRun, moment: Parameters<RunKeeper["keep"]>[1]): Promise<void> {
    const { saveFreq, removes } = this.#options;
    const isDue = {
      step: saveFreq !== "epoch" && run.iterations % saveFreq === 0,
      epoch: saveFreq === "epoch",
      end: !removes,
      interrupted: true,
      failed: false,
    };
    if (isDue[moment] && this.#saved !== run.position && !run.isBroken) {
      // The bytes are the writer's, until they are on disk.
      await this.#settle();
      const bytes = await run.toBytes();
      this.#saved = run.position;
      this.#saving = this.#save(run.iterations, bytes).then(
        () => undefined,
        (error: Error) => {
          this.#saved = undefined;
          return error;
        },
      );
    }
    if (moment === "end" || moment === "interrupted") await this.#settle();
    // The run's own error is told.
    if (moment === "failed") await this.#saving;
  }

  /** Waits for the save that is under way. */
  async #settle(): Promise<void> {
    const error = await this.#saving;
    this.#saving = Promise.resolve(undefined);
    if (!error) return;
    const { onError } = this.#options;
    if (!onError) throw error;
    onError(error);
  }

  async #save(iterations: number, bytes: Uint8Array): Promise<void> {
    const { directory, keep } = this.#options;
    await writeFileAtomic(pathIn(directory, `checkpoint-${String(iterations).padStart(8, "0")}.h5`), bytes);
    const older = (await this.#names()).filter((name) => numberOf(name) < iterations);
    await this.#remove(older.slice(0, Math.max(0, older.length - (keep - 1))));
  }

  async #remove(names: readonly string[]): Promise<void> {
    for (const name of names) await removeFile(pathIn(this.#options.directory, name));
  }

  async end(): Promise<void> {
    await this.#settle();
    if (this.#options.removes) await this.#remove(await this.#names());
  }
}

const numberOf = (name: string) => Number(NAME.exec(name)![1]);
