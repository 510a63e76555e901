/** What `--data` names: a data set, a folder or a file, as images and labels for a model. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { UserError } from "../errors.ts";
import { datasets, type NDArray, type Sequential, toCategorical } from "../index.ts";

/** Images (n, height, width, channels), uint8 or float32, and class numbers (n). */
interface LabelledImages {
  readonly images: NDArray;
  readonly labels: NDArray;
}

export interface ImageData {
  readonly train: LabelledImages;
  readonly test: LabelledImages;
  /** [height, width, channels] */
  readonly shape: readonly number[];
  readonly classes: number;
  /** What the labels stand for, where that is known. */
  readonly classNames?: readonly string[] | undefined;
}

interface NamedSet {
  loadData(options: { readonly onDownload: (url: string) => void }): Promise<Pairs>;
  readonly classNames?: readonly string[];
}

/** The data sets that have a name. */
const NAMED = {
  mnist: datasets.mnist,
  "fashion-mnist": datasets.fashionMnist,
  kmnist: datasets.kuzushijiMnist,
  cifar10: datasets.cifar10,
} as const;

/** Pictures of class folders are scaled to this where nothing else says to what. */
const DEFAULT_SHAPE = [32, 32, 3];
const COLOR_MODES: Readonly<Record<number, "grayscale" | "rgb" | "rgba">> = { 1: "grayscale", 3: "rgb", 4: "rgba" };
/** Every fifth picture of class folders is kept for testing: always the same ones, so that no training has seen them. */
const TEST_SHARE = 0.2;
const SPLIT_SEED = 1;

type Pairs = readonly [train: readonly [NDArray, NDArray], test: readonly [NDArray, NDArray]];

interface Loaded {
  readonly pairs: Pairs;
  readonly classNames?: readonly string[] | undefined;
}

/**
 * Loads what `--data` names.
 *
 * @param shape what the pictures of class folders are scaled to
 * @throws UserError for what is missing or damaged, or cannot be used to train and test an image classifier.
 */
export async function loadData(data: string, shape: readonly number[] = DEFAULT_SHAPE): Promise<ImageData> {
  const { pairs, classNames } = await loadPairs(data, shape);
  const [train, test] = pairs;
  const sets = { train: checked(`${data}, training set`, ...train), test: checked(`${data}, test set`, ...test) };
  const [trainShape, testShape] = [sets.train, sets.test].map(({ images }) => images.shape.slice(1));
  if (trainShape?.join() !== testShape?.join()) {
    const shapes = [trainShape, testShape].map((part) => part?.join("x")).join(", for testing ");
    throw new UserError(`--data: ${data}: images for training are ${shapes}; they must be alike.`);
  }
  let classes = 0;
  for (const label of sets.train.labels.data) classes = Math.max(classes, label + 1);
  const wrong = sets.test.labels.data.findIndex((label) => label >= classes);
  if (wrong < 0) return { ...sets, shape: trainShape!, classes, classNames };
  const received = `${sets.test.labels.data[wrong]} at position ${wrong}`;
  throw new UserError(
    `--data: ${data}, test set: expected labels from 0 to ${classes - 1}, as in the training set, got ${received}.`,
  );
}

async function loadPairs(data: string, shape: readonly number[]): Promise<Loaded> {
  const onDownload = (url: string) => {
    if (process.stderr.isTTY) process.stderr.write(`lenet: downloading ${url}\n`);
  };
  if (Object.hasOwn(NAMED, data)) {
    const named: NamedSet = NAMED[data as keyof typeof NAMED];
    return { pairs: await named.loadData({ onDownload }), classNames: named.classNames };
  }
  const path = resolve(data);
  if (!existsSync(path)) {
    throw new UserError(
      `--data: there is no file or folder ${data}; data sets by name are ${Object.keys(NAMED).join(", ")}.`,
    );
  }
  if (!statSync(path).isDirectory()) return { pairs: await loadArrays(data, path) };
  if (isClassFolder(path)) return loadPictures(path, shape);
  return { pairs: await datasets.mnist.loadData({ directory: path }) };
}

/** Whether a folder has folders in it, and no IDX files. */
export function isClassFolder(path: string): boolean {
  const entries = readdirSync(path, { withFileTypes: true });
  const isData = entries.some(({ name }) => name.includes("-idx"));
  return !isData && entries.some((entry) => !entry.name.startsWith(".") && !entry.isFile());
}

async function loadPictures(path: string, shape: readonly number[]): Promise<Loaded> {
  const [height = 0, width = 0, channels = 0] = shape;
  const colorMode = COLOR_MODES[channels];
  if (shape.length !== 3 || colorMode === undefined) {
    throw new UserError(
      `--data: pictures have a height, a width and 1, 3 or 4 channels; the model takes ${shape.join("x")}.`,
    );
  }
  const options = { imageSize: [height, width], colorMode, validationSplit: TEST_SHARE, seed: SPLIT_SEED } as const;
  const { train, validation, classNames } = await datasets.imageFolder(path, options);
  return { pairs: [train, validation], classNames };
}

async function loadArrays(data: string, path: string): Promise<Pairs> {
  if (!path.toLowerCase().endsWith(".npz")) throw new UserError(`--data: ${data}: expected a folder or a .npz file.`);
  const arrays = await datasets.loadNpz(path);
  const get = (name: string) => {
    const array = arrays[name];
    if (array) return array;
    const found = Object.keys(arrays).join(", ") || "nothing";
    throw new UserError(`--data: ${data}: expected arrays x_train, y_train, x_test, y_test, found ${found}.`);
  };
  return [
    [get("x_train"), get("y_train")],
    [get("x_test"), get("y_test")],
  ];
}

/** Checks one set, and brings it into the one form: grey images get a channel, labels lose the axis that they do not need. */
function checked(where: string, images: NDArray, labels: NDArray): LabelledImages {
  const refuse = (expected: string, received: string) => {
    throw new UserError(`--data: ${where}: expected ${expected}, got ${received}.`);
  };
  const isImages = [3, 4].includes(images.shape.length) && images.dtype !== "int32";
  if (!isImages) {
    refuse("images (n, height, width) or (n, height, width, channels) of bytes or floats", describe(images));
  }
  if (images.length === 0) refuse("at least one image", "none");
  if (labels.size !== labels.length || labels.dtype === "float32") {
    refuse("class numbers, integers of shape (n,) or (n, 1)", describe(labels));
  }
  if (labels.length !== images.length) refuse(`${images.length} labels, one an image`, String(labels.length));
  const wrong = labels.data.findIndex((label) => label < 0);
  if (wrong >= 0) refuse("labels of at least 0", `${labels.data[wrong]} at position ${wrong}`);
  const shape = images.shape.length === 3 ? [...images.shape, 1] : images.shape;
  return { images: images.reshape(shape), labels: labels.reshape([-1]) };
}

const describe = ({ dtype, shape }: NDArray) => `${dtype} of shape (${shape.join(", ")})`;

export interface Samples {
  readonly x: NDArray;
  /** One-hot labels, (n, classes); for a model with a sparse loss the labels themselves, (n). */
  readonly y: NDArray;
}

/**
 * One of the sets as a model takes it: bytes divided by 255, labels one-hot unless its loss is sparse.
 *
 * @throws UserError where they are not what the model takes.
 */
export function samplesFor(model: Sequential, data: ImageData, set: "train" | "test"): Samples {
  const { inputShape, outputShape } = model;
  if (inputShape.join() !== data.shape.join()) {
    throw new UserError(`--data: its images are ${data.shape.join("x")}, but the model takes ${inputShape.join("x")}.`);
  }
  const outputs = outputShape[0] ?? 0;
  if (outputShape.length !== 1 || outputs < data.classes) {
    throw new UserError(
      `--data: its labels are 0 to ${data.classes - 1}, but the model gives ${outputShape.join("x")} values.`,
    );
  }
  const { images, labels } = data[set];
  return {
    x: images.dtype === "uint8" ? images.divide(255) : images,
    y: model.compiled?.loss.sparse ? labels : toCategorical(labels, outputs),
  };
}
