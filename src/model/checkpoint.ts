/**
 * Checkpoints: a run between two steps as a Keras `.h5` file, and back. The model and its optimizer's state are what Keras
 * makes of them; what only a run needs stands beside them, where Keras does not look.
 */
import { type Config, isConfig, show } from "../arguments.ts";
import { NDArray } from "../array.ts";
import { UserError } from "../errors.ts";
import { readKerasH5, writeKerasH5 } from "../formats/keras-h5.ts";
import type { NamedTensor, SavedModel } from "../formats/saved-model.ts";
import { crc32Of } from "../runtime/files.ts";
import { Course, type Source } from "./batches.ts";
import type { Callback, KeptRun, RunKeeper } from "./callbacks.ts";
import type { Samples } from "./data.ts";
import type { Kept, Moment, Progress } from "./fit.ts";
import { modelConfig, toSavedModel, trainingConfig } from "./serialize.ts";
import { type ModelState, type PlacedLayer, weightsOf } from "./state.ts";

const VERSION = 1;

/** What decides the bits of a run besides the model, by name; shown where it differs. */
type Settings = Readonly<Record<string, unknown>>;

type Model = ModelState & { stopTraining: boolean; reseed(seeds: readonly (number | undefined)[]): void };

interface RunOf {
  readonly model: Model;
  readonly source: Source;
  readonly callbacks: readonly Callback[];
  readonly settings: Settings;
  /** Settings in which a run may differ from the one that it goes on with, whose value it then takes. */
  readonly adopted: readonly string[];
}

interface Content {
  readonly progress: Progress;
  readonly callbacks: readonly unknown[];
  readonly settings: Settings;
  readonly learningRate: number;
  readonly iterations: number;
}

/** What `fit` was given, as far as it decides the bits. */
interface Given {
  readonly keeper: RunKeeper;
  readonly source: Source;
  readonly validation: Samples | undefined;
  readonly callbacks: readonly Callback[];
  readonly batchSize: number;
  readonly stepsPerEpoch: number | undefined;
  readonly shuffle: boolean;
  readonly seed: number;
  /** Whether the seed was chosen. */
  readonly isSeeded: boolean;
  readonly validationFreq: number;
}

/**
 * Begins a run that is kept, or goes on with the one that was.
 *
 * @throws UserError for what was kept of another model, of other data or with other options
 */
export async function keepRun(model: Model, given: Given): Promise<Kept> {
  const { keeper, source, validation, callbacks, isSeeded } = given;
  const { batchSize, shuffle, seed, validationFreq, stepsPerEpoch = null } = given;
  const cut = source instanceof Course && {
    ...{ batchSize, shuffle, seed },
    "training data": describeData(source.samples),
  };
  const checks = validation && { validationFreq, "validation data": describeData(validation) };
  const settings = { ...cut, ...checks, stepsPerEpoch, strict: model.variables.strict };
  const run = new Checkpoints({ model, source, callbacks, settings, adopted: isSeeded ? [] : ["seed"] });
  await keeper.begin(run);
  return { resumed: run.resumed, keep: (moment, progress) => run.keep(keeper, moment, progress) };
}

/** A run that is kept by a callback. */
class Checkpoints implements KeptRun {
  readonly #of: RunOf;
  /** The last checkpoint, into whose memory the next one is written. */
  #bytes: Uint8Array<ArrayBuffer> | undefined;
  #progress: (() => Progress) | undefined;
  resumed: Kept["resumed"];

  constructor(of: RunOf) {
    this.#of = of;
  }

  get iterations(): number {
    return this.#of.model.compiled!.optimizer.iterations;
  }

  get position(): string {
    const { epoch, step, begun } = this.#progress!();
    return [epoch, step, begun].join();
  }

  get isBroken(): boolean {
    const { variables, placed } = this.#of.model;
    return variables.firstNotFinite(weightsOf(placed)) !== undefined;
  }

  async keep(keeper: RunKeeper, moment: Moment, progress: () => Progress): Promise<void> {
    this.#progress = progress;
    await keeper.keep(this, moment);
  }

  async toBytes(): Promise<Uint8Array> {
    const { model, callbacks, settings } = this.#of;
    // No copies: they are in the file before the next step.
    const saved = toSavedModel(model, (tensor) => model.variables.view(tensor));
    const tensors: NamedTensor[] = [];
    const { learningRate, iterations } = model.compiled!.optimizer;
    const states = callbacks.map((callback) => callback.getState?.() ?? null);
    const content = { progress: this.#progress!(), callbacks: states, settings, learningRate, iterations };
    const state = encode(content, tensors);
    const sum = sumOf(state, { ...saved, checkpoint: { text: "", tensors } });
    const text = JSON.stringify({ version: VERSION, sum, state });
    this.#bytes = await writeKerasH5({ ...saved, checkpoint: { text, tensors } }, { into: this.#bytes?.buffer });
    return this.#bytes;
  }

  async restore(bytes: Uint8Array, where: string, onDamaged: (reason: string) => void): Promise<boolean> {
    const found = await read(bytes).catch((error: unknown) => {
      if (!(error instanceof UserError)) throw error;
      onDamaged(error.message);
      return undefined;
    });
    if (!found) return false;
    const { model, source } = this.#of;
    const { saved, content } = found;
    try {
      model.reseed(seedsToAdopt(model.placed, saved));
      checkSame(model, saved);
      this.#checkSettings(content);
      writeState(model, saved);
      await source.goTo(content.progress.place);
    } catch (error) {
      throw error instanceof UserError ? new UserError(`${where}: ${error.message}`, { cause: error }) : error;
    }
    const { optimizer } = model.compiled!;
    optimizer.iterations = content.iterations;
    if (!optimizer.schedule) optimizer.learningRate = content.learningRate;
    model.stopTraining = content.progress.stopped;
    this.resumed = content;
    return true;
  }

  #checkSettings(content: Content): void {
    const { settings, adopted, callbacks } = this.#of;
    for (const [name, value] of Object.entries(settings)) {
      if (!adopted.includes(name)) checkEqual(name, content.settings[name], value);
    }
    const withState = callbacks.map((callback) => callback.getState !== undefined);
    const before = content.callbacks.map((state) => state !== null);
    // Each state must find its own.
    const lost = before.findIndex((had, i) => had && !withState[i]);
    if (withState.length === before.length && lost < 0) return;
    const received = lost < 0 ? `here are ${withState.length}` : `number ${lost + 1} is not here`;
    throw new UserError(`the run had ${before.length} callbacks, ${received}; give the same, in the same order.`);
  }
}

function checkEqual(name: string, before: unknown, now: unknown): void {
  if (JSON.stringify(before) === JSON.stringify(now)) return;
  throw new UserError(
    `it was made with ${name} ${show(before ?? null)}, this run has ${show(now)}; give the same, or another folder for ` +
      `the checkpoints of this run.`,
  );
}

interface LayerConfig {
  readonly class_name: string;
  readonly config: { readonly name: string; readonly seed?: unknown };
}

function layerConfigs(modelConfig: unknown): readonly LayerConfig[] {
  const { config } = modelConfig as { readonly config?: { readonly layers?: readonly LayerConfig[] } };
  return config?.layers ?? [];
}

/** Of layers that drew their seed from the model's, where that was not given either: the seeds of the run before. */
function seedsToAdopt(placed: readonly PlacedLayer[], saved: SavedModel): (number | undefined)[] {
  const configs = layerConfigs(saved.modelConfig);
  return placed.map(({ withSeed }, i) => {
    const seed = configs[i]?.config?.seed;
    return withSeed && typeof seed === "number" ? seed : undefined;
  });
}

/** Refuses a checkpoint of another model, or one that was compiled in another way. */
function checkSame(model: ModelState, saved: SavedModel): void {
  const before = layerConfigs(saved.modelConfig);
  const now = layerConfigs(plain(modelConfig(model)));
  const longer = before.length > now.length ? before : now;
  longer.forEach((_, i) => {
    const layer = now[i];
    if (JSON.stringify(before[i]) === JSON.stringify(layer)) return;
    throw new UserError(
      `it is of another model, whose layer ${i} is ${show(before[i])} where this one has ${show(layer)}; give the same ` +
        `model, or another folder for the checkpoints of this one.`,
    );
  });
  const compiled = saved.trainingConfig as Record<string, unknown>;
  for (const [name, value] of Object.entries(plain(trainingConfig(model)))) {
    checkEqual(name, withoutRate(compiled?.[name]), withoutRate(value));
  }
}

/** As it comes back from a file. */
const plain = (config: Config): Config => JSON.parse(JSON.stringify(config));

/** The learning rate may have been changed on the way. */
function withoutRate(value: unknown): unknown {
  if (!isConfig(value) || !isConfig(value.config) || typeof value.config.learning_rate !== "number") return value;
  const { learning_rate: _, ...config } = value.config;
  return { ...value, config };
}

function writeState(model: ModelState, saved: SavedModel): void {
  const found = new Map(
    [...saved.layers.flatMap(({ weights }) => weights), ...saved.optimizer!.weights].map((tensor) => [
      tensor.name,
      tensor,
    ]),
  );
  const tensors = [...weightsOf(model.placed), ...model.compiled!.slots.flat()];
  for (const { name, shape } of tensors) {
    checkEqual(`a ${name} of shape`, found.get(name)?.shape, shape);
  }
  for (const tensor of tensors) model.variables.write(tensor, found.get(tensor.name)!.data);
}

/** @throws UserError for bytes that are no checkpoint, or damaged. */
async function read(bytes: Uint8Array): Promise<{ saved: SavedModel; content: Content }> {
  const saved = await readKerasH5(bytes);
  const { checkpoint, optimizer } = saved;
  if (!checkpoint || !optimizer) throw new UserError("it is a model, but no checkpoint.");
  const { version, sum, state } = parse(checkpoint.text);
  if (version !== VERSION) {
    throw new UserError(`it is a checkpoint of version ${show(version)}; this lenet reads version ${VERSION}.`);
  }
  if (sum !== sumOf(state, saved)) throw new UserError("it is damaged: its check sum is wrong.");
  return { saved, content: decode(state, checkpoint.tensors) as Content };
}

function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (isConfig(value)) return value;
  } catch {}
  throw new UserError("it is damaged: what it says of the run is no JSON.");
}

/** A sum over all that changes in training. */
function sumOf(state: unknown, { layers, optimizer, checkpoint }: SavedModel): number {
  const tensors = [
    ...layers.flatMap(({ weights }) => weights),
    ...(optimizer?.weights ?? []),
    ...(checkpoint?.tensors ?? []),
  ];
  return crc32Of([new TextEncoder().encode(JSON.stringify(state)), ...tensors.map(({ data }) => data)]);
}

/** Values as JSON has them, all bits kept: numbers that it does not have as text, arrays by their place in a list. */
function encode(value: unknown, tensors: NamedTensor[]): unknown {
  if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))) {
    return { $number: Object.is(value, -0) ? "-0" : String(value) };
  }
  if (value instanceof NDArray) {
    if (!(value.data instanceof Float32Array)) {
      throw new UserError(`a callback's state may have arrays of float32, got ${value.dtype}.`);
    }
    tensors.push({ name: `array_${tensors.length}`, shape: value.shape, data: value.data });
    return { $array: tensors.length - 1 };
  }
  if (Array.isArray(value)) return value.map((item) => encode(item, tensors));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key, encode(item, tensors)]),
  );
}

function decode(value: unknown, tensors: readonly NamedTensor[]): unknown {
  if (Array.isArray(value)) return value.map((item) => decode(item, tensors));
  if (!isConfig(value)) return value;
  if (typeof value.$number === "string") return Number(value.$number);
  const tensor = typeof value.$array === "number" ? tensors[value.$array] : undefined;
  if (tensor) return new NDArray(tensor.data, tensor.shape);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, decode(item, tensors)]));
}

/** Inputs of so many samples are looked at, all over the data. */
const PROBES = 256;

/** A text that is another one for other data, as good as always. */
function describeData({ count, x, y, weights }: Samples): string {
  const row = x.size / x.length;
  const { bytes, divisor } = x.quotient ?? { bytes: undefined, divisor: 1 };
  const rows = Array.from({ length: Math.min(PROBES, count) }, (_, i) => {
    const start = Math.floor((i * count) / Math.min(PROBES, count)) * row;
    // The same numbers, whether or not somebody has read the array's elements.
    const data = (bytes ?? x.data).subarray(start, start + row);
    return Float32Array.from(data, (value) => value / divisor);
  });
  const sum = crc32Of([...rows, y.data, ...(weights ? [weights] : [])]);
  return `${count} samples of sum ${sum.toString(16)}`;
}
