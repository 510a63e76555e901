/** How the network does on the test set. */
import { classScores, confusionMatrix, type NDArray, type Sequential, toLabels, UserError } from "lenet";
import type { testSet } from "./mnist.ts";
import { DIGITS, SIDE, toProbabilities } from "./network.ts";
import type { Judgement, Mistake, TestImage } from "./protocol.ts";

const BATCH_SIZE = 128;
/** Mistakes that are shown. */
const WORST = 48;

type TestSet = Awaited<ReturnType<typeof testSet>>;

function findMistakes(test: TestSet, output: NDArray<"float32">): Mistake[] {
  const mistakes: Mistake[] = [];
  for (const [index, prediction] of toLabels(output).entries()) {
    if (prediction === test.labels.data[index]) continue;
    const row = output.data.subarray(index * DIGITS, (index + 1) * DIGITS);
    const probability = toProbabilities(row)[prediction]!;
    mistakes.push({ ...testImage(test, index), prediction, probability });
  }
  return mistakes.sort((a, b) => b.probability - a.probability);
}

export function testImage({ images, labels }: TestSet, index: number): TestImage {
  const size = SIDE * SIDE;
  return { index, pixels: images.data.slice(index * size, (index + 1) * size), label: labels.data[index]! };
}

/** @throws UserError for a network that does not tell ten digits apart */
export async function judge(model: Sequential, test: TestSet): Promise<Judgement> {
  const [classes] = model.outputShape;
  if (classes !== DIGITS) {
    throw new UserError(`MNIST has ten digits, but the network gives ${classes} values; it cannot be judged by them.`);
  }
  const output = await model.predict(test.x, { batchSize: BATCH_SIZE });
  const matrix = confusionMatrix(test.labels, output, DIGITS);
  const mistakes = findMistakes(test, output);
  const rows = Array.from({ length: DIGITS }, (_, row) => [...matrix.data.subarray(row * DIGITS, (row + 1) * DIGITS)]);
  return {
    images: test.labels.length,
    accuracy: 1 - mistakes.length / test.labels.length,
    matrix: rows,
    recalls: classScores(matrix).map(({ recall }) => recall),
    mistakes: mistakes.length,
    worst: mistakes.slice(0, WORST),
  };
}
