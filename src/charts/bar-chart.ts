/** Bars below each other, each with its name on the left and its value behind it. */
import { escaped, type Frame, frame } from "./svg.ts";

export interface Bar {
  readonly name: string;
  /** Length, 0 to 1. */
  readonly share: number;
  /** What is written behind it. */
  readonly text: string;
  /** Whether it stands out from the others. */
  readonly own?: boolean;
}

export interface BarLayout {
  /** Room for the longest bar. */
  readonly room: number;
  /** Room for names. */
  readonly names: number;
  /** Room for values. */
  readonly values: number;
  /** Whether the title stands above. */
  readonly titled: boolean;
}

const BAR = 22;
const GAP = 10;
const TITLE = 46;

/** Classes to give colours: `title`, `name`, `bar`, `value`, and with them `own`. */
export function barChart(
  bars: readonly Bar[],
  { room, names, values, titled }: BarLayout,
  about: Omit<Frame, "width" | "height">,
): string {
  const top = titled ? TITLE : 0;
  const lines = bars.map(({ name, share, text, own = false }, i) => {
    const y = top + i * (BAR + GAP);
    const mark = own ? " own" : "";
    return `  <text class="name${mark}" x="${names - 10}" y="${y + 16}">${escaped(name)}</text>
  <rect class="bar${mark}" x="${names}" y="${y}" width="${Math.max(2, room * share).toFixed(1)}" height="${BAR}" rx="3"/>
  <text class="value${mark}" x="${(names + room * share + 8).toFixed(1)}" y="${y + 16}">${escaped(text)}</text>`;
  });
  if (titled) lines.unshift(`  <text class="title" x="10" y="24">${escaped(about.title)}</text>`);
  const height = top + bars.length * (BAR + GAP) + (titled ? 6 : -GAP);
  return frame({ ...about, width: names + room + values, height }, lines.join("\n"));
}
