/** Data sets where there is no file system. */
import { createHash } from "node:crypto";
import { afterEach, expect, it, vi } from "vitest";
import { encodeNpz } from "../formats/npz.ts";
import { NDArray } from "../index.ts";
import { obtain, type RemoteSet } from "./download.ts";
import { imageFolder } from "./image-folder.ts";
import { loadNpz } from "./npz.ts";

vi.mock("../runtime/host.ts", async (original) => ({ ...(await original<object>()), isNode: false }));
afterEach(() => vi.unstubAllGlobals());

const CONTENT = new TextEncoder().encode("what the server has");
const file = {
  url: "https://data.example/one.gz",
  sha256: createHash("sha256").update(CONTENT).digest("hex"),
  names: ["one.gz"],
};
const SET: RemoteSet = { title: "Example", folder: "example", files: [file] };

it("what can be fetched is fetched, each time, and checked", async () => {
  const server = vi.fn(async (_url: string) => new Response(CONTENT));
  vi.stubGlobal("fetch", server);
  for (let time = 0; time < 2; time++) expect(await obtain(SET, file, {})).toEqual({ path: file.url, bytes: CONTENT });
  expect(server).toHaveBeenCalledTimes(2);
  await expect(obtain(SET, { ...file, sha256: "0" }, {})).rejects.toThrow("expected 0; ");
});

it("what cannot is refused, with the reason that is likely", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
  const message = "(Failed to fetch); the server must allow this page to read it (CORS), or serve the data yourself.";
  await expect(obtain(SET, file, {})).rejects.toThrow(message);
});

it("files come as bytes; paths and folders are refused", async () => {
  const arrays = { x: new NDArray(Uint8Array.of(1, 2), [2]) };
  expect(await loadNpz(encodeNpz(arrays))).toEqual(arrays);
  await expect(loadNpz("x.npz")).rejects.toThrow("a browser has no files and folders");
  await expect(imageFolder("pictures")).rejects.toThrow("a browser has no files and folders");
});
