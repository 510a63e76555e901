/** MNIST from beside the page: streamed with progress, and kept by the browser for the next visit. */
import { datasets, type NDArray, toCategorical, UserError } from "lenet";
import { DIGITS, SIDE } from "./network.ts";
import type { OnData } from "./protocol.ts";

export interface Samples {
  /** (n, 28, 28, 1), 0 to 1. */
  readonly x: NDArray<"float32">;
  /** One-hot, (n, 10). */
  readonly y: NDArray<"float32">;
}

const CACHE = "lenet-mnist-1";

/** The browser's store, where the page may use one. */
const openCache = () => (typeof caches === "undefined" ? undefined : caches.open(CACHE).catch(() => undefined));

/** The bytes of a response as they come; `onData` is told how many. */
async function readAll(response: Response, onData: OnData): Promise<Blob> {
  // Of content that the browser unpacks the length is not that of the bytes which come.
  const isPacked = response.headers.has("Content-Encoding");
  const length = (!isPacked && Number(response.headers.get("Content-Length"))) || undefined;
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let loaded = 0;
  for (const reader = response.body!.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return new Blob(parts);
    parts.push(value);
    loaded += value.length;
    onData(loaded, length);
  }
}

async function isGzip(blob: Blob): Promise<boolean> {
  const [first, second] = new Uint8Array(await blob.slice(0, 2).arrayBuffer());
  return first === 0x1f && second === 0x8b;
}

async function load(base: string, file: string, onData: OnData): Promise<Uint8Array> {
  const url = new URL(`data/${file}.gz`, base);
  const cache = await openCache();
  let content = await (await cache?.match(url))?.blob();
  if (!content) {
    const response = await fetch(url);
    if (!response.ok) throw new UserError(`cannot load ${file}: the server answers ${response.status}.`);
    content = await readAll(response, onData);
    // A full store keeps nobody from going on.
    await cache?.put(url, new Response(content)).catch(() => {});
  }
  // Some servers send .gz files as compressed content, which the browser then unpacks.
  const stream = (await isGzip(content)) ? content.stream().pipeThrough(new DecompressionStream("gzip")) : content;
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function loadImages(base: string, name: "train" | "t10k", onData: OnData) {
  const images = `${name}-images-idx3-ubyte`;
  const labels = `${name}-labels-idx1-ubyte`;
  const [imageBytes, labelBytes] = await Promise.all([load(base, images, onData), load(base, labels, () => {})]);
  return { images: datasets.parseIdx(imageBytes, images, 3), labels: datasets.parseIdx(labelBytes, labels, 1) };
}

type Pictures = Awaited<ReturnType<typeof loadImages>>;

const toSamples = ({ images, labels }: Pictures): Samples => ({
  x: images.reshape([-1, SIDE, SIDE, 1]).divide(255),
  y: toCategorical(labels, DIGITS),
});

/** What is loaded when it is first asked for, and again where that has failed. */
function once<Result>(load: (base: string, onData: OnData) => Promise<Result>) {
  let loaded: Promise<Result> | undefined;
  return (base: string, onData: OnData): Promise<Result> => {
    loaded ??= load(base, onData).catch((error) => {
      loaded = undefined;
      throw error;
    });
    return loaded;
  };
}

/** The 60,000 images for training. */
export const trainingSet = once(async (base, onData) => toSamples(await loadImages(base, "train", onData)));

/** The 10,000 images for testing. */
export const testSet = once(async (base, onData): Promise<Samples & Pictures> => {
  const pictures = await loadImages(base, "t10k", onData);
  return { ...pictures, ...toSamples(pictures) };
});
