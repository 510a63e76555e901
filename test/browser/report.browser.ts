/** A report in the real Chromium: on a phone and on a desk, light and dark, with nothing fetched and nothing cut off. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runLenet, writeSmallMnist } from "../helpers/command.ts";
import { launch } from "./chromium.ts";

let browser: Browser;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lenet-report-"));
  mkdirSync(join(folder, "small"));
  // Enough for counts of four digits in the matrix.
  writeSmallMnist(join(folder, "small"), 640, 10_000);
  const line = "train --data small --epochs 2 --batch-size 32 --report report.html";
  expect(await runLenet(line.split(" "), folder)).toMatchObject({ exitCode: 0 });
  browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe.each(["light", "dark"] as const)("%s", (colorScheme) => {
  it.each([360, 768, 1280, 2560])("%d pixels wide", async (width) => {
    const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme });
    const address = pathToFileURL(join(folder, "report.html")).href;
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    page.on("console", (message) => expect.fail(message.text()));
    page.on("pageerror", (error) => expect.fail(String(error)));
    await page.goto(address);
    expect(asked.filter((url) => url !== address && !url.startsWith("data:"))).toEqual([]);
    const found = await page.evaluate(`({
      room: document.documentElement.clientWidth,
      width: document.documentElement.scrollWidth,
      // Bytes that are no picture would have no width.
      pictures: [...document.images].filter((image) => image.naturalWidth === 28).length,
      images: document.images.length,
      charts: [...document.querySelectorAll("svg")].filter((svg) => svg.getBoundingClientRect().width > 280).length,
      cut: [...document.querySelectorAll(".matrix td")].filter((cell) => cell.scrollWidth > cell.clientWidth).length,
      page: getComputedStyle(document.body).backgroundColor,
    })`);
    const { room, width: taken, pictures, images, charts, cut, page: colour } = found as Record<string, number>;
    expect(taken).toBe(room);
    expect(images).toBeGreaterThan(0);
    expect({ pictures, charts, cut }).toEqual({ pictures: images, charts: 3, cut: 0 });
    expect(colour).toBe(colorScheme === "light" ? "rgb(255, 255, 255)" : "rgb(20, 23, 26)");
    await page.close();
  });
});
