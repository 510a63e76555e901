import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

/** What a page needs for threads: https://developer.mozilla.org/docs/Web/API/Window/crossOriginIsolated */
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/** The page, as static files in dist/web that work under any address. */
export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  base: "./",
  resolve: { alias: { lenet: fileURLToPath(new URL("../src/index.ts", import.meta.url)) } },
  build: { outDir: "../dist/web", emptyOutDir: true, chunkSizeWarningLimit: 6000 },
  worker: { format: "es" },
  server: { headers },
  preview: { headers },
});
