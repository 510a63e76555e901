/** Keras 3's progress line (keras/src/utils/progbar.py), fitted to the width of the terminal. */

/** Metrics by name, as `fit` hands them to callbacks. */
export type Logs = Readonly<Record<string, number>>;

const BAR_WIDTH = 20;
const SHORT_BAR_WIDTH = 8;
const BOLD = "\x1b[1m";
const GREEN = "\x1b[32m";
const GREY = "\x1b[37m";
const RESET = "\x1b[0m";
const CLEAR_TO_END = "\x1b[K";

/** Seconds as Keras writes what is left: 59s, 1:05, 1:02:05. */
export function formatRemaining(seconds: number): string {
  const whole = Math.floor(seconds);
  const pad = (value: number) => String(value).padStart(2, "0");
  if (seconds > 3600) return `${Math.floor(whole / 3600)}:${pad(Math.floor((whole % 3600) / 60))}:${pad(whole % 60)}`;
  return seconds > 60 ? `${Math.floor(whole / 60)}:${pad(whole % 60)}` : `${whole}s`;
}

/** Milliseconds a step as Keras writes them: 2s/step, 25ms/step, 310us/step. */
export function formatStepTime(milliseconds: number): string {
  if (milliseconds >= 1000 || milliseconds === 0) return `${(milliseconds / 1000).toFixed(0)}s/step`;
  return milliseconds >= 1 ? `${milliseconds.toFixed(0)}ms/step` : `${(milliseconds * 1000).toFixed(0)}us/step`;
}

/** One number with four decimals, or in scientific notation where those would say nothing. */
export function formatMetric(value: number): string {
  if (Math.abs(value) > 1e-3 || value === 0 || !Number.isFinite(value)) return value.toFixed(4);
  return value.toExponential(4).replace(/e([+-])(?=\d$)/, (exponent) => `${exponent}0`);
}

/** ` - accuracy: 0.9481 - loss: 0.1701 …`: by name, those of training first, as Keras orders them. */
export function formatMetrics(logs: Logs): string {
  const rank = (name: string) => (name.startsWith("val_") ? `1${name}` : `0${name}`);
  const names = Object.keys(logs).sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
  return names.map((name) => ` - ${name}: ${formatMetric(logs[name] as number)}`).join("");
}

export interface ProgressState {
  readonly step: number;
  readonly steps: number;
  /** What stands behind the bar: time left while running, time taken at the end. */
  readonly time: string;
  readonly msPerStep: number;
  readonly logs: Logs;
}

/**
 * The progress line, at most `columns` characters wide: where it does not fit, the bar is shortened, then left out, and
 * then the end is cut off.
 */
export function progressLine(state: ProgressState, columns: number, colour: boolean): string {
  const { step, steps, time, msPerStep, logs } = state;
  const count = `${String(step).padStart(String(steps).length)}/${steps} `;
  const info = ` ${formatStepTime(msPerStep)}${formatMetrics(logs)}`;
  const widthWithout = count.length + 1 + time.length + info.length;
  const bar = [BAR_WIDTH, SHORT_BAR_WIDTH, 0].find((width) => widthWithout + width <= columns) ?? 0;
  const done = Math.floor((bar * step) / steps);
  const pieces: [style: string, text: string][] = [
    [BOLD, count.trimEnd()],
    ["", " "],
    [GREEN, "━".repeat(done)],
    [GREY, "━".repeat(bar - done)],
    ["", bar > 0 ? " " : ""],
    [BOLD, time],
    ["", info],
  ];
  let room = Math.max(1, columns);
  let line = "";
  for (const [style, text] of pieces) {
    const shown = text.slice(0, room);
    room -= shown.length;
    line += colour && style !== "" && shown !== "" ? `${style}${shown}${RESET}` : shown;
  }
  return line;
}

/** The terminal that the line is drawn on. */
export interface Terminal {
  write(text: string): void;
  /** Width in characters; undefined, or 0, where it is not known. */
  readonly columns: number | undefined;
  readonly colour: boolean;
}

const DRAW_INTERVAL_MS = 100;
const DEFAULT_COLUMNS = 80;

/** Draws one line over itself, at most ten times a second; the last drawing of an epoch always comes. */
export class ProgressLine {
  readonly #terminal: Terminal;
  readonly #now: () => number;
  #lastDrawn = Number.NEGATIVE_INFINITY;
  #open = false;

  constructor(terminal: Terminal, now: () => number) {
    this.#terminal = terminal;
    this.#now = now;
  }

  /** Draws, unless the last drawing is less than a tenth of a second ago. The state is made only if it is drawn. */
  update(state: () => ProgressState): void {
    if (this.#now() - this.#lastDrawn >= DRAW_INTERVAL_MS) this.#draw(state());
  }

  /** Draws for the last time and goes on to the next line. */
  finish(state: ProgressState): void {
    this.#draw(state);
    this.close();
  }

  /** Leaves what is drawn standing and goes on to the next line. */
  close(): void {
    if (this.#open) this.#terminal.write("\n");
    this.#open = false;
    this.#lastDrawn = Number.NEGATIVE_INFINITY;
  }

  #draw(state: ProgressState): void {
    // One column stays free: a character in the last one makes some terminals go on to the next line.
    const columns = (this.#terminal.columns || DEFAULT_COLUMNS) - 1;
    this.#terminal.write(`\r${progressLine(state, columns, this.#terminal.colour)}${CLEAR_TO_END}`);
    this.#lastDrawn = this.#now();
    this.#open = true;
  }
}
