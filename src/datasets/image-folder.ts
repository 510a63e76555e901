/** Folders of pictures, one a class. https://keras.io/api/data_loading/image/#imagedatasetfromdirectory-function */
import { badArgument, boolean, numberIn, oneOf, onlyKnown, pair, wholeNumber } from "../arguments.ts";
import { NDArray } from "../array.ts";
import { UserError } from "../errors.ts";
import { CHANNELS, type ColorMode, resizeBilinear } from "../image/resize.ts";
import { freshSeed, permutation } from "../random.ts";
import { listFolder, readFile } from "../runtime/files.ts";

const WHERE = "imageFolder";

/** The most that the pictures may take, scaled, in bytes: they are all in memory. */
const LARGEST = 2 ** 31;

const READ = /\.(png|jpe?g)$/i;
/** What Keras reads and we do not: passing over them would train on other pictures than Keras does. */
const NOT_READ = /\.(gif|bmp)$/i;

/** What `imageFolder` is told. */
export interface ImageFolderOptions {
  /** [height, width] that the pictures are scaled to, or one number for both; default 256. */
  readonly imageSize?: number | readonly [height: number, width: number];
  /** 3, 1 or 4 channels; default "rgb". */
  readonly colorMode?: ColorMode;
  /** The share of the pictures that is kept for validation, from 0 to below 1; default 0. */
  readonly validationSplit?: number;
  /** Whether the pictures are put into a random order before they are split; default true. */
  readonly shuffle?: boolean;
  /** Of that order; default: another each time. */
  readonly seed?: number;
  /** The folders to read, in the order of their labels; default: all, by their names. */
  readonly classNames?: readonly string[];
  readonly signal?: AbortSignal;
}

/** Pictures, uint8 of shape (n, height, width, channels), and labels, int32 of shape (n). */
export type LabelledImages = readonly [images: NDArray<"uint8">, labels: NDArray<"int32">];

/** The pictures of a folder, and the names of its classes. */
export interface ImageFolder {
  readonly train: LabelledImages;
  /** No pictures where `validationSplit` is 0. */
  readonly validation: LabelledImages;
  /** What the labels stand for. */
  readonly classNames: readonly string[];
}

interface LabelledFile {
  readonly path: string;
  readonly label: number;
}

type Checked = ReturnType<typeof checkOptions>;

function checkOptions(options: ImageFolderOptions) {
  const known = ["imageSize", "colorMode", "validationSplit", "shuffle", "seed", "classNames", "signal"];
  onlyKnown(WHERE, options, known);
  const { colorMode = "rgb", validationSplit = 0, classNames } = options;
  const areNames = classNames === undefined || (Array.isArray(classNames) && classNames.every(isName));
  if (!areNames || classNames?.length === 0) throw badArgument(WHERE, "classNames", "names of folders", classNames);
  const expected = "a number from 0 to below 1";
  return {
    imageSize: pair(WHERE, "imageSize", options.imageSize ?? 256),
    colorMode: oneOf(WHERE, "colorMode", colorMode, ["grayscale", "rgb", "rgba"]),
    validationSplit: numberIn(WHERE, "validationSplit", validationSplit, { min: 0, below: 1, expected }),
    shuffle: boolean(WHERE, "shuffle", options.shuffle ?? true),
    seed: wholeNumber(WHERE, "seed", options.seed ?? freshSeed()),
    classNames,
    signal: options.signal,
  };
}

/** A name of a folder within another: no path. */
function isName(name: unknown): boolean {
  return typeof name === "string" && name !== "" && !name.startsWith(".") && !/[/\\]/.test(name);
}

async function findClasses(directory: string, wanted: readonly string[] | undefined): Promise<readonly string[]> {
  const entries = await listFolder(directory);
  const folders = entries.filter(({ name, isFolder }) => isFolder && !name.startsWith(".")).map(({ name }) => name);
  const missing = wanted?.find((name) => !folders.includes(name));
  if (missing !== undefined) {
    throw new UserError(`${WHERE}: ${directory} has no folder ${missing}, only ${folders.join(", ") || "none"}.`);
  }
  if (folders.length > 0) return wanted ?? folders;
  throw new UserError(`${WHERE}: ${directory} has no folders; expected one for each class, with its pictures.`);
}

/** The pictures of a folder and of those in it, in Keras's order: by folder, then by name. Links to folders are left out. */
async function findPictures(folder: string): Promise<string[]> {
  const found: { folder: string; pictures: string[] }[] = [];
  const walk = async (path: string): Promise<void> => {
    const entries = await listFolder(path);
    const files = entries.filter(({ isFolder }) => !isFolder).map(({ name }) => `${path}/${name}`);
    const refused = files.find((file) => NOT_READ.test(file));
    if (refused !== undefined) {
      throw new UserError(`${refused}: GIF and BMP pictures are not read; convert it to PNG, or take it away.`);
    }
    found.push({ folder: path, pictures: files.filter((file) => READ.test(file)) });
    for (const { name, isFolder, isLink } of entries) if (isFolder && !isLink) await walk(`${path}/${name}`);
  };
  await walk(folder);
  return found.sort((a, b) => (a.folder < b.folder ? -1 : 1)).flatMap(({ pictures }) => pictures);
}

async function readPictures(files: readonly LabelledFile[], options: Checked): Promise<LabelledImages> {
  const { decodeColours } = await import("../image/decode.ts");
  const { imageSize, colorMode, signal } = options;
  const [height, width] = imageSize;
  const channels = CHANNELS[colorMode];
  const size = height * width * channels;
  const images = new Uint8Array(files.length * size);
  for (const [index, { path }] of files.entries()) {
    signal?.throwIfAborted();
    images.set(resizeBilinear(decodeColours(await readFile(path), path), height, width, colorMode), index * size);
  }
  return [
    new NDArray<"uint8">(images, [files.length, height, width, channels]),
    new NDArray<"int32">(
      Int32Array.from(files, ({ label }) => label),
      [files.length],
    ),
  ];
}

/**
 * Loads the pictures (PNG, JPEG) of a folder that has a folder for each class, as
 * `keras.utils.image_dataset_from_directory` does: classes sorted by name, pictures scaled by bilinear interpolation
 * whatever their shape was, transparency and EXIF orientation ignored, the last pictures of the random order kept for
 * validation. Other than there the pictures come at once and as bytes, so all must fit into 2 GiB, and the random order
 * is our own.
 *
 * @throws UserError for a folder without classes or pictures, and for a file that is no picture, naming it; the
 *   signal's reason where it aborts.
 */
export async function imageFolder(directory: string, options: ImageFolderOptions = {}): Promise<ImageFolder> {
  if (typeof directory !== "string") throw badArgument(WHERE, "the directory", "a path", directory);
  const checked = checkOptions(options);
  const classNames = await findClasses(directory, checked.classNames);
  const files: LabelledFile[] = [];
  for (const [label, name] of classNames.entries()) {
    for (const path of await findPictures(`${directory}/${name}`)) files.push({ path, label });
  }
  if (files.length === 0) {
    throw new UserError(`${WHERE}: ${directory}: no PNG or JPEG pictures in the folders ${classNames.join(", ")}.`);
  }
  checkMemory(directory, files.length, checked);
  const order = checked.shuffle ? permutation(files.length, checked.seed, 0) : files.keys();
  const ordered = Array.from(order, (index) => files[index]!);
  const validationCount = Math.trunc(checked.validationSplit * files.length);
  const trainCount = files.length - validationCount;
  return {
    train: await readPictures(ordered.slice(0, trainCount), checked),
    validation: await readPictures(ordered.slice(trainCount), checked),
    classNames,
  };
}

function checkMemory(directory: string, count: number, { imageSize: [height, width], colorMode }: Checked): void {
  const size = height * width * CHANNELS[colorMode];
  if (count * size <= LARGEST) return;
  const gigabytes = ((count * size) / 2 ** 30).toFixed(1);
  throw new UserError(
    `${WHERE}: ${directory}: ${count} pictures of ${height}x${width} (${colorMode}) take ${gigabytes} GiB, at most 2 fit; ` +
      `choose a smaller imageSize.`,
  );
}
