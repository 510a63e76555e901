/** How the network does on the test set. */
import { classScores, confusionMatrix, type NDArray, type Sequential, toLabels } from "lenet";
import type { testSet } from "./mnist.ts";
import { DIGITS, SIDE, toProbabilities } from "./network.ts";
import type { Judgement, Mistake } from "./protocol.ts";

const BATCH_SIZE = 128;
/** Mistakes that are shown. */
const WORST = 60;

type TestSet = Awaited<ReturnType<typeof testSet>>;

function findMistakes({ images, labels }: TestSet, output: NDArray<"float32">): Mistake[] {
  const mistakes: Mistake[] = [];
  for (const [index, prediction] of toLabels(output).entries()) {
    const label = labels.data[index]!;
    if (prediction === label) continue;
    const row = output.data.subarray(index * DIGITS, (index + 1) * DIGITS);
    const pixels = images.data.slice(index * SIDE * SIDE, (index + 1) * SIDE * SIDE);
    mistakes.push({ index, pixels, label, prediction, probability: toProbabilities(row)[prediction]! });
  }
  return mistakes.sort((a, b) => b.probability - a.probability);
}

export async function judge(model: Sequential, test: TestSet): Promise<Judgement> {
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
