/** Shares of each digit, as bars. */

export interface Bars {
  readonly element: HTMLOListElement;
  set(shares: readonly number[] | undefined): void;
}

/** Of more classes the first ones are shown. */
const MOST = 20;

/**
 * @param from the share at which bars begin
 * @param digits decimals of the percentages
 */
export function createBars({ from = 0, digits = 0 }: { from?: number; digits?: number } = {}): Bars {
  const element = document.createElement("ol");
  element.className = "bars";
  element.start = 0;
  const createRow = (_: unknown, digit: number) => {
    const [name, track, bar, value] = ["span", "span", "span", "span"].map((tag) => document.createElement(tag));
    name!.textContent = String(digit);
    name!.className = "name";
    track!.className = "track";
    bar!.className = "bar";
    value!.className = "value";
    track!.append(bar!);
    const row = document.createElement("li");
    row.append(name!, track!, value!);
    return { row, bar: bar!, value: value! };
  };
  let rows = Array.from({ length: 10 }, createRow);
  const fill = () => element.replaceChildren(...rows.map(({ row }) => row));
  fill();
  return {
    element,
    set: (shares) => {
      if (shares && shares.length !== rows.length) {
        rows = Array.from({ length: Math.min(shares.length, MOST) }, createRow);
        fill();
      }
      const largest = shares ? Math.max(...shares) : 0;
      for (const [digit, { row, bar, value }] of rows.entries()) {
        const share = shares?.[digit] ?? 0;
        bar.style.transform = `scaleX(${Math.max(0, (share - from) / (1 - from))})`;
        value.textContent = shares ? `${(100 * share).toFixed(digits)} %` : "";
        row.classList.toggle("largest", shares !== undefined && share === largest);
      }
    },
  };
}
