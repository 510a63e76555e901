import { expect, test } from "vitest";
import { drawPrediction } from "./show.ts";

const PIXELS = new Uint8Array(784);
// A block of ink, rows 4 to 7 and columns 10 to 13; below it, in row 8 alone, half as dark.
for (let row = 4; row < 8; row++) PIXELS.fill(255, row * 28 + 10, row * 28 + 14);
PIXELS.fill(128, 8 * 28 + 10, 8 * 28 + 14);
const PROBABILITIES = [0, 0, 0, 0.25, 0, 0, 0, 0.75, 0, 0];

const linesOf = (columns: number, colour: boolean) =>
  drawPrediction(PIXELS, PROBABILITIES, { columns, colour }).split("\n").slice(0, -1);
// biome-ignore lint/suspicious/noControlCharactersInRegex: what is looked for are control characters
const CODES = /\x1b\[[\d;]*m/g;

test("without colour: plain characters, the bars beside the digit", () => {
  const lines = linesOf(80, false);
  expect(lines).toHaveLength(14);
  expect(lines.join("")).toMatch(/^[ -~]*$/);
  expect(lines[1]).toBe("");
  expect(lines[2]).toBe(`${" ".repeat(10)}@@@@${" ".repeat(17)}0 ${" ".repeat(30)}   0.00 %`);
  expect(lines[4]!.slice(0, 28).trim()).toBe("::::");
  expect(lines[5]).toBe(`${" ".repeat(31)}3 ${"########".padEnd(30)}  25.00 %`);
  expect(lines[9]!.trim()).toBe(`7 ${"#".repeat(23).padEnd(30)}  75.00 % <`);
});

test("in colour: half blocks in shades of grey, reset at the end of each line", () => {
  const lines = linesOf(80, true);
  expect(lines).toHaveLength(14);
  for (const line of lines) {
    expect(line.replace(CODES, "").slice(0, 28)).toBe("▀".repeat(28));
    expect(line.lastIndexOf("\x1b[0m")).toBe(line.lastIndexOf("\x1b["));
  }
  expect(lines[2]).toContain("\x1b[38;5;255;48;5;255m▀▀▀▀\x1b[38;5;232;48;5;232m");
  expect(lines[4]).toContain("\x1b[38;5;244;48;5;232m▀▀▀▀");
  expect(lines[9]).toContain(`\x1b[1m7 ${"█".repeat(22)}▌`);
});

test.each([20, 40, 51, 52, 60, 100])("within %d columns, as far as the digit is", (columns) => {
  for (const colour of [false, true]) {
    const lines = linesOf(columns, colour).map((line) => line.replace(CODES, ""));
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(Math.max(columns, 28));
    expect(lines).toHaveLength(columns < 52 ? 24 : 14);
    expect(lines.filter((line) => line.includes("75.00 %"))).toHaveLength(1);
  }
});
