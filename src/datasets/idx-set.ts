/** Data sets of four IDX files, as MNIST introduced them: from a folder, from Keras's folder, or downloaded. */
import { onlyKnown } from "../arguments.ts";
import type { NDArray } from "../array.ts";
import { UserError } from "../errors.ts";
import { readFirst, sha256Of } from "../runtime/files.ts";
import { type DownloadOptions, type FileContent, obtain, type RemoteSet } from "./download.ts";
import { gunzip } from "./gunzip.ts";
import { parseIdx } from "./idx.ts";

/** Images and labels of equally many samples, both uint8. */
export type Images = readonly [images: NDArray<"uint8">, labels: NDArray<"uint8">];

/** [[xTrain, yTrain], [xTest, yTest]] */
export type ImageSets = readonly [train: Images, test: Images];

/** Where a data set is taken from. */
export interface LoadDataOptions extends DownloadOptions {
  /** A folder with the set's files, plain or gzipped (.gz); default: see the set. */
  readonly directory?: string;
}

/** The names of the four files. */
const IDX_FILES = [
  "train-images-idx3-ubyte",
  "train-labels-idx1-ubyte",
  "t10k-images-idx3-ubyte",
  "t10k-labels-idx1-ubyte",
] as const;

type IdxFile = (typeof IDX_FILES)[number];

/** A set whose four gzipped files lie beside each other; SHA-256 sums in the order of {@link IDX_FILES}. */
export function idxSet(title: string, folder: string, base: string, sums: readonly string[]): RemoteSet {
  const files = IDX_FILES.map((name, i) => ({
    url: `${base}${name}.gz`,
    sha256: sums[i]!,
    names: [`${name}.gz`, name],
  }));
  return { title, folder, files };
}

/** Loads such a set from `directory`, from Keras's folder, or from its address. */
export async function loadIdxSet(where: string, set: RemoteSet, options: LoadDataOptions): Promise<ImageSets> {
  onlyKnown(where, options, ["directory", "signal", "onDownload"]);
  if (options.directory !== undefined) return loadIdxFolder(options.directory);
  return parseSets(set.title, (name) => obtain(set, set.files[IDX_FILES.indexOf(name)]!, options));
}

/**
 * Loads the four files of a folder, plain or gzipped.
 *
 * @param sums the SHA-256 sums that the files must have, in the order of the files' names
 * @throws UserError for a missing or damaged file, naming it.
 */
export function loadIdxFolder(folder: string, sums?: readonly string[]): Promise<ImageSets> {
  return parseSets(folder, async (name) => {
    const path = `${folder}/${name}`;
    const found = await readFirst([path, `${path}.gz`]);
    if (!found) {
      const needed = IDX_FILES.join(", ");
      throw new UserError(`cannot read ${path}: there is no such file or folder; a data folder needs ${needed}.`);
    }
    const expected = sums?.[IDX_FILES.indexOf(name)];
    const sum = expected === undefined ? undefined : await sha256Of(found.bytes);
    if (sum !== expected) throw new UserError(`${path}: expected SHA-256 ${expected}, got ${sum}; get the file again.`);
    return found;
  });
}

async function parseSets(where: string, read: (name: IdxFile) => Promise<FileContent>): Promise<ImageSets> {
  const parse = async (name: IdxFile, rank: number) => {
    const { path, bytes } = await read(name);
    return parseIdx(path.endsWith(".gz") ? await gunzip(bytes, path) : bytes, path, rank);
  };
  const [trainImages, trainLabels, testImages, testLabels] = await Promise.all([
    parse(IDX_FILES[0], 3),
    parse(IDX_FILES[1], 1),
    parse(IDX_FILES[2], 3),
    parse(IDX_FILES[3], 1),
  ]);
  const [trainSize, testSize] = [trainImages, testImages].map(({ shape }) => shape.slice(1).join("x"));
  if (trainSize !== testSize) {
    throw new UserError(`${where}: images for training are ${trainSize}, for testing ${testSize}; they must be alike.`);
  }
  return [
    paired(trainImages, trainLabels, `${where}: training set`),
    paired(testImages, testLabels, `${where}: test set`),
  ];
}

/** @throws UserError where there are not as many images as labels. */
export function paired(images: NDArray<"uint8">, labels: NDArray<"uint8">, where: string): Images {
  if (images.length === labels.length) return [images, labels];
  throw new UserError(`${where}: ${images.length} images, but ${labels.length} labels; they must be equally many.`);
}
