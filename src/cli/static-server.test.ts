import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { type IncomingMessage, type RequestOptions, request, type Server } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createSite, listen } from "./static-server.ts";

let folder: string;
let server: Server;
let port: number;
const PACKED = gzipSync("digits");

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lenet-site-"));
  const site = join(folder, "site");
  mkdirSync(join(site, "data"), { recursive: true });
  writeFileSync(join(folder, "secret.txt"), "secret");
  writeFileSync(join(site, "index.html"), "<h1>page</h1>");
  writeFileSync(join(site, "main.js"), "1");
  writeFileSync(join(site, "net work.wasm"), "2");
  writeFileSync(join(site, "model.h5"), "the page's own");
  writeFileSync(join(site, "data", "digits.gz"), PACKED);
  writeFileSync(join(site, "data", "index.html"), "<h1>data</h1>");
  symlinkSync("../secret.txt", join(site, "link.txt"));
  server = createSite(site, [["/model.h5", new TextEncoder().encode("the user's")]]);
  port = await listen(server, 0);
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function get(path: string, options: RequestOptions = {}) {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ host: "127.0.0.1", port, path, ...options }, resolve)
      .on("error", reject)
      .end();
  });
  const body = Buffer.concat(await response.toArray());
  return { status: response.statusCode, headers: response.headers, body, text: body.toString() };
}

/** The first line that the server answers to bytes as they are, which no client would send. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    let answer = "";
    socket.on("data", (data) => {
      answer += data;
      socket.end();
    });
    socket.on("end", () => resolve(answer.split("\r\n")[0]!)).on("error", reject);
  });
}

describe("what there is", () => {
  test.each([
    ["/", "text/html; charset=utf-8", "<h1>page</h1>"],
    ["/index.html?model=model.h5", "text/html; charset=utf-8", "<h1>page</h1>"],
    ["/data/", "text/html; charset=utf-8", "<h1>data</h1>"],
    ["/main.js", "text/javascript; charset=utf-8", "1"],
    ["/net%20work.wasm", "application/wasm", "2"],
    ["/./data/../main.js", "text/javascript; charset=utf-8", "1"],
    ["/model.h5", "application/octet-stream", "the user's"],
  ])("%s", async (path, type, text) => {
    const found = await get(path);
    expect(found).toMatchObject({ status: 200, text });
    expect(found.headers).toMatchObject({
      "content-type": type,
      "content-length": String(text.length),
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
      "cross-origin-resource-policy": "same-origin",
      "x-content-type-options": "nosniff",
    });
  });

  test("compressed data as they are, not as compressed content", async () => {
    const { headers, body } = await get("/data/digits.gz");
    expect(body.equals(PACKED)).toBe(true);
    expect(headers["content-encoding"]).toBeUndefined();
  });

  test("HEAD: the same without the content", async () => {
    const { status, headers, text } = await get("/index.html", { method: "HEAD" });
    expect({ status, text }).toEqual({ status: 200, text: "" });
    expect(headers["content-length"]).toBe("13");
  });
});

describe("what there is not", () => {
  test.each([
    "/absent",
    "/data",
    "/data/absent.gz",
    "/link.txt",
    "/../secret.txt",
    "/..%2fsecret.txt",
    "/%2e%2e/secret.txt",
    "/data/..%2f..%2fsecret.txt",
    "/..%5csecret.txt",
    "//secret.txt",
    "/%00",
    "/%",
    "/%c0%ae%c0%ae/secret.txt",
    "/main.js/",
    "/__proto__",
  ])("%s", async (path) => {
    const found = await get(path);
    expect(found.status).toBe(404);
    expect(found.text).toBe("not found\n");
    expect(found.headers["cross-origin-resource-policy"]).toBe("same-origin");
  });

  test.each([
    "../secret.txt",
    "/../../secret.txt",
    "/data/../../secret.txt",
    "http://127.0.0.1/main.js",
    "http://[/",
    "*",
  ])("%s, as it stands in the request", async (target) => {
    const line = await raw(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    expect(line).toMatch(/^HTTP\/1\.1 40[04] /);
  });
});

test.each(["POST", "PUT", "DELETE", "OPTIONS"])("%s is refused", async (method) => {
  expect(await get("/", { method })).toMatchObject({ status: 405, headers: { allow: "GET, HEAD" } });
});

describe("names of other machines that lead here are refused", () => {
  test.each(["localhost", "localhost:9", "127.0.0.1", "127.0.0.1:80", "[::1]:8000", "LOCALHOST"])(
    "%s is ours",
    async (host) => {
      expect((await get("/", { headers: { host } })).status).toBe(200);
    },
  );

  test.each([
    "evil.example",
    "evil.example:8000",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil#localhost",
  ])("%j is not", async (host) => {
    expect(await get("/", { headers: { host } })).toMatchObject({ status: 403 });
  });

  test("nor is none", async () => {
    expect(await raw("GET / HTTP/1.0\r\n\r\n")).toContain("403");
    expect(await raw("GET / HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n")).toContain("403");
  });
});

test("a port that is in use", async () => {
  await expect(listen(createSite(folder), port)).rejects.toMatchObject({ code: "EADDRINUSE" });
});

test("a file that has gone since, and a reader that goes away, end nothing", async () => {
  const gone = join(folder, "gone");
  mkdirSync(gone);
  writeFileSync(join(gone, "a.js"), "1");
  writeFileSync(join(gone, "large.bin"), Buffer.alloc(50_000_000));
  const other = createSite(gone);
  const options = { port: await listen(other, 0) };
  rmSync(join(gone, "a.js"));
  expect((await get("/a.js", options)).status).toBe(404);
  await new Promise<void>((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", path: "/large.bin", ...options }, (response) => {
      response.once("data", () => asked.destroy());
      response.on("error", () => {}).once("close", resolve);
    });
    asked.on("error", reject).end();
  });
  expect((await get("/a.js", options)).status).toBe(404);
  other.close();
});
