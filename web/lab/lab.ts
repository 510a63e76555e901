/** The worker's side of the protocol: holds the network that is open, and the run that trains it. */
import { type NDArray, prepareDigit, UserError } from "lenet";
import { judge, testImage } from "./judge.ts";
import { testSet, trainingSet } from "./mnist.ts";
import {
  buildLeNet,
  describe,
  filterOf,
  type Network,
  openNetwork,
  outputsOf,
  toInput,
  toProbabilities,
  trainedLeNet,
} from "./network.ts";
import { readPicture } from "./picture.ts";
import type { Lab, OnData, Subject, TrainEvent, TrainOptions } from "./protocol.ts";
import { rasterize } from "./rasterize.ts";
import { compileFor, Gate, runTraining } from "./training.ts";

/** More threads than the machine has, or than help, are not asked for. */
const MOST_THREADS = 16;

async function fetchBytes(url: URL): Promise<Uint8Array> {
  const response = await fetch(url);
  if (!response.ok) throw new UserError(`cannot load ${url.pathname}: the server answers ${response.status}.`);
  return new Uint8Array(await response.arrayBuffer());
}

/** The 28x28 of a subject, as `lenet predict` prepares pictures. */
async function toPixels(subject: Subject): Promise<Uint8Array> {
  if (subject.kind === "pixels") return subject.pixels;
  if (subject.kind === "strokes") return prepareDigit(rasterize(subject.strokes), "the drawing").data;
  return prepareDigit(await readPicture(subject.bytes, subject.name), subject.name).data;
}

/** A run that is under way. */
interface Running {
  readonly gate: Gate;
  readonly stop: AbortController;
  readonly ended: Promise<unknown>;
}

class WorkerLab implements Lab {
  #network: Network | undefined;
  #base = "";
  #run: Running | undefined;
  /** Goes back to before the last run. */
  #restore = () => {};

  get #open(): Network {
    if (this.#network) return this.#network;
    throw new UserError("no network is open; open a Keras file, or train a new one.");
  }

  async start(base: string, file: string | undefined) {
    this.#base = base;
    const bytes = await fetchBytes(new URL(file ?? "weights.npz", base));
    const name = file?.split("/").at(-1);
    this.#network = name === undefined ? await trainedLeNet(bytes) : await openNetwork(bytes, name);
    return describe(this.#network);
  }

  async open(bytes: Uint8Array, name: string) {
    const network = await openNetwork(bytes, name);
    await this.#endRun();
    this.#restore = () => {};
    this.#network = network;
    return describe(network);
  }

  save() {
    return this.#open.model.toBytes();
  }

  async see(subject: Subject) {
    const pixels = await toPixels(subject);
    const outputs = await outputsOf(this.#open, pixels);
    return { pixels, outputs, probabilities: toProbabilities([...outputs.values()].at(-1)!) };
  }

  async explain(pixels: Uint8Array, digit: number) {
    const input = toInput(pixels);
    const gradients = await this.#open.model.inputGradients(input, { outputs: [digit] });
    return gradients.data.map((gradient, i) => gradient * input.data[i]!);
  }

  async filter(layer: string, channel: number) {
    return filterOf(this.#open, layer, channel);
  }

  async train(options: TrainOptions, paused: boolean, onEvent: (event: TrainEvent) => void) {
    await this.#endRun();
    this.#restore = this.#keep(this.#network, options);
    const stop = new AbortController();
    const gate = new Gate(paused);
    const run = this.#train(options, { gate, signal: stop.signal, tell: onEvent });
    this.#run = { gate, stop, ended: run.catch(() => {}) };
    try {
      await run;
      return true;
    } catch (error) {
      if (stop.signal.aborted && error === stop.signal.reason) return false;
      throw error;
    } finally {
      if (this.#run?.stop === stop) this.#run = undefined;
    }
  }

  async #train(
    options: TrainOptions,
    run: { readonly gate: Gate; readonly signal: AbortSignal; readonly tell: (event: TrainEvent) => void },
  ): Promise<void> {
    const onData = (loaded: number, total: number | undefined) => run.tell({ type: "data", loaded, total });
    const [train, test] = await Promise.all([trainingSet(this.#base, onData), testSet(this.#base, () => {})]);
    run.signal.throwIfAborted();
    if (options.from === "new") {
      this.#network = { title: "LeNet, trained here", model: buildLeNet(options.seed, options.conv2Padding) };
    }
    const { model } = this.#open;
    compileFor(model, options);
    const threads = typeof SharedArrayBuffer === "undefined" ? 1 : Math.min(options.threads, MOST_THREADS);
    const steps = Math.ceil(train.x.length / options.batchSize);
    run.tell({ type: "begin", network: describe(this.#open), steps, threads });
    await runTraining(model, { train, test }, { ...options, threads }, run);
  }

  /** How to go back to a network as it is now. */
  #keep(network: Network | undefined, { from }: TrainOptions): () => void {
    const weights: NDArray[] = from === "open" && network ? network.model.getWeights() : [];
    return () => {
      this.#network = network;
      if (weights.length > 0) network?.model.setWeights(weights);
    };
  }

  async #endRun(): Promise<void> {
    const run = this.#run;
    run?.stop.abort();
    await run?.ended;
  }

  pause() {
    this.#run?.gate.allow(0);
  }

  resume() {
    this.#run?.gate.allow(Number.POSITIVE_INFINITY);
  }

  step() {
    this.#run?.gate.allow(1);
  }

  async reset() {
    await this.#endRun();
    this.#restore();
    return describe(this.#open);
  }

  async example(onData: OnData) {
    const test = await testSet(this.#base, onData);
    return testImage(test, Math.floor(Math.random() * test.labels.length));
  }

  async judge(onData: OnData) {
    return judge(this.#open.model, await testSet(this.#base, onData));
  }
}

export const createLab = (): Lab => new WorkerLab();
