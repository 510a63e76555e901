import { describe, expect, test } from "vitest";
import { formatMetric, formatRemaining, formatStepTime, type ProgressState, progressLine } from "./progress.ts";
import { JsonReporter, LineReporter, TerminalReporter } from "./reporter.ts";

const bar = (done: number, rest: number) => "━".repeat(done + rest);
const state: ProgressState = {
  step: 469,
  steps: 469,
  time: "12s",
  msPerStep: 25.2,
  logs: { val_loss: 0.05, loss: 0.1701, accuracy: 0.9481, val_accuracy: 0.98 },
};

describe("the line is Keras's", () => {
  test("at the end", () => {
    expect(progressLine(state, 200, false)).toBe(
      `469/469 ${bar(20, 0)} 12s 25ms/step - accuracy: 0.9481 - loss: 0.1701 - val_accuracy: 0.9800 - val_loss: 0.0500`,
    );
  });

  test("on the way: the count is padded, the bar filled in proportion", () => {
    const line = progressLine({ ...state, step: 47, time: "10s", logs: {} }, 200, true);
    const [bold, reset] = ["\x1b[1m", "\x1b[0m"];
    const drawn = `\x1b[32m${bar(2, 0)}${reset}\x1b[37m${bar(18, 0)}${reset}`;
    expect(line).toBe(`${bold} 47/469${reset} ${drawn} ${bold}10s${reset} 25ms/step`);
  });

  test("numbers", () => {
    expect([1, 0.00123, 0.00012345, 0, Number.NaN].map(formatMetric)).toEqual(
      ["1.0000", "0.0012", "1.2345e-04", "0.0000", "NaN"], // Python writes two digits of exponent
    );
    expect([0.4, 59.9, 65, 3725].map(formatRemaining)).toEqual(["0s", "59s", "1:05", "1:02:05"]);
    expect([0.31, 25.4, 2100].map(formatStepTime)).toEqual(["310us/step", "25ms/step", "2s/step"]);
  });

  test("in a narrow terminal the bar gives way first, then the end", () => {
    const whole = progressLine(state, 200, false);
    expect(progressLine(state, whole.length, false)).toBe(whole);
    expect(progressLine(state, whole.length - 1, false)).toBe(whole.replace(bar(20, 0), bar(8, 0)));
    expect(progressLine(state, 40, false)).toBe("469/469 12s 25ms/step - accuracy: 0.9481");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is removed
    const visible = progressLine(state, 12, true).replace(/\x1b\[\d+m/g, "");
    expect(visible).toBe("469/469 12s ");
    expect(progressLine(state, 0, false)).toHaveLength(1);
  });
});

/** A clock set by hand and what was written, with the time of each piece. */
function stage(columns?: number) {
  const written: { at: number; text: string }[] = [];
  const clock = { time: 1000 };
  const write = (text: string) => void written.push({ at: clock.time, text });
  const text = () => written.map((piece) => piece.text).join("");
  return { clock, now: () => clock.time, write, written, text, terminal: { write, columns, colour: false } };
}

describe("reporters", () => {
  test("a terminal is drawn on at most ten times a second, and always at the end", () => {
    const { clock, now, written, text, terminal } = stage(120);
    const reporter = new TerminalReporter({ epochs: 2, steps: 300 }, terminal, now);
    reporter.epochBegin(1);
    for (let step = 1; step <= 300; step++) {
      clock.time += 7;
      reporter.batchEnd(step, { loss: 1 / step, accuracy: 0.5 });
    }
    clock.time += 3;
    reporter.epochEnd({ loss: 0.25, accuracy: 0.5, val_loss: 1, val_accuracy: 0.5 });
    const draws = written.filter((piece) => piece.text.startsWith("\r"));
    const running = draws.slice(0, -1);
    expect(running.length).toBeGreaterThan(15);
    const gaps = running.slice(1).map((draw, i) => draw.at - (running[i]?.at ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(100);
    expect(written[0]?.text).toBe("Epoch 1/2\n");
    expect(running[1]?.text).toMatch(/^\r 16\/300 ━{20} 1s 7ms\/step - accuracy: 0\.5000 - loss: 0\.0625/);
    expect(draws.at(-1)?.text).toMatch(/^\r300\/300 ━{20} 2s 7ms\/step - .* - val_loss: 1\.0000/);
    expect(text().endsWith("\n")).toBe(true);
  });

  test("an epoch that breaks off leaves its line standing", () => {
    const { now, text, terminal } = stage();
    const reporter = new TerminalReporter({ epochs: 1, steps: 5 }, terminal, now);
    reporter.epochBegin(1);
    reporter.batchEnd(1, { loss: 1 });
    reporter.close();
    reporter.close();
    expect(text().match(/\n/g)).toHaveLength(2);
  });

  test("without a terminal: one line an epoch", () => {
    const { clock, now, write, text } = stage();
    const reporter = new LineReporter({ epochs: 2, steps: 2 }, write, now);
    for (const epoch of [1, 2]) {
      reporter.epochBegin(epoch);
      for (const step of [1, 2]) {
        clock.time += 1500;
        reporter.batchEnd(step);
      }
      reporter.epochEnd({ loss: 0.5, accuracy: 0.75 });
    }
    const metrics = "3s - 2s/step - accuracy: 0.7500 - loss: 0.5000";
    expect(text()).toBe(`Epoch 1/2 - ${metrics}\nEpoch 2/2 - ${metrics}\n`);
  });

  test("JSON lines: the first step, which may compile, is not timed where there are more", () => {
    const { clock, now, write, text } = stage();
    const reporter = new JsonReporter(write, now);
    reporter.epochBegin(1);
    [100, 10, 20].forEach((time, i) => {
      clock.time += time;
      reporter.batchEnd(i + 1);
    });
    clock.time += 70;
    reporter.epochEnd({ accuracy: 0.5, loss: 2, val_accuracy: 0.25, val_loss: 3 });
    expect(text()).toBe(
      '{"epoch":1,"loss":2,"accuracy":0.5,"val_loss":3,"val_accuracy":0.25,"seconds":0.2,"ms_per_step":15}\n',
    );
  });
});
