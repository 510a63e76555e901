/** Lines over whole numbers, such as a loss by epoch. */
import { escaped, type Frame, frame } from "./svg.ts";
import { ticksAround, wholeTicks } from "./ticks.ts";

export interface Line {
  readonly name: string;
  /** One a place on the axis; where one is not finite the line has a gap. */
  readonly values: readonly number[];
}

export interface LineChart {
  /** Places of the values: whole numbers, ascending. */
  readonly places: readonly number[];
  readonly lines: readonly Line[];
  /** What the places are, below the axis. */
  readonly axis: string;
  /** A value as text. */
  readonly format: (value: number) => string;
  /** The axis of values covers this. */
  readonly including?: number;
  /** The axis of values goes no further than this. */
  readonly atMost?: number;
}

const WIDTH = 480;
const HEIGHT = 300;
const PLOT = { left: 58, right: 14, top: 34, bottom: 44 } as const;
/** More points than this stand too close for marks. */
const MOST_MARKS = 40;
const MARK = 3.5;

interface Scale {
  readonly ticks: readonly number[];
  /** Where a value is drawn. */
  at(value: number): number;
}

function scaleOf(ticks: readonly number[], [from, to]: readonly [number, number], start: number, end: number): Scale {
  const middle = (start + end) / 2;
  return { ticks, at: (value) => (to > from ? start + ((value - from) / (to - from)) * (end - start) : middle) };
}

function placesScale(places: readonly number[]): Scale {
  const [first, last] = [places[0]!, places.at(-1)!];
  return scaleOf(wholeTicks(first, last, 10), [first, last], PLOT.left + 8, WIDTH - PLOT.right - 8);
}

function valuesScale({ lines, including, atMost = Number.POSITIVE_INFINITY }: LineChart): Scale {
  const values = lines.flatMap((line) => line.values).filter(Number.isFinite);
  if (including !== undefined) values.push(including);
  if (values.length === 0) values.push(0, 1);
  const least = values.reduce((a, b) => Math.min(a, b));
  const most = values.reduce((a, b) => Math.max(a, b));
  const ticks = ticksAround(least, most, 5).filter((tick) => tick <= atMost);
  return scaleOf(ticks, [ticks[0]!, Math.max(ticks.at(-1)!, most)], HEIGHT - PLOT.bottom, PLOT.top);
}

const round = (value: number) => Number(value.toFixed(1));

function grid(across: Scale, up: Scale, { axis, format }: LineChart): string[] {
  const bottom = HEIGHT - PLOT.bottom;
  const rows = up.ticks.map((tick) => {
    const y = round(up.at(tick));
    return `  <path class="grid" d="M${PLOT.left} ${y}H${WIDTH - PLOT.right}"/>
  <text class="tick value" x="${PLOT.left - 8}" y="${y + 4}">${escaped(format(tick))}</text>`;
  });
  const columns = across.ticks.map(
    (tick) => `  <text class="tick place" x="${round(across.at(tick))}" y="${bottom + 18}">${tick}</text>`,
  );
  const middle = (PLOT.left + WIDTH - PLOT.right) / 2;
  return [...rows, ...columns, `  <text class="axis" x="${middle}" y="${HEIGHT - 6}">${escaped(axis)}</text>`];
}

/** Marks tell lines apart where colours do not: discs, squares. */
function mark(x: number, y: number, index: number, told = ""): string {
  if (index === 0) return `<circle cx="${x}" cy="${y}" r="${MARK}">${told}</circle>`;
  const [left, top] = [round(x - MARK), round(y - MARK)];
  return `<rect x="${left}" y="${top}" width="${2 * MARK}" height="${2 * MARK}">${told}</rect>`;
}

function drawLine({ name, values }: Line, index: number, across: Scale, up: Scale, chart: LineChart): string {
  const isMarked = (i: number) => {
    const alone = !Number.isFinite(values[i - 1]) && !Number.isFinite(values[i + 1]);
    return alone || values.length <= MOST_MARKS;
  };
  let path = "";
  let marks = "";
  for (const [i, value] of values.entries()) {
    if (!Number.isFinite(value)) continue;
    const [x, y] = [round(across.at(chart.places[i]!)), round(up.at(value))];
    path += `${Number.isFinite(values[i - 1]) ? "L" : "M"}${x} ${y}`;
    const told = `${name}, ${chart.axis} ${chart.places[i]}: ${chart.format(value)}`;
    if (isMarked(i)) marks += mark(x, y, index, `<title>${escaped(told)}</title>`);
  }
  return `  <g class="line line-${index}"><path d="${path}"/>${marks}</g>`;
}

/** Says above the chart which line is which. */
function legend(lines: readonly Line[]): string[] {
  return lines.map(({ name }, index) => {
    const x = PLOT.left + index * 120;
    return `  <g class="line line-${index}"><path d="M${x} 12H${x + 26}"/>${mark(x + 13, 12, index)}</g>
  <text class="legend" x="${x + 34}" y="16">${escaped(name)}</text>`;
  });
}

/** Classes to give colours: `grid`, `tick`, `axis`, `legend` and `line-0`, `line-1` … with paths and marks in them. */
export function lineChart(chart: LineChart, about: Omit<Frame, "width" | "height">): string {
  const [across, up] = [placesScale(chart.places), valuesScale(chart)];
  const lines = chart.lines.map((line, index) => drawLine(line, index, across, up, chart));
  const body = [...grid(across, up, chart), ...lines, ...legend(chart.lines)].join("\n");
  return frame({ ...about, width: WIDTH, height: HEIGHT }, body);
}
