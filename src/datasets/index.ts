/** The data sets, by name, and files of data. https://keras.io/api/datasets/ */
export * as cifar10 from "./cifar10.ts";
export * as fashionMnist from "./fashion-mnist.ts";
export { parseIdx } from "./idx.ts";
export type { ImageSets, Images, LoadDataOptions } from "./idx-set.ts";
export { type ImageFolder, type ImageFolderOptions, imageFolder, type LabelledImages } from "./image-folder.ts";
export * as kuzushijiMnist from "./kuzushiji-mnist.ts";
export * as mnist from "./mnist.ts";
export { loadNpy, loadNpz, type Source, saveNpz } from "./npz.ts";
