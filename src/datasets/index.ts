/** The data sets, by name, and files of data. https://keras.io/api/datasets/ */
export * as mnist from "./mnist.ts";
export { loadNpy, loadNpz, saveNpz } from "./npz.ts";
