import { describe, expect, test } from "vitest";
import { barChart } from "./bar-chart.ts";
import { lineChart } from "./line-chart.ts";
import { escaped, formatNumber } from "./svg.ts";
import { ticksAround, wholeTicks } from "./ticks.ts";

describe("ticks", () => {
  test.each([
    [0, 0.127, 5, [0, 0.05, 0.1, 0.15]],
    [0.9523, 0.9981, 5, [0.95, 0.96, 0.97, 0.98, 0.99, 1]],
    [0, 2.3, 5, [0, 0.5, 1, 1.5, 2, 2.5]],
    [0, 0.3, 3, [0, 0.1, 0.2, 0.3]],
    [-3, 1200, 4, [-500, 0, 500, 1000, 1500]],
    [0.5, 0.5, 5, [0.5, 0.6]],
    [0, 0, 5, [0, 0.2]],
    [1e-7, 3e-7, 2, [1e-7, 2e-7, 3e-7]],
  ])("around %d to %d", (least, most, parts, expected) => {
    expect(ticksAround(least, most, parts)).toEqual(expected);
  });

  test("cover the values, whatever they are", () => {
    for (let i = 0; i < 2000; i++) {
      const least = Math.sin(i) * 10 ** ((i % 17) - 8);
      const most = least + Math.abs(Math.cos(3 * i)) * 10 ** ((i % 13) - 6);
      const ticks = ticksAround(least, most, 5);
      const slack = 1e-8 * (Math.abs(most) + most - least);
      expect(ticks[0]!).toBeLessThanOrEqual(least + slack);
      expect(ticks.at(-1)!).toBeGreaterThanOrEqual(most - slack);
      expect(ticks.length).toBeLessThanOrEqual(7);
    }
  });

  test("of whole numbers", () => {
    expect(wholeTicks(1, 10, 10)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(wholeTicks(1, 40, 10)).toEqual([5, 10, 15, 20, 25, 30, 35, 40]);
    expect(wholeTicks(1, 1, 10)).toEqual([1]);
    expect(wholeTicks(7, 7, 1)).toEqual([7]);
  });
});

test("text is escaped, numbers are short", () => {
  expect(escaped(`<a href="x">&`)).toBe("&lt;a href=&quot;x&quot;&gt;&amp;");
  expect([0.012345, 12.345, 1234.5, 0].map(formatNumber)).toEqual(["0.0123", "12.3", "1,235", "0"]);
});

describe("line chart", () => {
  const chart = { places: [1, 2, 3], axis: "epoch", format: String, including: 0 };
  const about = { title: "Loss <by> epoch", description: "It falls.", id: "loss" };
  /** The points of each line's path. */
  const pathsOf = (svg: string) =>
    [...svg.matchAll(/class="line line-\d+"><path d="([^"]*)"\/>/g)].map(([, path]) => path!);

  test("has a name and a description, and escapes them", () => {
    const svg = lineChart({ ...chart, lines: [{ name: "a&b", values: [1, 2, 3] }] }, about);
    expect(svg).toContain('role="img" aria-labelledby="loss-t loss-d"');
    expect(svg).toContain('<title id="loss-t">Loss &lt;by&gt; epoch</title>');
    expect(svg).toContain('<desc id="loss-d">It falls.</desc>');
    expect(svg).toContain("<title>a&amp;b, epoch 2: 2</title>");
  });

  test("larger values stand higher, later ones further right, within the picture", () => {
    const svg = lineChart({ ...chart, lines: [{ name: "a", values: [3, 1, 2] }] }, about);
    const points = [...pathsOf(svg)[0]!.matchAll(/([\d.]+) ([\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]);
    const [[x1, y1], [x2, y2], [x3, y3]] = points as [number[], number[], number[]];
    expect(x1).toBeLessThan(x2!);
    expect(x2).toBeLessThan(x3!);
    expect(y1).toBeLessThan(y3!);
    expect(y3).toBeLessThan(y2!);
    const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg)!.map(Number);
    for (const [x, y] of points) {
      expect(x).toBeGreaterThan(0);
      expect(x).toBeLessThan(width!);
      expect(y).toBeGreaterThan(0);
      expect(y).toBeLessThan(height!);
    }
  });

  test("gaps where a value is not finite; a point alone has a mark", () => {
    const values = Array.from({ length: 100 }, (_, i) => (i === 50 ? 1 : i < 48 ? i : Number.NaN));
    const places = values.map((_, i) => i + 1);
    const svg = lineChart({ ...chart, places, lines: [{ name: "a", values }] }, about);
    expect(svg).not.toMatch(/NaN|Infinity/);
    expect(pathsOf(svg)[0]!.match(/M/g)).toHaveLength(2);
    expect(svg.match(/<circle/g)).toHaveLength(2);
  });

  test.each([
    [[0.5], "one value"],
    [[Number.NaN], "none"],
    [[Number.POSITIVE_INFINITY], "none that is finite"],
  ])("%j: %s", (values) => {
    const svg = lineChart({ ...chart, places: [1], lines: [{ name: "a", values }] }, about);
    expect(svg).not.toMatch(/NaN|Infinity/);
  });

  test("the axis ends where it must", () => {
    const svg = lineChart({ ...chart, atMost: 1, lines: [{ name: "a", values: [0.2, 0.7, 1] }] }, about);
    expect([...svg.matchAll(/class="tick value"[^>]*>([^<]*)</g)].map(([, tick]) => tick).at(-1)).toBe("1");
  });
});

test("bar chart: lengths in proportion, names and texts escaped", () => {
  const bars = [
    { name: "<3>", share: 1, text: "1 & 2" },
    { name: "b", share: 0.25, text: "b", own: true },
  ];
  const svg = barChart(bars, { names: 50, room: 200, values: 60, titled: false }, { title: "Bars" });
  const widths = [...svg.matchAll(/<rect class="bar[^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width));
  expect(widths).toEqual([200, 50]);
  for (const text of ["&lt;3&gt;", "1 &amp; 2", 'aria-label="Bars"', 'class="bar own"']) expect(svg).toContain(text);
});
