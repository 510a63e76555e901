/**
 * Damaged files, by the hundred: each is read, or refused as the user's mistake, in little time and memory.
 *
 * `FUZZ_CASES=20000 FUZZ_SEED=7 npx vitest run test/fuzz` tries more, and others. A failure names the seed of its case.
 */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { crc32, gzipSync } from "node:zlib";
import { zipSync } from "fflate";
import { afterAll, expect, test } from "vitest";
import { gunzip } from "../../src/datasets/gunzip.ts";
import { parseIdx } from "../../src/datasets/idx.ts";
import { parsePickledBatch } from "../../src/datasets/pickle.ts";
import { parseTar } from "../../src/datasets/tar.ts";
import { encodeNpy, parseNpy } from "../../src/formats/npy.ts";
import { encodeNpz, readNpz } from "../../src/formats/npz.ts";
import { readZip } from "../../src/formats/zip.ts";
import { decodeColours, decodeImage } from "../../src/image/decode.ts";
import { prepareDigit } from "../../src/image/digit.ts";
import { loadModel, NDArray } from "../../src/index.ts";
import { inkOf, jpegOf, mnistDigit, paint, pngOf } from "../helpers/pictures.ts";
import { faultOf } from "./faults.ts";
import { mutate } from "./mutate.ts";
import { Watchdog } from "./watchdog.ts";

const CASES = Number(process.env.FUZZ_CASES ?? 300);
const FIRST_SEED = Number(process.env.FUZZ_SEED ?? 1);
/** A case that takes longer is a fault; the machine may be busy. */
const SECONDS = 10;
/** What one case may leave the process larger by. */
const MEGABYTES = 500;

const watchdog = new Watchdog(SECONDS);
afterAll(() => watchdog.stop());

/** For weights alone. */
const loadsWeights = await loadModel(readFileSync(new URL("../golden/versions/3.15.keras", import.meta.url)));

interface Format {
  readonly name: string;
  /** Sound files, which are then damaged. */
  readonly files: readonly Uint8Array[];
  read(bytes: Uint8Array): unknown;
}

const golden = (folder: string) => fileURLToPath(new URL(`../${folder}/`, import.meta.url));
const filesIn = (folder: string, ending: string) =>
  readdirSync(golden(folder))
    .filter((name) => name.endsWith(ending))
    .map((name) => new Uint8Array(readFileSync(golden(folder) + name)));

const digit = paint(60, 50, (x, y) => 255 - 255 * inkOf(mnistDigit(3), 1.5, 8, 4)(x, y));
const images = new NDArray(
  Uint8Array.from({ length: 24 }, (_, i) => i),
  [2, 3, 4],
);
const weights = new NDArray(
  Float32Array.from({ length: 6 }, (_, i) => i / 7),
  [3, 2],
);
const idx = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, ...images.data);
const archive = new Uint8Array(readFileSync(`${golden("golden/data")}cifar-10-python.tar.gz`));
const tar = await gunzip(archive, "archive");
const batches = [...parseTar(tar, "archive").values()];

/** What is in the newest archive: checksums of archives refuse most damage before anybody looks at it. */
const inArchive = readZip(new Uint8Array(readFileSync(`${golden("golden/versions")}3.15.keras`)), () => true);
const repacked = (name: string): Format => ({
  name: `repacked ${name}`,
  files: [inArchive.get(name)!],
  read: (bytes) => loadModel(zipSync({ ...Object.fromEntries(inArchive), [name]: bytes }, { level: 0 })),
});

/** A PNG file with the checksums of its chunks mended, as far as there are chunks. */
function withSums(png: Uint8Array): Uint8Array {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  for (let chunk = 8; chunk + 12 <= png.length; ) {
    const end = chunk + 8 + view.getUint32(chunk);
    if (end + 4 > png.length) break;
    view.setUint32(end, crc32(png.subarray(chunk + 4, end)));
    chunk = end + 4;
  }
  return png;
}

const formats: readonly Format[] = [
  {
    name: "Keras .h5",
    files: [...filesIn("golden", ".h5"), ...filesIn("keras2", ".h5")],
    read: (bytes) => loadModel(bytes),
  },
  { name: ".keras", files: filesIn("golden/versions", ".keras"), read: (bytes) => loadModel(bytes) },
  repacked("config.json"),
  repacked("model.weights.h5"),
  {
    name: ".weights.h5",
    files: filesIn("golden/versions", ".weights.h5"),
    read: (bytes) => loadsWeights.loadWeights(bytes),
  },
  {
    name: ".npz",
    files: [encodeNpz({ images, weights }), ...filesIn("golden/data", ".npz")],
    read: (bytes) => readNpz(bytes, "f"),
  },
  { name: ".npy", files: [encodeNpy(images), encodeNpy(weights)], read: (bytes) => parseNpy(bytes, "f") },
  { name: "IDX", files: [idx], read: (bytes) => parseIdx(bytes, "f", 3) },
  { name: "gzip", files: [new Uint8Array(gzipSync(idx))], read: (bytes) => gunzip(bytes, "f", 1e6) },
  { name: "tar", files: [tar], read: (bytes) => parseTar(bytes, "f") },
  { name: "pickle", files: batches, read: (bytes) => parsePickledBatch(bytes, "f") },
  { name: "PNG", files: [pngOf(digit)], read: (bytes) => prepareDigit(decodeImage(bytes, "f"), "f") },
  {
    name: "repacked PNG",
    files: [pngOf(digit)],
    read: (bytes) => prepareDigit(decodeImage(withSums(bytes), "f"), "f"),
  },
  { name: "JPEG", files: [jpegOf(digit)], read: (bytes) => decodeColours(bytes, "f") },
];

test.each(formats)(
  "$name: a damaged file is read or refused",
  { timeout: 3_600_000 },
  async ({ name, files, read }) => {
    for (const file of files) expect(await faultOf(() => read(file)), `the sound ${name}`).toBeUndefined();
    const faults: string[] = [];
    const before = process.memoryUsage().rss;
    for (let seed = FIRST_SEED; seed < FIRST_SEED + CASES && faults.length < 5; seed++) {
      const bytes = mutate(files[seed % files.length]!, seed);
      const fault = await watchdog.watch(seed, () => faultOf(() => read(bytes)));
      const grown = (process.memoryUsage().rss - before) / 2 ** 20;
      if (fault !== undefined) faults.push(`seed ${seed}: ${fault}`);
      if (grown > MEGABYTES) faults.push(`seed ${seed}: the process has grown by ${grown.toFixed(0)} MB`);
    }
    expect(faults).toEqual([]);
  },
);
