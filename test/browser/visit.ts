/** A visit to the page, in a browser of its own settings. */
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { linesOf, type Shape } from "./digits.ts";
import { type Site, serve } from "./serve.ts";

const BUILT = join(process.cwd(), "dist/web");

export interface VisitOptions extends BrowserContextOptions {
  readonly isolated?: boolean;
}

export class Visit {
  readonly site: Site;
  readonly page: Page;
  /** What the page complained of. */
  readonly complaints: string[] = [];

  private constructor(site: Site, page: Page) {
    this.site = site;
    this.page = page;
    page.on("console", (message) => {
      const isExpected = message.text() === "Service Worker registration blocked by Playwright";
      if (["error", "warning"].includes(message.type()) && !isExpected) this.complaints.push(message.text());
    });
    page.on("pageerror", (error) => this.complaints.push(String(error)));
  }

  /** Opens the page, and waits for its network. */
  static async begin(browser: Browser, { isolated = true, ...options }: VisitOptions = {}): Promise<Visit> {
    const site = await serve(BUILT, { isolated });
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const visit = new Visit(site, await context.newPage());
    await visit.page.goto(site.url);
    await visit.page.waitForSelector(".strip figure");
    return visit;
  }

  async end(): Promise<void> {
    await this.page.context().close();
    this.site.close();
  }

  /** Waits until all that was drawn has been looked at. */
  async settled(): Promise<void> {
    await this.page.waitForSelector(".verdict[aria-busy=false]");
  }

  async draw(digit: number, shape: Shape): Promise<void> {
    const { page } = this;
    const pad = page.locator(".pad");
    if (await this.button("Clear").isEnabled()) await this.button("Clear").click();
    await page.locator(".thickness input").fill(String(shape.line));
    await pad.scrollIntoViewIfNeeded();
    const box = (await pad.boundingBox())!;
    for (const line of linesOf(digit, shape)) {
      for (const [i, [x, y]] of line.entries()) {
        await page.mouse.move(box.x + x * box.width, box.y + y * box.height);
        if (i === 0) await page.mouse.down();
      }
      await page.mouse.up();
    }
    await this.settled();
  }

  /** The digit that the page names, or a question mark. */
  digit(): Promise<string> {
    return this.text(".digit");
  }

  async text(selector: string): Promise<string> {
    return (await this.page.locator(selector).first().textContent()) ?? "";
  }

  /** What the page's network makes of 28x28 pixels. */
  predict(pixels: Uint8Array): Promise<number[]> {
    const subject = `{ kind: "pixels", pixels: Uint8Array.of(${pixels.join()}) }`;
    return this.page.evaluate(`lab.see(${subject}).then(({ probabilities }) => probabilities)`);
  }

  button(name: string) {
    return this.page.getByRole("button", { name, exact: true });
  }

  /** Fills a field of the training's options. */
  async option(name: string, value: string | number): Promise<void> {
    const field = this.page.getByLabel(name, { exact: true });
    if (typeof value === "number") await field.fill(String(value));
    else await field.selectOption(value);
  }

  /** What the page saves. */
  async save(): Promise<Uint8Array> {
    const [download] = await Promise.all([
      this.page.waitForEvent("download"),
      this.page.getByRole("button", { name: /^Save/ }).click(),
    ]);
    const chunks: Buffer[] = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
    return new Uint8Array(Buffer.concat(chunks));
  }
}
