/** Checks of what users pass, made once, at the door. Each throws a UserError that says what, expected and received. */
import { UserError } from "./errors.ts";

const LONGEST = 80;

/** How a value reads in a message: short, whatever it is. */
export function show(value: unknown): string {
  const text = describe(value, 3);
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 3)}...` : text;
}

/** Like JSON, but arrays of data by type and shape, and of the rest only as much as is shown. */
function describe(value: unknown, depth: number): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, LONGEST));
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return `function ${value.name}`.trimEnd();
  if (typeof value !== "object" || value === null) return String(value);
  const className = Object.getPrototypeOf(value)?.constructor?.name ?? "Object";
  if (ArrayBuffer.isView(value)) return `${className} of ${(value as Uint8Array).length ?? value.byteLength} elements`;
  const { shape } = value as { shape?: unknown };
  if (className === "NDArray" && Array.isArray(shape)) return `NDArray of shape (${shape.join(", ")})`;
  if (depth === 0) return Array.isArray(value) ? "[...]" : "{...}";
  if (Array.isArray(value)) return `[${value.slice(0, LONGEST).map((item) => describe(item, depth - 1))}]`;
  if (className !== "Object") return className;
  const entries = Object.entries(value).slice(0, LONGEST);
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${describe(item, depth - 1)}`)}}`;
}

/** Whether a text can be a name in files: no zero is in it, which ends text there, and no half of a character. */
export const isWholeText = (text: string): boolean => !/[\0\p{Surrogate}]/u.test(text);

/**
 * Refuses options that are not objects or that have keys which nobody reads.
 *
 * @throws UserError naming the key, and the one that was probably meant
 */
export function onlyKnown(where: string, options: unknown, known: readonly string[]): void {
  if (!isConfig(options)) throw badArgument(where, "the options", `an object with ${known.join(", ")}`, options);
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    const close = nearest(key, known);
    const hint = close === undefined ? `known are ${known.join(", ")}` : `did you mean ${close}?`;
    throw new UserError(`${where}: option ${show(key)} is unknown; ${hint}${close === undefined ? "." : ""}`);
  }
}

/** The candidate that a misspelt word stands for; `batch_size` is `batchSize`. */
function nearest(word: string, candidates: readonly string[]): string | undefined {
  const plain = (text: string) => text.replaceAll("_", "").toLowerCase();
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: editDistance(plain(word), plain(candidate)) }))
    .sort((a, b) => a.distance - b.distance);
  const [best] = ranked;
  return best && best.distance < word.length && best.distance <= Math.max(2, word.length / 4)
    ? best.candidate
    : undefined;
}

/** Insertions, deletions and replacements between two words (Levenshtein 1966). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}

/** The error for an argument that is not what was expected. */
export function badArgument(where: string, name: string, expected: string, received: unknown): UserError {
  return new UserError(`${where}: ${name} must be ${expected}, got ${show(received)}.`);
}

export function positiveInteger(where: string, name: string, value: unknown): number {
  // 2^31 is more than any size that fits into memory, and keeps products exact.
  if (Number.isInteger(value) && (value as number) > 0 && (value as number) < 2 ** 31) return value as number;
  throw badArgument(where, name, "a positive integer", value);
}

/** A count that may be 0 and is exact: a seed, the number of an epoch. */
export function wholeNumber(where: string, name: string, value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw badArgument(where, name, "an integer of at least 0", value);
}

/** A finite number in [min, max), or above min where `exclusive`. */
export function numberIn(
  where: string,
  name: string,
  value: unknown,
  { min = Number.NEGATIVE_INFINITY, below = Number.POSITIVE_INFINITY, expected = "a finite number" },
): number {
  if (typeof value === "number" && Number.isFinite(value) && value >= min && value < below) return value;
  throw badArgument(where, name, expected, value);
}

/** A positive integer for both axes, or one for each: [height, width]. */
export function pair(where: string, name: string, value: unknown): [number, number] {
  if (Array.isArray(value) && value.length === 2) {
    return [positiveInteger(where, name, value[0]), positiveInteger(where, name, value[1])];
  }
  if (Array.isArray(value)) throw badArgument(where, name, "a positive integer or two of them", value);
  const size = positiveInteger(where, name, value);
  return [size, size];
}

export function oneOf<Choice extends string>(
  where: string,
  name: string,
  value: unknown,
  choices: readonly Choice[],
): Choice {
  if (choices.includes(value as Choice)) return value as Choice;
  throw badArgument(where, name, `one of ${choices.map(show).join(", ")}`, value);
}

export function boolean(where: string, name: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw badArgument(where, name, "true or false", value);
}

/** An object as JSON has it. */
export type Config = Readonly<Record<string, unknown>>;

export function isConfig(value: unknown): value is Config {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
