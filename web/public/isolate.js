/**
 * Threads need two headers that static hosts do not send. Where they are missing a service worker adds them: this file is
 * both, the script that registers it and the worker.
 */
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

async function respond(request) {
  const response = await fetch(request);
  // Responses of status 0 are opaque, and cannot be made anew.
  if (response.status === 0) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  const { status, statusText } = response;
  const body = [204, 205, 304].includes(status) ? null : response.body;
  return new Response(body, { status, statusText, headers });
}

function serve() {
  addEventListener("install", () => skipWaiting());
  addEventListener("activate", (event) => event.waitUntil(clients.claim()));
  addEventListener("fetch", (event) => {
    const { request } = event;
    if (new URL(request.url).origin === location.origin) event.respondWith(respond(request));
  });
}

/** Reloads the page once the worker can answer for it; once, lest a browser that ignores it reload for ever. */
async function register(script) {
  const reloaded = "lenet-isolated";
  if (crossOriginIsolated || !isSecureContext || !navigator.serviceWorker) return;
  await navigator.serviceWorker.register(script);
  await navigator.serviceWorker.ready;
  if (sessionStorage.getItem(reloaded)) return;
  sessionStorage.setItem(reloaded, "yes");
  location.reload();
}

if (typeof document === "undefined") serve();
else register(document.currentScript.src).catch(() => {});
