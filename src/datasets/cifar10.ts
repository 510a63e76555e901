/** CIFAR-10. https://keras.io/api/datasets/cifar10/ and https://www.cs.toronto.edu/~kriz/cifar.html */
import { onlyKnown } from "../arguments.ts";
import { NDArray } from "../array.ts";
import { UserError } from "../errors.ts";
import { readFile, readFirst } from "../runtime/files.ts";
import { cachePlace, type FileContent, obtain, type RemoteSet } from "./download.ts";
import { gunzip } from "./gunzip.ts";
import type { ImageSets, Images, LoadDataOptions } from "./idx-set.ts";
import { type PickledBatch, parsePickledBatch } from "./pickle.ts";
import { parseTar } from "./tar.ts";

/** The archive, under the names that Keras 3, Keras 2 and its own site give it. */
const SET: RemoteSet = {
  title: "CIFAR-10",
  folder: "",
  files: [
    {
      url: "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
      sha256: "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
      names: ["cifar-10-batches-py-target_archive", "cifar-10-batches-py.tar.gz", "cifar-10-python.tar.gz"],
    },
  ],
};

/** The folder in the archive; Keras 3 unpacks it into another, Keras 2 beside the archive. */
const FOLDER = "cifar-10-batches-py";
const UNPACKED = [`cifar-10-batches-py-target/${FOLDER}`, FOLDER];
const TRAIN_BATCHES = [1, 2, 3, 4, 5].map((number) => `data_batch_${number}`);
const TEST_BATCH = "test_batch";

const SIDE = 32;
const CHANNELS = 3;

/** What the labels 0 to 9 stand for. */
export const classNames: readonly string[] = [
  "airplane",
  "automobile",
  "bird",
  "cat",
  "deer",
  "dog",
  "frog",
  "horse",
  "ship",
  "truck",
];

/**
 * Loads CIFAR-10: 50,000 and 10,000 colour images, uint8 of shape (n, 32, 32, 3), and labels 0 to 9, uint8 of shape
 * (n, 1). The batches or their archive are those of Keras's folder (`$KERAS_HOME/datasets` or `~/.keras/datasets`); the
 * archive is downloaded to there where both are missing (170 MB).
 *
 * @param options.directory a folder with the six pickled batches, `data_batch_1` to `test_batch`
 * @returns [[xTrain, yTrain], [xTest, yTest]]
 * @throws UserError for a damaged file, and without a network, saying which file to put where.
 */
export async function loadData(options: LoadDataOptions = {}): Promise<ImageSets> {
  onlyKnown("cifar10.loadData", options, ["directory", "signal", "onDownload"]);
  const read = await findBatches(options);
  const batches: PickledBatch[] = [];
  for (const name of [...TRAIN_BATCHES, TEST_BATCH]) {
    const { path, bytes } = await read(name);
    batches.push(parsePickledBatch(bytes, path));
  }
  return [joined(batches.slice(0, -1)), joined(batches.slice(-1))];
}

type ReadBatch = (name: string) => Promise<FileContent>;

async function findBatches(options: LoadDataOptions): Promise<ReadBatch> {
  const fromFolder = (folder: string) => async (name: string) => {
    const path = `${folder}/${name}`;
    return { path, bytes: await readFile(path) };
  };
  if (options.directory !== undefined) return fromFolder(options.directory);
  for (const unpacked of UNPACKED) {
    const folder = await cachePlace(unpacked);
    // Batches that somebody began to unpack are no use: the last one tells.
    if (folder !== undefined && (await readFirst([`${folder}/${TEST_BATCH}`]))) return fromFolder(folder);
  }
  const archive = await obtain(SET, SET.files[0]!, options);
  const files = parseTar(await gunzip(archive.bytes, archive.path), archive.path);
  return async (name) => {
    const bytes = files.get(`${FOLDER}/${name}`);
    if (bytes) return { path: `${archive.path}: ${name}`, bytes };
    throw new UserError(`${archive.path}: expected a file ${FOLDER}/${name} in it, found none; get it again.`);
  };
}

/** Batches one after another, their planes of colours turned into pixels of three channels. */
function joined(batches: readonly PickledBatch[]): Images {
  const count = batches.reduce((sum, { labels }) => sum + labels.length, 0);
  const plane = SIDE * SIDE;
  const pixels = new Uint8Array(count * plane * CHANNELS);
  let at = 0;
  for (const { data } of batches) {
    for (let image = 0; image < data.length; image++) {
      const start = image * plane * CHANNELS;
      for (let pixel = start; pixel < start + plane; pixel++) {
        pixels[at++] = data.data[pixel]!;
        pixels[at++] = data.data[pixel + plane]!;
        pixels[at++] = data.data[pixel + 2 * plane]!;
      }
    }
  }
  const labels = Uint8Array.from(batches.flatMap((batch) => batch.labels));
  return [new NDArray<"uint8">(pixels, [count, SIDE, SIDE, CHANNELS]), new NDArray<"uint8">(labels, [count, 1])];
}
