/** Runs one op as WebAssembly and as its plain reference, on the same inputs. */
import fc from "fast-check";
import { expect } from "vitest";
import { emitModule } from "../../src/compiler/emit.ts";
import type { Program } from "../../src/compiler/network.ts";
import { planMemory } from "../../src/compiler/plan.ts";
import type { Rounds } from "../../src/compiler/schedule.ts";
import {
  type Buffer,
  elementsOf,
  type Node,
  type Op,
  type Shape,
  type Tensor,
  type Value,
} from "../../src/kernels/op.ts";
import { probeFeatures } from "../../src/runtime/host.ts";

const hostFeatures = probeFeatures();

/** An input of a kernel under test. */
export interface Input {
  readonly shape: Shape;
  readonly batched: boolean;
  readonly dtype?: Tensor["dtype"];
  readonly data: ArrayLike<number>;
}

export interface Case<Attributes> {
  readonly op: Op<Attributes>;
  readonly attributes: Attributes;
  readonly inputs: readonly Input[];
  readonly batch: number;
  readonly threads?: number;
  readonly relaxedSimd?: boolean;
  /** Run the last thread first: what a thread writes outside of its share then shows. */
  readonly reversed?: boolean;
}

const arrays = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array };

/** What the emitted kernel leaves in its outputs and in its inputs. The threads run one after another. */
export function runKernel<Attributes>({ op, attributes, inputs, batch, threads = 1, ...options }: Case<Attributes>) {
  const { relaxedSimd, reversed = false } = options;
  const tensors = inputs.map((input, i): Tensor => ({ dtype: "float32", ...input, name: `input_${i}` }));
  const outputs = op.infer(attributes, tensors).map((type, i): Tensor => ({ ...type, name: `output_${i}` }));
  const node: Node = { op: op as Op<unknown>, attributes, inputs: tensors, outputs };
  const plan = planMemory([[[node]]], [...tensors, ...outputs], batch, threads);
  const features = { ...hostFeatures, relaxedSimd: relaxedSimd ?? hostFeatures.relaxedSimd };
  const programs = new Map<Program, Rounds>([["forward", [[node]]]]);
  const module = new WebAssembly.Module(emitModule({ programs, plan, features, threads: 1 }) as BufferSource);
  const pages = Math.ceil(plan.bytes / 65_536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  // Whatever a kernel must not rely on is anything but zero.
  new Float32Array(memory.buffer).fill(Number.NaN);
  const { module: space, name } = WebAssembly.Module.imports(module)[0]!;
  const instance = new WebAssembly.Instance(module, { [space]: { [name]: memory } });
  const view = (tensor: Tensor): Buffer => {
    const length = elementsOf(tensor.shape) * (tensor.batched ? batch : 1);
    return new arrays[tensor.dtype](memory.buffer, plan.operands.get(tensor)!.address, length);
  };
  for (const [i, tensor] of tensors.entries()) view(tensor).set(inputs[i]!.data);
  const run = instance.exports.forward as (thread: number, threads: number, batch: number) => void;
  const order = Array.from({ length: threads }, (_, thread) => (reversed ? threads - 1 - thread : thread));
  for (const thread of order) run(thread, threads, batch);
  // Behind a thread's scratch memory begins that of the next.
  const behind = new Float32Array(memory.buffer, plan.scratch.address + threads * plan.scratch.bytes);
  expect(
    behind.findIndex((value) => !Number.isNaN(value)),
    "written behind the scratch memory",
  ).toBe(-1);
  const changes = op.changes?.(attributes, tensors) ?? [];
  for (const [i, tensor] of tensors.entries()) {
    if (!changes.includes(i))
      expect(view(tensor), `input ${i} was changed`).toEqual(arrays[tensor.dtype].from(inputs[i]!.data));
  }
  return {
    outputs: outputs.map((tensor) => view(tensor).slice()),
    inputs: tensors.map((tensor) => view(tensor).slice()),
  };
}

/** What the reference leaves in its outputs and inputs. */
export function runReference<Attributes>({ op, attributes, inputs, batch }: Case<Attributes>) {
  const value = (tensor: Omit<Tensor, "name">, data?: ArrayLike<number>): Value => {
    const length = elementsOf(tensor.shape) * (tensor.batched ? batch : 1);
    const buffer = new arrays[tensor.dtype](length);
    if (data) buffer.set(data);
    return { ...tensor, data: buffer };
  };
  const values = inputs.map((input) => value({ dtype: "float32", ...input }, input.data));
  const outputs = op.infer(attributes, values).map((type) => value(type));
  op.reference(attributes, values, outputs, batch);
  return { outputs: outputs.map(({ data }) => data), inputs: values.map(({ data }) => data) };
}

/** Expects |actual - expected| <= tolerance · (1 + |expected|), element by element. */
export function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    if (!(difference <= tolerance * (1 + Math.abs(expected[i]!)))) {
      expect.fail(`element ${i} of ${expected.length}: expected ${expected[i]}, got ${actual[i]}`);
    }
  }
}

/**
 * Holds a kernel to its reference, and to itself: with fused and with separate multiply-add it stays within
 * `tolerance`, and any number of threads gives the same bits.
 */
export function expectMatchesReference<Attributes>(test: Case<Attributes>, tolerance = 2e-5): void {
  const expected = runReference(test);
  const single = runKernel(test);
  const check = (actual: ReturnType<typeof runKernel>) => {
    for (const [i, output] of actual.outputs.entries()) expectClose(output, expected.outputs[i]!, tolerance);
    for (const [i, input] of actual.inputs.entries()) expectClose(input, expected.inputs[i]!, tolerance);
  };
  check(single);
  check(runKernel({ ...test, relaxedSimd: false }));
  for (const threads of [2, 3]) {
    expect(runKernel({ ...test, threads })).toEqual(single);
    expect(runKernel({ ...test, threads, reversed: true })).toEqual(single);
  }
}

/** Deterministic values between -1 and 1, a share of them exactly 0. */
export function randomData(length: number, seed: number, zeros = 0.2): Float32Array {
  let state = (seed * 2_654_435_761 + 12_345) >>> 0;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  return Float32Array.from({ length }, () => (next() < zeros ? 0 : next() * 2 - 1));
}

/** A random input of a shape; batched unless said otherwise. */
export function randomInput(shape: Shape, batch: number | null, seed: number, zeros?: number): Input {
  return {
    shape,
    batched: batch !== null,
    data: randomData(elementsOf(shape) * (batch ?? 1), seed, zeros),
  };
}

/** Small sizes that meet all the remainders of the kernels' blocks. */
export const sizes = (max: number) => fc.integer({ min: 1, max });

/** Shares of columns that are zero for all samples. */
export const deadShares = fc.constantFrom(0, 0.3, 0.9, 1);

/** Output gradients of which some columns are zero for all samples, as those of units that ReLU never lets through. */
export function gradients(outs: number, batch: number, seed: number, dead: number): Input {
  const isDead = randomInput([outs], null, seed, dead).data;
  const dy = randomInput([outs], batch, seed + 1, 0.3);
  return { ...dy, data: Float32Array.from(dy.data, (value, i) => (isDead[i % outs] === 0 ? 0 : value)) };
}
