/** What is looked at, and the network's view of it: the newest first, one at a time. */
import type { Remote } from "comlink";
import type { Lab, Sight, Subject } from "../lab/protocol.ts";

export interface Viewer {
  /** Begins to look: there is a network. */
  start(): void;
  /** Looks at something else; undefined: at nothing. */
  show(subject: Subject | undefined): void;
  /** Looks again, because the network has changed. */
  refresh(): void;
}

export interface Listeners {
  onSight(sight: Sight | undefined): void;
  /** How the answer depends on the pixels; comes after the sight that it explains, unless that is out of date. */
  onExplained(values: Float32Array, sight: Sight): void;
  /** Whether something is being looked at. */
  onBusy(busy: boolean): void;
  onError(error: Error): void;
}

export const largestOf = (values: readonly number[]) => values.indexOf(Math.max(...values));

export function createViewer(lab: Remote<Lab>, { onSight, onExplained, onBusy, onError }: Listeners): Viewer {
  let subject: Subject | undefined;
  let wanted = false;
  let busy = false;
  let started = false;

  async function look(): Promise<void> {
    const seen = subject;
    if (!seen) return onSight(undefined);
    const sight = await lab.see(seen);
    if (seen.kind === "picture" && subject === seen) subject = { kind: "pixels", pixels: sight.pixels };
    if (!subject) return;
    onSight(sight);
    if (wanted) return;
    const values = await lab.explain(sight.pixels, largestOf(sight.probabilities));
    if (subject) onExplained(values, sight);
  }

  async function run(): Promise<void> {
    wanted = true;
    if (busy || !started) return;
    busy = true;
    onBusy(true);
    while (wanted) {
      wanted = false;
      await look().catch((error: Error) => {
        onSight(undefined);
        onError(error);
      });
    }
    busy = false;
    onBusy(false);
  }

  return {
    start: () => {
      started = true;
      void run();
    },
    show: (next) => {
      subject = next;
      void run();
    },
    refresh: () => {
      if (subject) void run();
    },
  };
}
