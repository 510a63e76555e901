/** Kuzushiji-MNIST: cursive Japanese characters. http://codh.rois.ac.jp/kmnist/ and https://arxiv.org/abs/1812.01718 */
import { type ImageSets, idxSet, type LoadDataOptions, loadIdxSet } from "./idx-set.ts";

const SET = idxSet("Kuzushiji-MNIST", "kmnist", "https://codh.rois.ac.jp/kmnist/dataset/kmnist/", [
  "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
  "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
  "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
  "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
]);

/** What the labels 0 to 9 stand for: characters of the hiragana. */
export const classNames: readonly string[] = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"];

/**
 * Loads Kuzushiji-MNIST: 60,000 and 10,000 images of 28x28, grey levels 0 to 255, as uint8, and labels 0 to 9. Keras
 * does not have it; its files are kept beside those that Keras has, in `kmnist` (`$KERAS_HOME/datasets` or
 * `~/.keras/datasets`), and are downloaded to there where they are missing (21 MB).
 *
 * @returns [[xTrain, yTrain], [xTest, yTest]]
 * @throws UserError for a damaged file, and without a network, saying which files to put where.
 */
export function loadData(options: LoadDataOptions = {}): Promise<ImageSets> {
  return loadIdxSet("kuzushijiMnist.loadData", SET, options);
}
