/** A web server of one folder, for the browser on this machine alone. */
import { createReadStream, readdirSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { extname, join, relative, sep } from "node:path";
import { pipeline } from "node:stream";

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
};

/**
 * The first two let the page have threads (https://developer.mozilla.org/docs/Web/API/Window/crossOriginIsolated); other
 * sites may not embed what is served.
 */
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
  "Cache-Control": "no-cache",
};

/** Whoever makes a name of theirs lead to this machine comes with that name: https://en.wikipedia.org/wiki/DNS_rebinding */
const OUR_NAMES = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

/** A file in the folder, or bytes that stand in for one. */
type Content = string | Uint8Array;

/** All files of a folder by their paths on the site: what is not among them cannot be had, whatever path is asked for. */
function filesOf(folder: string): Map<string, Content> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const files = entries.map(({ parentPath, name }) => join(parentPath, name));
  return new Map(files.map((file) => [`/${relative(folder, file).split(sep).join("/")}`, file]));
}

/** The path that is asked for; undefined for what is none. */
function pathOf({ url = "/" }: IncomingMessage): string | undefined {
  if (!url.startsWith("/")) return undefined;
  try {
    const path = decodeURIComponent(new URL(`http://localhost${url}`).pathname);
    return path.endsWith("/") ? `${path}index.html` : path;
  } catch {
    return undefined;
  }
}

function refuse(response: ServerResponse, status: number, text: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { ...HEADERS, "Content-Type": TYPES[".txt"]!, ...headers }).end(`${text}\n`);
}

function send(content: Content, path: string, { method }: IncomingMessage, response: ServerResponse): void {
  const size = typeof content === "string" ? statSync(content, { throwIfNoEntry: false })?.size : content.length;
  if (size === undefined) {
    refuse(response, 404, "not found");
    return;
  }
  const type = TYPES[extname(path).toLowerCase()] ?? "application/octet-stream";
  response.writeHead(200, { ...HEADERS, "Content-Type": type, "Content-Length": size });
  if (method === "HEAD") response.end();
  else if (typeof content !== "string") response.end(content);
  // Who goes away in the midst is no error of ours.
  else pipeline(createReadStream(content), response, () => {});
}

/**
 * A server of a folder as it is now; it answers GET and HEAD, and only to this machine's own names.
 *
 * @param others content by path, in place of files or beside them
 */
export function createSite(folder: string, others: Iterable<readonly [path: string, bytes: Uint8Array]> = []): Server {
  const files = filesOf(folder);
  for (const [path, bytes] of others) files.set(path, bytes);
  return createServer((request, response) => {
    const { method = "", headers } = request;
    if (!OUR_NAMES.test(headers.host ?? "")) return refuse(response, 403, "this server is for localhost only");
    if (!["GET", "HEAD"].includes(method)) return refuse(response, 405, "GET and HEAD only", { Allow: "GET, HEAD" });
    const path = pathOf(request);
    const content = path === undefined ? undefined : files.get(path);
    if (path === undefined || content === undefined) return refuse(response, 404, "not found");
    return send(content, path, request, response);
  });
}

/** Listens on this machine's loopback address; 0: on any free port. Resolves to the port; rejects with Node's error. */
export async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      resolve();
    });
  });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}
