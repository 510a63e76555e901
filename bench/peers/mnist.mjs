/** The first images of MNIST for peers in JavaScript. */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

export const config = JSON.parse(process.argv[2]);

export function firstImages(count) {
  const images = readFileSync(`${config.data}/train-images-idx3-ubyte`).subarray(16, 16 + count * 784);
  const labels = readFileSync(`${config.data}/train-labels-idx1-ubyte`).subarray(8, 8 + count);
  const targets = new Float32Array(count * 10);
  labels.forEach((label, i) => {
    targets[i * 10 + label] = 1;
  });
  return { x: Float32Array.from(images, (value) => value / 255), targets };
}

/** Says that it is ready, then answers each line `NUMBER` with the milliseconds of that many runs. */
export async function answer(run) {
  console.log("ready");
  for await (const line of createInterface({ input: process.stdin })) {
    const times = [];
    for (let i = 0; i < Number(line.split(" ")[0]); i++) {
      const began = performance.now();
      await run();
      times.push(performance.now() - began);
    }
    console.log(JSON.stringify(times));
  }
}
