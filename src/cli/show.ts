/** `lenet predict --show`: the digit as the network sees it, and beside it how probable each digit is. */

export interface Canvas {
  readonly columns: number;
  /** With colour half blocks in shades of grey, without it plain characters. */
  readonly colour: boolean;
}

const SIDE = 28;
const GAP = 3;
/** From background to ink. */
const SHADES = " .:-=+*#%@";
/** The 24 greys among a terminal's 256 colours begin here. */
const FIRST_GREY = 232;
const GREYS = 24;
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
const LONGEST_BAR = 30;
const SHORTEST_BAR = 8;
/** `7 ` before a bar, ` 100.00 %` and a mark behind it. */
const BESIDE_BAR = 2 + 9 + 2;
const BOLD = "\x1b[1m";
const RESET = "\x1b[0m";

/** A line for two rows of pixels: a terminal's characters are twice as high as wide. */
function shadedLine(upper: Uint8Array, lower: Uint8Array): string {
  const shade = (level: number) => SHADES[Math.round((level / 255) * (SHADES.length - 1))]!;
  return Array.from(upper, (level, column) => shade((level + lower[column]!) / 2)).join("");
}

/** The same in greys: the upper half of a character in one, the background in the other. */
function greyLine(upper: Uint8Array, lower: Uint8Array): string {
  const grey = (level: number) => FIRST_GREY + Math.round((level / 255) * (GREYS - 1));
  let line = "";
  let last = "";
  for (const [column, level] of upper.entries()) {
    const style = `\x1b[38;5;${grey(level)};48;5;${grey(lower[column]!)}m`;
    line += style === last ? "▀" : `${style}▀`;
    last = style;
  }
  return line + RESET;
}

/** 14 lines of 28 characters. */
function digitLines(pixels: Uint8Array, colour: boolean): string[] {
  const row = (index: number) => pixels.subarray(index * SIDE, (index + 1) * SIDE);
  const draw = colour ? greyLine : shadedLine;
  return Array.from({ length: SIDE / 2 }, (_, i) => draw(row(2 * i), row(2 * i + 1)));
}

/** A bar of so many characters at most, padded to that. */
function bar(share: number, width: number, colour: boolean): string {
  if (!colour) return "#".repeat(Math.round(share * width)).padEnd(width);
  const eighths = Math.round(share * width * 8);
  return `${"█".repeat(eighths >> 3)}${EIGHTHS[eighths & 7]}`.padEnd(width);
}

function barLines(probabilities: readonly number[], width: number, colour: boolean): string[] {
  const best = probabilities.indexOf(Math.max(...probabilities));
  return probabilities.map((probability, digit) => {
    const line = `${digit} ${bar(probability, width, colour)} ${(100 * probability).toFixed(2).padStart(6)} %`;
    if (digit !== best) return line;
    return colour ? `${BOLD}${line}${RESET}` : `${line} <`;
  });
}

/**
 * Draws a digit and the probabilities of the ten, beside it or, where there is no room, below it.
 *
 * @param pixels 28x28, 0 background to 255 ink
 */
export function drawPrediction(
  pixels: Uint8Array,
  probabilities: readonly number[],
  { columns, colour }: Canvas,
): string {
  const digit = digitLines(pixels, colour);
  const room = columns - SIDE - GAP - BESIDE_BAR;
  if (room < SHORTEST_BAR) {
    const width = Math.max(1, Math.min(LONGEST_BAR, columns - BESIDE_BAR));
    return [...digit, ...barLines(probabilities, width, colour)].map((line) => `${line}\n`).join("");
  }
  const bars = barLines(probabilities, Math.min(LONGEST_BAR, room), colour);
  const above = (digit.length - bars.length) / 2;
  const lines = digit.map((line, i) => `${line}${" ".repeat(GAP)}${bars[i - above] ?? ""}`.trimEnd());
  return lines.map((line) => `${line}\n`).join("");
}
