/** A web server of static files for the browser's tests, with or without the headers that threads need. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".svg": "image/svg+xml",
};

const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export interface Site {
  readonly url: string;
  /** Paths of the files that were asked for. */
  readonly served: readonly string[];
  close(): void;
}

/** Serves a folder, and `pages` of which it has no files. */
export async function serve(
  folder: string,
  {
    isolated,
    pages = {},
  }: { readonly isolated: boolean; readonly pages?: Readonly<Record<string, string | Uint8Array>> },
): Promise<Site> {
  const served: string[] = [];
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const path = pathname.endsWith("/") ? `${pathname}index.html` : pathname;
    served.push(path);
    const headers = { "Content-Type": TYPES[extname(path)] ?? "application/octet-stream", ...(isolated && ISOLATION) };
    try {
      const content = pages[path] ?? (await readFile(join(folder, normalize(path))));
      response.writeHead(200, headers).end(content);
    } catch {
      response.writeHead(404, headers).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    served,
    url: `http://127.0.0.1:${port}/`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
