/** Numbers as a report writes them. */

const NO_BREAK = "\u00a0";

/** 10,000 */
export const count = (value: number) => value.toLocaleString("en");

/** 99.13 % */
export const percent = (share: number) => `${(100 * share).toFixed(2)}${NO_BREAK}%`;

/** 97 %, 97.5 %: as short as it can be, for axes. */
export const shortPercent = (share: number) => `${Number((100 * share).toFixed(2))}${NO_BREAK}%`;

/** A probability, with as many digits as tell it from 0 and from 1. */
export function probability(share: number): string {
  const away = Math.min(share, 1 - share);
  if (away > 0 && away < 0.0001) return share < 0.5 ? `below 0.01${NO_BREAK}%` : `over 99.99${NO_BREAK}%`;
  return percent(share);
}

/** 0.0336: what a loss needs. */
export function decimals(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : String(value);
}

/** 28 × 28 × 1 */
export const dimensions = (shape: readonly number[]) => shape.join(" × ");

/** 1 image, 2 images */
export const plural = (number: number, one: string, many: string) =>
  `${count(number)}${NO_BREAK}${number === 1 ? one : many}`;

/** 4.2 s, 1 min 29 s, 1 h 2 min */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)}${NO_BREAK}s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}${NO_BREAK}s`;
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  return hours > 0
    ? `${hours}${NO_BREAK}h ${minutes}${NO_BREAK}min`
    : `${minutes}${NO_BREAK}min ${whole % 60}${NO_BREAK}s`;
}

/** The last part of a path, as a title has room for. */
export const fileName = (path: string) =>
  path
    .replace(/[/\\]+$/, "")
    .split(/[/\\]/)
    .at(-1) || path;
