/** Ctrl-C: the first press asks for an orderly end, the second ends at once. */
import { EXIT_INTERRUPTED } from "./exit-codes.ts";

export interface Interrupt {
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
  /** Gives Ctrl-C its usual meaning back. */
  release(): void;
}

/** Takes over Ctrl-C until released; `onFirst` runs at the first press. */
export function watchInterrupt(onFirst: () => void): Interrupt {
  const controller = new AbortController();
  const handle = () => {
    if (controller.signal.aborted) process.exit(EXIT_INTERRUPTED);
    onFirst();
    controller.abort();
  };
  process.on("SIGINT", handle);
  return { signal: controller.signal, release: () => process.off("SIGINT", handle) };
}
