/**
 * The compiler: a network becomes one WebAssembly module and a map of its memory. Each stage is a pure function: build
 * the graph, fuse, differentiate, append the update, plan memory, emit.
 */
import { UserError } from "../errors.ts";
import { decodeInput } from "../kernels/decode-input.ts";
import type { Node, Operand, Tensor } from "../kernels/op.ts";
import { sumSamples } from "../kernels/sum-samples.ts";
import type { HostFeatures } from "../wasm/emitter.ts";
import { differentiate } from "./differentiate.ts";
import { emitModule } from "./emit.ts";
import { findSparseInputs, fuse, fuseReluGradients, fuseUpdates } from "./fuse.ts";
import { Graph } from "./graph.ts";
import type { Network, Program, Training } from "./network.ts";
import { planMemory } from "./plan.ts";

/** Kernels count with signed 32-bit addresses. */
const LARGEST_MEMORY = 2 ** 31;

export interface CompileOptions {
  /** The largest batch that the programs take. */
  readonly batchSize: number;
  readonly threads: number;
  readonly features: HostFeatures;
}

export interface CompiledNetwork {
  /** The module's bytes. It imports its memory, which is shared where there are several threads. */
  readonly module: Uint8Array;
  readonly programs: readonly Program[];
  readonly memoryBytes: number;
  /** Where the tensors lie that the caller reads and writes. */
  readonly operands: ReadonlyMap<Tensor, Operand>;
}

/** @throws UserError for a network that needs more memory than there can be. */
export function compile(network: Network, { batchSize, threads, features }: CompileOptions): CompiledNetwork {
  const programs = buildPrograms(network);
  const persistent = persistentTensors(network);
  const plan = planMemory([...programs.values()], persistent, batchSize, threads);
  if (plan.bytes > LARGEST_MEMORY) {
    const gigabytes = (plan.bytes / 2 ** 30).toFixed(1);
    throw new UserError(
      `the model needs ${gigabytes} GiB of memory for batches of ${batchSize}, and 2 GiB is the most it can have; ` +
        "lower the batch size.",
    );
  }
  const module = emitModule({ programs, plan, features, threads });
  return { module, programs: [...programs.keys()], memoryBytes: plan.bytes, operands: plan.operands };
}

/** The ops of each program, fused and in order. */
export function buildPrograms(network: Network): Map<Program, readonly Node[]> {
  const programs = new Map<Program, readonly Node[]>([["forward", buildForward(network)]]);
  const { training } = network;
  if (training) {
    programs.set("evaluateStep", buildStep(network, training, false));
    programs.set("trainStep", buildStep(network, training, true));
  }
  return programs;
}

function persistentTensors({ input, inputBytes, inputDivisor, output, parameters, training }: Network): Tensor[] {
  const own = [input, inputBytes, inputDivisor, output, ...parameters];
  if (!training) return own;
  return [...own, training.targets, training.scalars, training.results, ...training.slots.flat()];
}

/** The beginning of every program: the input is there as floats. */
function graphOf({ input, inputBytes, inputDivisor }: Network): Graph {
  const graph = new Graph();
  graph.applyAll(decodeInput, {}, inputBytes, inputDivisor, input);
  return graph;
}

function buildForward(network: Network): readonly Node[] {
  const graph = graphOf(network);
  const result = network.forward(graph, network.input, false);
  const fused = findSparseInputs(fuse(graph.nodes, new Set([result])));
  return fused.map((node) => withOutput(node, result, network.output));
}

/** The node with its output `from` replaced by `to`. */
function withOutput(node: Node, from: Tensor, to: Tensor): Node {
  const rename = (tensor: Tensor) => (tensor === from ? to : tensor);
  return { ...node, inputs: node.inputs.map(rename), outputs: node.outputs.map(rename) };
}

function buildStep(network: Network, training: Training, update: boolean): readonly Node[] {
  const graph = graphOf(network);
  const output = network.forward(graph, network.input, update);
  const loss = training.loss(graph, output, training.targets);
  const metrics = training.metrics.map((metric) => metric(graph, output, training.targets));
  [loss.perSample, ...metrics].forEach((values, index) => {
    graph.apply(sumSamples, { index }, values, training.results);
  });
  const kept = new Set([output, loss.differentiated, loss.gradient]);
  graph.nodes.splice(0, graph.nodes.length, ...findSparseInputs(fuse(graph.nodes, kept)));
  if (update) appendUpdate(graph, network, training, loss);
  return fuseUpdates(fuseReluGradients(withoutUnused(graph.nodes)));
}

function appendUpdate(
  graph: Graph,
  { parameters }: Network,
  { optimizer, slots, scalars }: Training,
  loss: ReturnType<Training["loss"]>,
): void {
  const gradients = differentiate(graph, loss.differentiated, loss.gradient, parameters);
  parameters.forEach((parameter, index) => {
    optimizer.update(graph, parameter, gradients[index]!, slots[index]!, scalars);
  });
}

/** Leaves out ops of whose outputs nobody makes use; an op without outputs works in place and stays. */
function withoutUnused(nodes: readonly Node[]): Node[] {
  const used = new Set<Tensor>();
  const kept: Node[] = [];
  for (const node of [...nodes].reverse()) {
    if (node.outputs.length > 0 && !node.outputs.some((output) => used.has(output))) continue;
    for (const input of node.inputs) used.add(input);
    kept.push(node);
  }
  return kept.reverse();
}
