import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { UserError } from "../errors.ts";
import { type DownloadOptions, obtain, type RemoteSet } from "./download.ts";

const CONTENT = new TextEncoder().encode("what the server has");
const URLS = ["https://data.example/sets/one.gz", "https://data.example/sets/two.gz"];
const SET: RemoteSet = {
  title: "Example",
  folder: "example",
  files: URLS.map((url) => ({
    url,
    sha256: createHash("sha256").update(CONTENT).digest("hex"),
    names: [url.split("/").at(-1)!, "older-name"],
  })),
};

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "lenet-keras-"));
  vi.stubEnv("KERAS_HOME", home);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
  rmSync(home, { recursive: true });
});

const serve = (respond: () => Response | Promise<Response>) => {
  const server = vi.fn(async (_url: string) => respond());
  vi.stubGlobal("fetch", server);
  return server;
};
const load = (options: DownloadOptions = {}) => obtain(SET, SET.files[0]!, options);

async function failure(): Promise<string> {
  const error = await load().then(
    () => expect.fail("it was loaded"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  return (error as Error).message;
}

describe("obtain", () => {
  it("downloads once, and saves what it got where Keras looks", async () => {
    const server = serve(() => new Response(CONTENT));
    const told: string[] = [];
    const path = join(home, "datasets", "example", "one.gz");
    expect(await load({ onDownload: (url) => told.push(url) })).toEqual({ path, bytes: CONTENT });
    expect(readFileSync(path)).toEqual(Buffer.from(CONTENT));
    expect(readdirSync(join(home, "datasets", "example"))).toEqual(["one.gz"]);
    expect(await load()).toEqual({ path, bytes: CONTENT });
    expect([server.mock.calls.length, told]).toEqual([1, [URLS[0]]]);
  });

  it("without a network: says which files to put where", async () => {
    serve(() => Promise.reject(new TypeError("fetch failed", { cause: new Error("getaddrinfo ENOTFOUND") })));
    expect(await failure()).toBe(
      `Example: cannot download ${URLS[0]} (getaddrinfo ENOTFOUND); without a network, put one.gz, two.gz of ` +
        `https://data.example/sets/ into the folder ${home}/datasets/example.`,
    );
  });

  it("refuses what the server does not have", async () => {
    serve(() => new Response("gone", { status: 404 }));
    expect(await failure()).toContain("(the server answers 404)");
  });

  it("refuses what has another checksum, and does not keep it", async () => {
    serve(() => new Response("something else"));
    expect(await failure()).toMatch(/one\.gz has SHA-256 [0-9a-f]{64}, expected [0-9a-f]{64}; without a network/);
    expect(existsSync(join(home, "datasets"))).toBe(false);
  });

  it("ends when it is aborted, with the reason", async () => {
    const controller = new AbortController();
    serve(async () => {
      controller.abort(new Error("enough"));
      throw controller.signal.reason;
    });
    await expect(load({ signal: controller.signal })).rejects.toThrow("enough");
  });
});
