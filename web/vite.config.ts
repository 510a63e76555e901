import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

/** The page, as static files in dist/web that work under any address. `lenet web` serves them with the headers for threads. */
export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  base: "./",
  resolve: { alias: { lenet: fileURLToPath(new URL("../src/index.ts", import.meta.url)) } },
  build: { outDir: "../dist/web", emptyOutDir: true, chunkSizeWarningLimit: 6000 },
  worker: { format: "es" },
});
