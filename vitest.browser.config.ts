import { defineConfig } from "vitest/config";

/** Tests in the real Chromium, apart from the others because they need it: `npm run test:browser`. */
export default defineConfig({
  test: {
    include: ["test/browser/**/*.browser.ts"],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    fileParallelism: false,
  },
});
