/** Strict readers of option values: what is not wholly and plainly a number in range is refused, never guessed at. */
import { UserError } from "../errors.ts";

const LARGEST_COUNT = 1_000_000_000;
const LARGEST_SEED = 2 ** 32 - 1;

function wholeNumber(option: string, least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new UserError(`${option}: expected a whole number from ${least} to ${most}, received "${text}".`);
  };
}

/** Reads a count of something: 1, 2, 3 … in decimal digits. */
export function countOf(option: string, most = LARGEST_COUNT): (text: string) => number {
  return wholeNumber(option, 1, most);
}

/** Reads a seed: a whole number of 32 bits. */
export function seedOf(option: string): (text: string) => number {
  return wholeNumber(option, 0, LARGEST_SEED);
}

/** Reads a number above zero, in decimal or scientific notation. */
export function positiveOf(option: string): (text: string) => number {
  return (text) => {
    const value = /^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
    if (value > 0 && Number.isFinite(value)) return value;
    throw new UserError(`${option}: expected a number above 0, for example 0.001, received "${text}".`);
  };
}

/** Reads one of a few words. */
export function oneOf<Choice extends string>(option: string, choices: readonly Choice[]): (text: string) => Choice {
  return (text) => {
    const choice = choices.find((candidate) => candidate === text);
    if (choice !== undefined) return choice;
    throw new UserError(
      `${option}: expected ${choices.join(", ").replace(/, ([^,]*)$/, " or $1")}, received "${text}".`,
    );
  };
}

/** Reads the shape of an image, as `32x32x3`. */
export function imageShapeOf(option: string): (text: string) => number[] {
  return (text) => {
    const found = /^([1-9]\d{0,3})x([1-9]\d{0,3})x([134])$/.exec(text);
    if (found) return found.slice(1).map(Number);
    throw new UserError(
      `${option}: expected height x width x channels (1, 3 or 4), for example 32x32x3, received "${text}".`,
    );
  };
}
