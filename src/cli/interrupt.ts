/** Ctrl-C and SIGTERM: the first asks for an orderly end, the second ends at once. */
import { EXIT_INTERRUPTED, EXIT_TERMINATED } from "./exit-codes.ts";

const EXIT_CODES = { SIGINT: EXIT_INTERRUPTED, SIGTERM: EXIT_TERMINATED } as const;

type SignalName = keyof typeof EXIT_CODES;

export interface Interrupt {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** What the process ends with; undefined where no signal came. */
  readonly exitCode: number | undefined;
  /** Gives the signals their usual meaning back. */
  release(): void;
}

/** Takes over the signals until released; `onFirst` runs at the first. */
export function watchInterrupt(onFirst: (name: SignalName) => void): Interrupt {
  const controller = new AbortController();
  let exitCode: number | undefined;
  const handle = (name: NodeJS.Signals) => {
    const code = EXIT_CODES[name as SignalName];
    if (exitCode !== undefined) process.exit(code);
    exitCode = code;
    onFirst(name as SignalName);
    controller.abort();
  };
  const names = Object.keys(EXIT_CODES) as SignalName[];
  for (const name of names) process.on(name, handle);
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode;
    },
    release: () => {
      for (const name of names) process.off(name, handle);
    },
  };
}
