/**
 * Writes one model again and again. HDF5 lays the same tensors out in the same way each time, so that the library writes
 * the file once, with marks in the places of what changes, and from then on the places are filled in: a tenth of the time.
 */
import { writeKerasH5 } from "./keras-h5.ts";
import type { NamedTensor, SavedModel } from "./saved-model.ts";

/** The text takes multiples of this, so that it may grow a little. JSON may end in spaces. */
const TEXT_BYTES = 4096;

/** Marks are words of 32 bits that are repeated over the whole place; as floats they are numbers like others. */
const FIRST_MARK = 0x4b1d_2000;

/** The number of steps has two words, and as much as one mark twice is a safe integer. */
const STEPS_MARK = 0x0012_3457;
const TEXT_MARK = "~ck~";

/** Where something lies in the file, in bytes. */
interface Place {
  readonly start: number;
  readonly bytes: number;
}

interface Template {
  readonly key: string;
  readonly file: Uint8Array;
  readonly steps: Place;
  readonly text: Place;
  readonly tensors: readonly Place[];
}

type Repeated = SavedModel & Required<Pick<SavedModel, "optimizer" | "checkpoint">>;

const tensorsOf = ({ layers, optimizer, checkpoint }: Repeated): NamedTensor[] => [
  ...layers.flatMap(({ weights }) => weights),
  ...optimizer.weights,
  ...checkpoint.tensors,
];

export class CheckpointWriter {
  #template: Template | undefined;
  #textBytes = 0;

  /** The bytes of `writeKerasH5`. They are overwritten by the next call. */
  async write(model: Repeated): Promise<Uint8Array> {
    const text = new TextEncoder().encode(model.checkpoint.text);
    if (text.length > this.#textBytes) this.#textBytes = Math.ceil((2 * text.length) / TEXT_BYTES) * TEXT_BYTES;
    const key = keyOf(model, this.#textBytes);
    if (this.#template?.key !== key) this.#template = await makeTemplate(model, key, this.#textBytes);
    const template = this.#template;
    if (!template) return writeKerasH5(model);
    const { file, steps } = template;
    tensorsOf(model).forEach(({ data }, i) => {
      const { start, bytes } = template.tensors[i]!;
      file.set(new Uint8Array(data.buffer, data.byteOffset, bytes), start);
    });
    const { start, bytes } = template.text;
    file.fill(0x20, start, start + bytes).set(text, start);
    new DataView(file.buffer, file.byteOffset).setBigInt64(steps.start, BigInt(model.optimizer.iterations), true);
    return file;
  }
}

/** All that decides where things lie. */
function keyOf(model: Repeated, textBytes: number): string {
  const { modelConfig, trainingConfig, kerasVersion, layers, optimizer } = model;
  const shapes = tensorsOf(model).map(({ name, shape }) => [name, shape]);
  const names = [layers.map(({ name }) => name), optimizer.name];
  return JSON.stringify([modelConfig, trainingConfig, kerasVersion, names, shapes, textBytes]);
}

/** Undefined where a place cannot be told. */
async function makeTemplate(model: Repeated, key: string, textBytes: number): Promise<Template | undefined> {
  let mark = FIRST_MARK;
  const marked = (tensors: readonly NamedTensor[]) =>
    tensors.map((tensor) => ({
      ...tensor,
      data: new Float32Array(new Int32Array(tensor.data.length).fill(mark++).buffer),
    }));
  const { optimizer, checkpoint, layers } = model;
  const file = await writeKerasH5({
    ...model,
    layers: layers.map((layer) => ({ ...layer, weights: marked(layer.weights) })),
    optimizer: {
      ...optimizer,
      iterations: STEPS_MARK * 2 ** 32 + STEPS_MARK,
      weights: marked(optimizer.weights),
    },
    checkpoint: { text: TEXT_MARK.repeat(textBytes / TEXT_MARK.length), tensors: marked(checkpoint.tensors) },
  });
  const textMark = new DataView(new TextEncoder().encode(TEXT_MARK).buffer).getInt32(0, true);
  const lengths = new Map([
    [STEPS_MARK, 2],
    [textMark, textBytes / 4],
    ...tensorsOf(model).map(({ data }, i) => [FIRST_MARK + i, data.length] as const),
  ]);
  const places = findPlaces(file, lengths);
  if (!places) return undefined;
  const tensors = tensorsOf(model).map((_, i) => places.get(FIRST_MARK + i)!);
  return { key, file, steps: places.get(STEPS_MARK)!, text: places.get(textMark)!, tensors };
}

/** Finds the one place of each mark, which is so many words long. */
function findPlaces(file: Uint8Array, lengths: ReadonlyMap<number, number>): Map<number, Place> | undefined {
  const words = new Int32Array(file.slice(0, file.length - (file.length % 4)).buffer);
  const places = new Map<number, Place>();
  for (let at = 0; at < words.length; at++) {
    const mark = words[at]!;
    const length = lengths.get(mark);
    if (length === undefined) continue;
    const start = at;
    while (at + 1 < start + length && words[at + 1] === mark) at++;
    if (places.has(mark) || at + 1 !== start + length) return undefined;
    places.set(mark, { start: 4 * start, bytes: 4 * length });
  }
  return places.size === lengths.size ? places : undefined;
}
