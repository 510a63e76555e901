/** Archives, arrays and pictures that mean harm, made here, and what becomes of them. */
import { readFileSync } from "node:fs";
import { crc32, deflateSync, gzipSync } from "node:zlib";
import { type Zippable, zipSync } from "fflate";
import { gunzip } from "../../src/datasets/gunzip.ts";
import { parseIdx } from "../../src/datasets/idx.ts";
import { parsePickledBatch } from "../../src/datasets/pickle.ts";
import { parseTar } from "../../src/datasets/tar.ts";
import { parseNpy } from "../../src/formats/npy.ts";
import { readNpz } from "../../src/formats/npz.ts";
import { decodeColours } from "../../src/image/decode.ts";
import { loadModel } from "../../src/index.ts";
import { LOADS } from "./hdf5.ts";

export interface Made {
  readonly name: string;
  readonly bytes: () => Uint8Array;
  readonly read: (bytes: Uint8Array) => unknown;
  readonly ends: RegExp | typeof LOADS;
}

const text = (value: string) => new TextEncoder().encode(value);
const join = (...parts: readonly (Uint8Array | readonly number[])[]) =>
  Uint8Array.from(Buffer.concat(parts.map((part) => Uint8Array.from(part))));
const file = (name: string) => new Uint8Array(readFileSync(new URL(`./files/${name}.h5`, import.meta.url)));
const zeros = (length: number) => new Uint8Array(length);

// .keras

const dense = { class_name: "Dense", config: { name: "dense", units: 2, activation: "softmax" } };
const input = { class_name: "InputLayer", config: { name: "input", batch_shape: [null, 3] } };
const model = (...layers: readonly object[]) =>
  JSON.stringify({ class_name: "Sequential", config: { name: "sequential", layers: [input, ...layers] } });

function keras(files: Zippable = {}, level: 0 | 1 = 0): Uint8Array {
  return zipSync({ "config.json": text(model(dense)), "model.weights.h5": file("sound"), ...files }, { level });
}

/** An archive of the same with a field of the last entry of its directory set. */
function withEntry(archive: Uint8Array, name: string, set: (view: DataView, entry: number) => void): Uint8Array {
  set(new DataView(archive.buffer), Buffer.from(archive).lastIndexOf(name) - 46);
  return archive;
}

/** Two entries that share one file's bytes: what makes a bomb of a small archive. */
function overlapping(): Uint8Array {
  const archive = keras({ "config.jsoN": zeros(0) });
  const view = new DataView(archive.buffer);
  const [from, to] = ["config.json", "config.jsoN"].map((name) => Buffer.from(archive).lastIndexOf(name) - 46);
  for (const field of [16, 20, 24, 42]) view.setUint32(to! + field, view.getUint32(from! + field, true), true);
  archive[to! + 46 + 10] = 0x6e;
  return archive;
}

const KERAS: readonly Omit<Made, "read">[] = [
  { name: "sound", bytes: () => keras(), ends: LOADS },
  { name: "sound, packed", bytes: () => keras({}, 1), ends: LOADS },
  {
    name: "bomb",
    bytes: () => keras({ "model.weights.h5": zeros(8e7) }, 1),
    ends: /claims to unpack to 800\d+ bytes; at most 67108864 are believed of its size\.$/,
  },
  {
    name: "a bomb that nobody asks for",
    bytes: () => keras({ "assets/bomb": zeros(8e7) }, 1),
    ends: LOADS,
  },
  {
    name: "a bomb that says it is small",
    bytes: () =>
      withEntry(keras({ "model.weights.h5": zeros(8e7) }, 1), "model.weights.h5", (view, at) =>
        view.setUint32(at + 24, 1000, true),
      ),
    ends: /no zip archive, or a damaged one/,
  },
  { name: "overlapping entries of one name", bytes: overlapping, ends: /two files named "config\.json"\.$/ },
  {
    name: "names that climb",
    bytes: () => keras({ "../../config.json": text("{}"), "/etc/passwd": text("x") }),
    ends: LOADS,
  },
  {
    name: "names of nothing else",
    bytes: () => zipSync({ "../config.json": text(model(dense)), "a/model.weights.h5": file("sound") }),
    ends: /no Keras model: it has no config\.json\.$/,
  },
  {
    name: "an archive in the archive",
    bytes: () => keras({ "model.weights.h5": keras() }),
    ends: /it is no HDF5 file\.$/,
  },
  {
    name: "a link out of the weights",
    bytes: () => keras({ "model.weights.h5": file("external-link") }),
    ends: /is a link to another file; links are not followed\.$/,
  },
  {
    name: "code in a layer",
    bytes: () => keras({ "config.json": text(model({ class_name: "Lambda", config: { name: "x" } })) }),
    ends: /layer "x" is a Lambda, which is not supported/,
  },
  {
    name: "a config that nests",
    bytes: () => keras({ "config.json": text("[".repeat(3e6)) }, 1),
    ends: /is no JSON/,
  },
  {
    name: "ten thousand layers",
    bytes: () => {
      const layers = Array.from({ length: 10_000 }, (_, i) => ({ class_name: "Flatten", config: { name: `f${i}` } }));
      return keras({ "config.json": text(model(dense, ...layers)) }, 1);
    },
    ends: LOADS,
  },
  {
    name: "a directory that says there are more",
    bytes: () => {
      const archive = keras();
      archive.fill(0xff, archive.length - 14, archive.length - 10);
      return archive;
    },
    ends: /its directory is damaged/,
  },
];

// .npy and .npz

/** A .npy file whose header says this, with so many bytes behind it. */
function npy(header: string, bytes = 24, length = header.length): Uint8Array {
  return join([0x93], text("NUMPY"), [1, 0, length & 255, length >> 8], text(header), zeros(bytes));
}
const header = (shape: string, descr = "'<f4'", order = "False") =>
  `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }\n`;
const wrongLength = /should have|elements|bytes/;

const NPY: readonly Omit<Made, "read">[] = [
  { name: "sound", bytes: () => npy(header("(3, 2)")), ends: LOADS },
  { name: "a shape beyond numbers", bytes: () => npy(header(`(${"9".repeat(400)}, 2)`)), ends: wrongLength },
  { name: "beyond numbers times none", bytes: () => npy(header(`(${"9".repeat(400)}, 0)`)), ends: wrongLength },
  { name: "a shape whose size wraps round", bytes: () => npy(header("(4294967296, 4294967296)")), ends: wrongLength },
  { name: "dimensions below zero", bytes: () => npy(header("(-3, -2)")), ends: /header cannot be read/ },
  { name: "ten thousand dimensions", bytes: () => npy(header(`(${"1, ".repeat(10_000)}6)`)), ends: LOADS },
  {
    name: "ten thousand dimensions, last first",
    bytes: () => npy(header(`(${"1, ".repeat(10_000)}6)`, "'<f4'", "True")),
    ends: LOADS,
  },
  { name: "a header beyond the end", bytes: () => npy("{   ", 0, 65535), ends: /its header is cut off/ },
  { name: "a header of code", bytes: () => npy("__import__('os').system('true')\n"), ends: /header cannot be read/ },
  { name: "Python objects", bytes: () => npy(header("(3,)", "'|O'")), ends: /Python objects, .* that can run code/ },
  { name: "records", bytes: () => npy(header("(3,)", "[('a', '<f4')]")), ends: /\(records\) are not read/ },
];

const NPZ: readonly Omit<Made, "read">[] = [
  { name: "sound", bytes: () => zipSync({ "a.npy": npy(header("(3, 2)")) }), ends: LOADS },
  { name: "bomb", bytes: () => zipSync({ "a.npy": zeros(8e7) }, { level: 1 }), ends: /are believed of its size\.$/ },
  {
    name: "a name that objects have",
    bytes: () => zipSync(Object.fromEntries([["__proto__.npy", npy(header("(3, 2)"))]])),
    ends: LOADS,
  },
  { name: "an archive in the archive", bytes: () => zipSync({ "a.npy": zipSync({}) }), ends: /found something else/ },
];

// IDX, gzip, tar, pickle

const idx = (...dimensions: readonly number[]) => {
  const bytes = zeros(4 + 4 * dimensions.length);
  bytes.set([0, 0, 8, dimensions.length]);
  for (const [i, dimension] of dimensions.entries()) new DataView(bytes.buffer).setUint32(4 + 4 * i, dimension);
  return bytes;
};

function tarEntry(name: string, size: string, type = "0"): Uint8Array {
  const block = zeros(512);
  block.set(text(name));
  block.set(text(size), 124);
  block.set(text(type), 156);
  block.set(text("ustar"), 257);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.set(text(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return block;
}

/** Lists of ten of the list before, nested so often: a few bytes that would be printed as billions. */
const nested = (depth: number) =>
  join([0x80, 2], text("]q\0"), ...Array.from({ length: depth }, () => text(`](${"h\0".repeat(10)}eq\0`)), text("."));

const IDX: readonly Omit<Made, "read">[] = [
  { name: "sound", bytes: () => join(idx(2, 3, 4), zeros(24)), ends: LOADS },
  { name: "dimensions beyond numbers", bytes: () => idx(2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1), ends: /which makes/ },
  { name: "dimensions that wrap round", bytes: () => idx(2 ** 16, 2 ** 16, 2 ** 32 - 1), ends: /which makes/ },
  { name: "more than it says", bytes: () => join(idx(2, 3, 4), zeros(25)), ends: /but the file has 41\.$/ },
  { name: "other elements", bytes: () => join([0, 0, 0x0d, 3], zeros(36)), ends: /no IDX file of 3 dimension/ },
];

const GZIP: readonly Omit<Made, "read">[] = [
  { name: "bomb", bytes: () => gzipSync(zeros(8e7)), ends: /unpacks to more than 67108864 bytes/ },
  { name: "a bomb in a bomb", bytes: () => gzipSync(gzipSync(zeros(8e7))), ends: LOADS },
  { name: "members without end", bytes: () => join(...Array(20_000).fill(gzipSync(""))), ends: LOADS },
];

const TAR: readonly Omit<Made, "read">[] = [
  { name: "names that climb", bytes: () => join(tarEntry("../../etc/passwd", "0"), zeros(1024)), ends: LOADS },
  { name: "more than there is", bytes: () => tarEntry("a", "77777777777"), ends: /f/ },
  { name: "a size below zero", bytes: () => tarEntry("a", "-1"), ends: /f/ },
  { name: "links", bytes: () => join(tarEntry("a", "0", "2"), zeros(1024)), ends: LOADS },
];

const PICKLE: readonly Omit<Made, "read">[] = [
  { name: "a command", bytes: () => text("cos\nsystem\n(S'true'\ntR."), ends: /os\.system/ },
  { name: "lists of lists of lists", bytes: () => nested(60), ends: /f/ },
];

// Pictures

function chunk(type: string, content: Uint8Array): Uint8Array {
  const body = join(text(type), content);
  const length = zeros(4);
  new DataView(length.buffer).setUint32(0, content.length);
  const sum = zeros(4);
  new DataView(sum.buffer).setUint32(0, crc32(body));
  return join(length, body, sum);
}

/** A PNG file of grey bytes that says this size, with these bytes in it before they are packed. */
function png(width: number, height: number, content: Uint8Array, between: readonly Uint8Array[] = []): Uint8Array {
  const size = zeros(13);
  new DataView(size.buffer).setUint32(0, width);
  new DataView(size.buffer).setUint32(4, height);
  size.set([8, 0, 0, 0, 0], 8);
  const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
  const packed = chunk("IDAT", deflateSync(content));
  return join(signature, chunk("IHDR", size), ...between, packed, chunk("IEND", zeros(0)));
}

const damagedPng = /a damaged PNG file/;
const tooLarge = /megapixels|too large|pixels/;
const PNG: readonly Omit<Made, "read">[] = [
  { name: "sound", bytes: () => png(2, 2, zeros(6)), ends: LOADS },
  { name: "four gigapixels", bytes: () => png(65535, 65535, zeros(6)), ends: tooLarge },
  { name: "a size that wraps round", bytes: () => png(2 ** 31, 2, zeros(6)), ends: tooLarge },
  { name: "no pixels", bytes: () => png(0, 0, zeros(0)), ends: tooLarge },
  { name: "bomb", bytes: () => png(1, 1, zeros(8e7)), ends: damagedPng },
  { name: "pixels that are not there", bytes: () => png(8000, 8000, zeros(6)), ends: damagedPng },
  { name: "pixels and much more", bytes: () => png(100, 100, zeros(8e7)), ends: /it unpacks to more than its pixels/ },
  {
    name: "a hundred thousand comments",
    bytes: () => png(2, 2, zeros(6), Array(100_000).fill(chunk("tEXt", text("a\0b")))),
    ends: LOADS,
  },
];

/** A progressive JPEG file of this many pixels a side, each of whose scans says that all blocks are empty. */
function jpeg(side: number, scans: number): Uint8Array {
  const frame = [0xff, 0xc2, 0, 11, 8, side >> 8, side & 255, side >> 8, side & 255, 1, 1, 0x11, 0];
  const quantization = [0xff, 0xdb, 0, 67, 0, ...Array(64).fill(1)];
  // Each table has one code, the bit 0: for no difference, and for the longest run of empty blocks.
  const table = (place: number, value: number) => [0xff, 0xc4, 0, 20, place, 1, ...Array(15).fill(0), value];
  const blocks = Math.ceil(side / 8) ** 2;
  const first = [0xff, 0xda, 0, 8, 1, 1, 0x00, 0, 0, 0, ...Array(Math.ceil(blocks / 8)).fill(0)];
  const run = "011111111111110";
  const bits = run.repeat(Math.ceil(blocks / 32_766)).padEnd(8, "0");
  const bytes = (bits.match(/.{1,8}/g) ?? []).map((byte) => Number.parseInt(byte.padEnd(8, "0"), 2));
  const stuffed = bytes.flatMap((byte) => (byte === 255 ? [255, 0] : [byte]));
  const scan = [0xff, 0xda, 0, 8, 1, 1, 0x00, 1, 63, 0, ...stuffed];
  const start = [0xff, 0xd8, ...quantization, ...frame, ...table(0x00, 0), ...table(0x10, 0xe0), ...first];
  return join(start, ...Array<number[]>(scans).fill(scan), [0xff, 0xd9]);
}

const JPEG: readonly Omit<Made, "read">[] = [
  { name: "sound, in three scans", bytes: () => jpeg(256, 3), ends: LOADS },
  { name: "hundreds of scans of many pixels", bytes: () => jpeg(7900, 300), ends: /has 301 scans; at most 100/ },
  { name: "as many scans as are decoded", bytes: () => jpeg(1000, 99), ends: LOADS },
  { name: "four gigapixels", bytes: () => jpeg(256, 1).fill(255, 76, 80), ends: tooLarge },
  { name: "no pixels", bytes: () => jpeg(256, 1).fill(0, 76, 80), ends: tooLarge },
];

const named = (format: string, made: readonly Omit<Made, "read">[], read: Made["read"]): Made[] =>
  made.map((one) => ({ ...one, name: `${format}: ${one.name}`, read }));

export const MADE: readonly Made[] = [
  ...named(".keras", KERAS, (bytes) => loadModel(bytes)),
  ...named(".npy", NPY, (bytes) => parseNpy(bytes, "f")),
  ...named(".npz", NPZ, (bytes) => readNpz(bytes, "f")),
  ...named("IDX", IDX, (bytes) => parseIdx(bytes, "f", 3)),
  ...named("gzip", GZIP, (bytes) => gunzip(bytes, "f")),
  ...named("tar", TAR, (bytes) => parseTar(bytes, "f")),
  ...named("pickle", PICKLE, (bytes) => parsePickledBatch(bytes, "f")),
  ...named("PNG", PNG, (bytes) => decodeColours(bytes, "f")),
  ...named("JPEG", JPEG, (bytes) => decodeColours(bytes, "f")),
];
