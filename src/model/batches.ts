/** The batches of a run, in order: cut from arrays, or as somebody else gives them. */

import { NDArray } from "../array.ts";
import { UserError } from "../errors.ts";
import { permutation } from "../random.ts";
import type { Batch, Samples } from "./data.ts";

/** One step's part of some samples. */
export interface Step {
  readonly samples: Samples;
  readonly batch: Batch;
}

/** Where the steps of each epoch come from. */
export interface Source {
  /** The steps of an epoch, less those that are done. */
  epoch(epoch: number, done?: number): Iterable<Step> | AsyncIterable<Step>;
  /** Where it stands after the step that it gave last. */
  place(): Place;
  /** Goes on from there, which another source of the same data was at. */
  goTo(place: Place): Promise<void>;
}

/** Where a source stands. */
export interface Place {
  /** Samples or batches of the present pass that have been given. */
  readonly taken: number;
  /** The epoch that began the pass, and the seed: they decide its order. */
  readonly pass?: number;
  readonly seed?: number;
}

/** Inputs and targets and, where samples do not all count the same, what each sample's loss is multiplied by. */
export type Dataset = readonly [x: NDArray, y: NDArray, sampleWeight?: NDArray];

/** Whether validation data are neither a pair nor batches; an array of a single NDArray is no batch. */
export function isNoDataset(value: unknown): boolean {
  return !isDataset(value) && !isBatches(value, Array.isArray(value) ? value[0] : undefined);
}

/** Batches that are made while they are used. */
export type Batches = Iterable<Dataset> | AsyncIterable<Dataset>;

/** Whether an argument is [x, y] or [x, y, sampleWeight]; what they are is checked later. */
export function isDataset(value: unknown): value is Dataset {
  return Array.isArray(value) && [2, 3].includes(value.length) && !Array.isArray(value[0]);
}

/** Whether an argument stands for batches; what follows it is then no array of targets. */
export function isBatches(value: unknown, next: unknown): value is Batches {
  if (next instanceof NDArray) return false;
  if (typeof value !== "object" || value === null || value instanceof NDArray) return false;
  return Symbol.asyncIterator in value || (Symbol.iterator in value && !ArrayBuffer.isView(value));
}

/** All samples, batch by batch, in their order. */
export function* inOrder(samples: Samples, batchSize: number): Iterable<Step> {
  for (let start = 0; start < samples.count; start += batchSize) {
    yield { samples, batch: { start, count: Math.min(batchSize, samples.count - start) } };
  }
}

/** The first part of the samples, and the last `share` of them, as Keras parts them. */
export function split(where: string, samples: Samples, share: number): [Samples, Samples] {
  const at = Math.floor(samples.count * (1 - share));
  if (at === 0 || at === samples.count) {
    throw new UserError(`${where}: validationSplit ${share} of ${samples.count} samples leaves one part empty.`);
  }
  const part = (from: number, to: number): Samples => ({
    count: to - from,
    x: samples.x.slice(from, to),
    y: samples.y.slice(from, to),
    weights: samples.weights?.subarray(from, to),
  });
  return [part(0, at), part(at, samples.count)];
}

export interface CourseOptions {
  readonly batchSize: number;
  readonly stepsPerEpoch: number | undefined;
  readonly shuffle: boolean;
  readonly seed: number;
}

/**
 * The way through arrays, pass after pass, each in an order of its own where they are shuffled. With `stepsPerEpoch` an
 * epoch goes on where the one before ended, and ends early where the pass does, as in Keras
 * (keras/src/trainers/epoch_iterator.py).
 */
export class Course implements Source {
  readonly samples: Samples;
  readonly #options: CourseOptions;
  #seed: number;
  #start = 0;
  /** The epoch that began the pass. */
  #pass = 0;
  #order: Uint32Array | undefined;

  constructor(samples: Samples, options: CourseOptions) {
    this.samples = samples;
    this.#options = options;
    this.#seed = options.seed;
  }

  place(): Place {
    return { taken: this.#start, pass: this.#pass, seed: this.#seed };
  }

  async goTo({ taken, pass = 0, seed = this.#seed }: Place): Promise<void> {
    this.#start = taken;
    this.#seed = seed;
    this.#begin(pass);
  }

  #begin(epoch: number): void {
    this.#pass = epoch;
    if (this.#options.shuffle) this.#order = permutation(this.samples.count, this.#seed, epoch);
  }

  /** The batches of an epoch; the order of a pass is that of the epoch which begins it. */
  *epoch(epoch: number, done = 0): Iterable<Step> {
    const { batchSize, stepsPerEpoch = Number.POSITIVE_INFINITY } = this.#options;
    const { samples } = this;
    if (this.#start === 0) this.#begin(epoch);
    for (let step = done; step < stepsPerEpoch && this.#start < samples.count; step++) {
      const start = this.#start;
      const count = Math.min(batchSize, samples.count - start);
      this.#start += count;
      yield { samples, batch: { start, count, order: this.#order } };
    }
    if (this.#start >= samples.count) this.#start = 0;
  }
}

/**
 * Batches of somebody else's: an epoch is a whole pass through them or, with `stepsPerEpoch`, the next so many. What can
 * be gone through again begins anew when it ends.
 */
export class Stream implements Source {
  readonly #batches: Batches;
  readonly #check: (batch: Dataset) => Samples;
  readonly #stepsPerEpoch: number;
  #iterator: Iterator<Dataset> | AsyncIterator<Dataset> | undefined;
  #taken = 0;

  constructor(batches: Batches, check: (batch: Dataset) => Samples, stepsPerEpoch = Number.POSITIVE_INFINITY) {
    this.#batches = batches;
    this.#check = check;
    this.#stepsPerEpoch = stepsPerEpoch;
  }

  place(): Place {
    return { taken: this.#taken };
  }

  /** Draws what was drawn before, and leaves it aside. */
  async goTo({ taken }: Place): Promise<void> {
    this.#iterator = iterate(this.#batches);
    for (this.#taken = 0; this.#taken < taken; this.#taken++) {
      if (!(await this.#iterator.next()).done) continue;
      throw new UserError(`fit: to go on takes the batches from before: ${taken} of them, there are ${this.#taken}.`);
    }
  }

  async *epoch(_ = 0, stepsDone = 0): AsyncIterable<Step> {
    this.#iterator ??= iterate(this.#batches);
    for (let step = stepsDone; step < this.#stepsPerEpoch; step++) {
      const { done, value } = await this.#iterator.next();
      if (done) {
        this.#iterator = undefined;
        this.#taken = 0;
        return;
      }
      this.#taken++;
      const samples = this.#check(value);
      yield { samples, batch: { start: 0, count: samples.count } };
    }
  }
}

function iterate(batches: Batches): Iterator<Dataset> | AsyncIterator<Dataset> {
  if (Symbol.asyncIterator in batches) return batches[Symbol.asyncIterator]();
  return batches[Symbol.iterator]();
}
