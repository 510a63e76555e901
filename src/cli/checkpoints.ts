/** `lenet train --checkpoint`: a folder of checkpoints, and the run that is in it. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../errors.ts";
import { type Callback, callbacks } from "../index.ts";
import { checkWritable } from "./files.ts";
import type { TrainOptions } from "./options.ts";

/** Updates of the optimizer that the checkpoints in a folder stand for. */
function checkpointsIn(folder: string): number[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => {
    const found = /^checkpoint-(\d+)\.h5$/.exec(name);
    return found ? [Number(found[1])] : [];
  });
}

/** @throws UserError for options that do not fit, a folder that cannot be written in, or one that holds another run. */
export function checkCheckpoints({ checkpoint, every, resume }: TrainOptions, warn: (line: string) => void): void {
  if (checkpoint === undefined) {
    const option = every === undefined ? "--resume" : "--every";
    if (every !== undefined || resume) {
      throw new UserError(`${option}: expected --checkpoint DIR too, the folder of the checkpoints.`);
    }
    return;
  }
  checkWritable("--checkpoint", existsSync(checkpoint) ? join(checkpoint, "checkpoint") : checkpoint);
  const isThere = checkpointsIn(checkpoint).length > 0;
  if (isThere && !resume) {
    throw new UserError(
      `--checkpoint: ${checkpoint} holds the checkpoints of a run; add --resume to go on with it, or name another folder.`,
    );
  }
  if (!isThere && resume) warn(`lenet: --resume: there are no checkpoints in ${checkpoint}; training begins.`);
}

/** The last checkpoint stays when training has ended: the run can go on with more epochs. */
export function keepCheckpoints({ checkpoint, every }: TrainOptions, warn: (line: string) => void): Callback {
  if (checkpoint === undefined) return {};
  // A disk that is full stays so: it is said once.
  let said: unknown;
  return callbacks.backupAndRestore({
    directory: checkpoint,
    saveFreq: every ?? "epoch",
    deleteCheckpoint: false,
    onSkip: (message) => warn(`lenet: --resume: ${message}`),
    onError: ({ message, cause }) => {
      const reason = (cause as NodeJS.ErrnoException | undefined)?.code ?? message;
      if (reason === said) return;
      said = reason;
      warn(
        `lenet: --checkpoint: ${message.replace(/\.$/, "")}; training goes on without checkpoints while that is so.`,
      );
    },
  });
}

/** Whether the run can go on from just here. */
export function isKept({ checkpoint }: TrainOptions, iterations: number): boolean {
  return checkpoint !== undefined && checkpointsIn(checkpoint).includes(iterations);
}
