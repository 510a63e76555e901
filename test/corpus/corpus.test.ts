/**
 * Files that mean harm, each with a name: links out of the file, bombs, absurd shapes, names in circles and twice, code.
 * Each loads as what it is, or is refused in one line, in little time and memory.
 */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { loadModel } from "../../src/index.ts";
import { faultOf } from "../fuzz/faults.ts";
import { Watchdog } from "../fuzz/watchdog.ts";
import { HDF5_FILES, LOADS } from "./hdf5.ts";
import { MADE, type Made } from "./made.ts";

/** A file that takes longer is a fault; the machine may be busy. */
const SECONDS = 20;
/** What a file may make the process larger by: 64 MiB are believed of any file, and copied. */
const MEGABYTES = 400;

const watchdog = new Watchdog(SECONDS);
afterAll(() => watchdog.stop());

const folder = fileURLToPath(new URL("./files/", import.meta.url));
const hdf5: Made[] = Object.entries(HDF5_FILES).map(([name, ends]) => ({
  name: `.h5: ${name}`,
  bytes: () => readFileSync(`${folder}${name}.h5`),
  read: (bytes) => loadModel(bytes),
  ends,
}));

test("each file of the corpus has its row", () => {
  expect(readdirSync(folder).sort()).toEqual(
    Object.keys(HDF5_FILES)
      .map((name) => `${name}.h5`)
      .sort(),
  );
});

const all = [...hdf5, ...MADE].map((made, index) => ({ ...made, index }));

test.each(all)("number $index, $name", { timeout: 120_000 }, async ({ index, bytes, read, ends }) => {
  const file = bytes();
  const before = process.memoryUsage().rss;
  let message: string | undefined;
  const caught = async () => {
    try {
      await read(file);
    } catch (error) {
      message = (error as Error).message;
      throw error;
    }
  };
  expect(await watchdog.watch(index, () => faultOf(caught))).toBeUndefined();
  if (ends === LOADS) expect(message).toBeUndefined();
  else expect(message).toMatch(ends);
  expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(MEGABYTES);
});
