/** Round numbers for an axis. */

/** The least of 1, 2 and 5 times a power of ten that cuts a span into at most so many parts. */
function roundStep(span: number, parts: number): number {
  const least = span / parts;
  const power = 10 ** Math.floor(Math.log10(least));
  // A step that fits just so must not be taken for too small by a rounding error.
  return ([1, 2, 5].find((factor) => factor * power >= least * (1 - 1e-9)) ?? 10) * power;
}

/** Multiples of `step` from `first` to `last` times it, without the rounding errors of the multiplication. */
function multiples(step: number, first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Multiples of one round step, the first at or below `least`, the last at or above `most`: at most `parts` + 2. */
export function ticksAround(least: number, most: number, parts: number): number[] {
  const span = most > least ? most - least : Math.abs(most) || 1;
  const step = roundStep(span, parts);
  const first = Math.floor(least / step + 1e-9);
  return multiples(step, first, Math.max(first + 1, Math.ceil(most / step - 1e-9)));
}

/** Whole multiples of one round step between two whole numbers: at most `parts` + 1, and at least one number. */
export function wholeTicks(least: number, most: number, parts: number): number[] {
  const step = Math.max(1, roundStep(Math.max(1, most - least), parts));
  const found = multiples(step, Math.ceil(least / step), Math.floor(most / step));
  return found.length > 0 ? found : [least];
}
