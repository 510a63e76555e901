/** Fashion-MNIST. https://keras.io/api/datasets/fashion_mnist/ and https://github.com/zalandoresearch/fashion-mnist */
import { type ImageSets, idxSet, type LoadDataOptions, loadIdxSet } from "./idx-set.ts";

const SET = idxSet("Fashion-MNIST", "fashion-mnist", "https://storage.googleapis.com/tensorflow/tf-keras-datasets/", [
  "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
  "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
  "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
  "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
]);

/** What the labels 0 to 9 stand for. */
export const classNames: readonly string[] = [
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
];

/**
 * Loads Fashion-MNIST: 60,000 and 10,000 images of 28x28, grey levels 0 to 255, as uint8, and labels 0 to 9. The files
 * are those of `fashion-mnist` in Keras's folder (`$KERAS_HOME/datasets` or `~/.keras/datasets`), and are downloaded
 * to there where they are missing (30 MB).
 *
 * @returns [[xTrain, yTrain], [xTest, yTest]]
 * @throws UserError for a damaged file, and without a network, saying which files to put where.
 */
export function loadData(options: LoadDataOptions = {}): Promise<ImageSets> {
  return loadIdxSet("fashionMnist.loadData", SET, options);
}
