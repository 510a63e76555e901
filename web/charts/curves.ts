/** Curves over the epochs, for training and test. */
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { onSchemeChange } from "./colours.ts";

export interface CurvesOptions {
  readonly title: string;
  readonly format: (value: number) => string;
}

export interface CurvePoint {
  /** In epochs, from 0; points come in order. */
  readonly x: number;
  readonly training?: number | undefined;
  readonly test?: number | undefined;
}

const HEIGHT = 220;

const style = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class Curves {
  readonly #element: HTMLElement;
  readonly #options: CurvesOptions;
  #chart: uPlot | undefined;
  #data: uPlot.AlignedData = [[], [], []];

  constructor(element: HTMLElement, options: CurvesOptions) {
    this.#element = element;
    this.#options = options;
    element.setAttribute("role", "img");
    element.setAttribute("aria-label", `${options.title}: nothing yet`);
    new ResizeObserver(() => this.#resize()).observe(element);
    onSchemeChange(() => this.#create());
  }

  set(points: readonly CurvePoint[]): void {
    this.#data = [
      points.map(({ x }) => x),
      points.map(({ training }) => training ?? null),
      points.map(({ test }) => test ?? null),
    ];
    this.#element.setAttribute("aria-label", this.#describe(points));
    if (this.#chart) this.#chart.setData(this.#data);
    else this.#create();
  }

  #describe(points: readonly CurvePoint[]): string {
    const last = (key: "training" | "test") => {
      const value = points.findLast((point) => point[key] !== undefined)?.[key];
      return value === undefined ? "nothing yet" : this.#options.format(value);
    };
    return `${this.#options.title}, now: training ${last("training")}, test ${last("test")}`;
  }

  #resize(): void {
    const width = this.#element.clientWidth;
    if (width === 0) return;
    if (this.#chart) this.#chart.setSize({ width, height: HEIGHT });
    else this.#create();
  }

  #create(): void {
    const width = this.#element.clientWidth;
    if (width === 0) return;
    this.#chart?.destroy();
    const { title, format } = this.#options;
    const value = (_: uPlot, raw: number | null) => (raw === null ? "–" : format(raw));
    const axis = { stroke: style("--muted"), grid: { stroke: style("--line"), width: 1 }, ticks: { show: false } };
    const font = { font: `12px ${style("--sans")}` };
    const series = { spanGaps: true, width: 2, value };
    this.#chart = new uPlot(
      {
        width,
        height: HEIGHT,
        title,
        scales: { x: { time: false, range: (_, min, max) => [0, Math.max(1, Math.ceil(max ?? 1), min ?? 0)] } },
        axes: [
          { ...axis, ...font, size: 30, incrs: [1, 2, 5, 10, 20, 50, 100], values: (_, ticks) => ticks.map(String) },
          { ...axis, ...font, size: 56, values: (_, ticks) => ticks.map(format) },
        ],
        series: [
          { label: "epoch", value: (_, raw) => (raw === null ? "–" : raw.toFixed(2)) },
          { ...series, label: "training", stroke: style("--training"), points: { show: false } },
          { ...series, label: "test", stroke: style("--test"), dash: [6, 4], points: { show: true, size: 8 } },
        ],
      },
      this.#data,
      this.#element,
    );
  }
}
