/** Checks of what users pass, made once, at the door. Each throws a UserError that says what, expected and received. */
import { UserError } from "./errors.ts";

/** How a value reads in a message. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "object" && value !== null) {
    const text = JSON.stringify(value) ?? String(value);
    return text.length > 80 ? `${text.slice(0, 77)}...` : text;
  }
  return String(value);
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
