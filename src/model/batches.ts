/** The batches of a run, in order: cut from arrays, or as somebody else gives them. */

import { NDArray } from "../array.ts";
import { UserError } from "../errors.ts";
import { permutation } from "../random.ts";
import type { Batch, Samples } from "./data.ts";
import type { Dataset } from "./options.ts";

/** One step's part of some samples. */
export interface Step {
  readonly samples: Samples;
  readonly batch: Batch;
}

/** Where the steps of each epoch come from. */
export interface Source {
  epoch(epoch: number): Iterable<Step> | AsyncIterable<Step>;
}

/** Batches that are made while they are used. */
export type Batches = Iterable<Dataset> | AsyncIterable<Dataset>;

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
  readonly #samples: Samples;
  readonly #options: CourseOptions;
  #start = 0;
  #order: Uint32Array | undefined;

  constructor(samples: Samples, options: CourseOptions) {
    this.#samples = samples;
    this.#options = options;
  }

  /** The batches of an epoch; the order of a pass is that of the epoch which begins it. */
  *epoch(epoch: number): Iterable<Step> {
    const { batchSize, stepsPerEpoch = Number.POSITIVE_INFINITY, shuffle, seed } = this.#options;
    const samples = this.#samples;
    if (this.#start === 0 && shuffle) this.#order = permutation(samples.count, seed, epoch);
    for (let step = 0; step < stepsPerEpoch && this.#start < samples.count; step++) {
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

  constructor(batches: Batches, check: (batch: Dataset) => Samples, stepsPerEpoch = Number.POSITIVE_INFINITY) {
    this.#batches = batches;
    this.#check = check;
    this.#stepsPerEpoch = stepsPerEpoch;
  }

  async *epoch(): AsyncIterable<Step> {
    this.#iterator ??= iterate(this.#batches);
    for (let step = 0; step < this.#stepsPerEpoch; step++) {
      const { done, value } = await this.#iterator.next();
      if (done) {
        this.#iterator = undefined;
        return;
      }
      const samples = this.#check(value);
      yield { samples, batch: { start: 0, count: samples.count } };
    }
  }
}

function iterate(batches: Batches): Iterator<Dataset> | AsyncIterator<Dataset> {
  if (Symbol.asyncIterator in batches) return batches[Symbol.asyncIterator]();
  return batches[Symbol.iterator]();
}
