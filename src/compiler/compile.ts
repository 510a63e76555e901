/**
 * The compiler: a network becomes one WebAssembly module and a map of its memory. Each stage is a pure function: build
 * the graph, fuse, differentiate, append the update, plan memory, emit.
 */
import { UserError } from "../errors.ts";
import { decodeInput } from "../kernels/decode-input.ts";
import type { Node, Op, Operand, Shape, Tensor } from "../kernels/op.ts";
import { isUpdate } from "../kernels/parameter-update.ts";
import { scaleSamples } from "../kernels/scale-samples.ts";
import { sumSamples } from "../kernels/sum-samples.ts";
import { addPenalty, addPenaltyGradient, penaltySums } from "../kernels/weight-penalty.ts";
import { COUNTERS, type HostFeatures, type Scratch } from "../wasm/emitter.ts";
import { differentiate } from "./differentiate.ts";
import { emitModule, kernelsOf, memoryBytesOf } from "./emit.ts";
import {
  filterConvolutions,
  findSparseInputs,
  fuse,
  fuseReluGradients,
  fuseUpdates,
  leaveOutWinners,
  pairDenseGradients,
} from "./fuse.ts";
import { Graph } from "./graph.ts";
import type { LoweredLoss, Network, Program, Training } from "./network.ts";
import { planMemory } from "./plan.ts";
import { type Rounds, schedule } from "./schedule.ts";

/** Kernels count with signed 32-bit addresses. */
const LARGEST_MEMORY = 2 ** 31;

export interface CompileOptions {
  /** The largest batch that the programs take. */
  readonly batchSize: number;
  readonly threads: number;
  readonly features: HostFeatures;
  /** Count times and zeros, kernel by kernel. */
  readonly profile?: boolean;
}

export interface CompiledNetwork {
  /** The module's bytes. It imports its memory, which is shared where there are several threads. */
  readonly module: Uint8Array;
  readonly programs: readonly Program[];
  readonly memoryBytes: number;
  /** Where the tensors lie that the caller reads and writes. */
  readonly operands: ReadonlyMap<Tensor, Operand>;
  /** Weights that the program `prepare` reads: it must run between a change of one of them and a program that needs it. */
  readonly preparedWeights: ReadonlySet<Tensor>;
  /** Where each thread's counters are, and what the kernels are; with `profile` only. */
  readonly counters?: Scratch;
  readonly kernels?: readonly KernelInfo[];
}

/** A kernel of a program, in the order of their counters. */
export interface KernelInfo {
  readonly program: Program;
  readonly name: string;
  readonly phase: "forward" | "loss" | "backward" | "update";
  readonly inputs: readonly Shape[];
  readonly outputs: readonly Shape[];
  /** Multiply-adds a sample when nothing is left out; undefined where they are not what the kernel does. */
  readonly operations: number | undefined;
}

/** What is said where a network does not fit, and why. */
export function notEnoughMemory(bytes: number, batchSize: number, reason: string): UserError {
  return new UserError(
    `the model needs ${formatBytes(bytes)} of memory for batches of ${batchSize}, and ${reason}; lower the batch size.`,
  );
}

/** Bytes in the largest unit of which there is one. */
export function formatBytes(bytes: number): string {
  const unit = ["KiB", "MiB", "GiB"].findLastIndex((_, i) => bytes >= 1024 ** (i + 1));
  if (unit < 0) return `${bytes} bytes`;
  return `${(bytes / 1024 ** (unit + 1)).toFixed(unit === 2 ? 1 : 0)} ${["KiB", "MiB", "GiB"][unit]}`;
}

/** @throws UserError for a network that needs more memory than there can be. */
export function compile(network: Network, options: CompileOptions): CompiledNetwork {
  const { batchSize, threads, features, profile = false } = options;
  const programs = buildPrograms(network);
  const prepared = programs.get("prepare") ?? [];
  const persistent = [...persistentTensors(network), ...prepared.flatMap(({ outputs }) => outputs)];
  const rounds = new Map([...programs].map(([program, nodes]) => [program, schedule(nodes, persistent)]));
  const plan = planMemory([...rounds.values()], persistent, batchSize, threads);
  const nodes = [...programs].map(([program, nodes]) => [program, kernelsOf(nodes, plan)] as const);
  const kernels = nodes.flatMap(([program, nodes]) => describeKernels(program, nodes, network));
  const numbers = new Map(nodes.flatMap(([, nodes]) => nodes).map((node, number) => [node, number]));
  const counters = profile ? { address: plan.bytes, bytes: kernels.length * COUNTERS.bytes, numbers } : undefined;
  const memoryBytes = memoryBytesOf({ plan, threads, counters });
  if (memoryBytes > LARGEST_MEMORY) {
    throw notEnoughMemory(memoryBytes, batchSize, "2 GiB is the most it can have");
  }
  const module = emitModule({ programs: rounds, plan, features, threads, counters });
  const preparedWeights = new Set(prepared.flatMap(({ inputs }) => inputs));
  const compiled = { module, programs: [...programs.keys()], memoryBytes, operands: plan.operands, preparedWeights };
  return counters ? { ...compiled, counters, kernels } : compiled;
}

/** A module of one kernel without inputs, as the program `forward`. */
export function compileKernel<Attributes>(
  op: Op<Attributes>,
  attributes: Attributes,
  { batchSize, threads, features }: CompileOptions,
): CompiledNetwork {
  const graph = new Graph();
  graph.applyAll(op, attributes);
  const programs = new Map<Program, Rounds>([["forward", [graph.nodes]]]);
  const plan = planMemory([...programs.values()], [], batchSize, threads);
  const module = emitModule({ programs, plan, features, threads });
  const { bytes: memoryBytes, operands } = plan;
  return { module, programs: ["forward"], memoryBytes, operands, preparedWeights: new Set() };
}

function describeKernels(program: Program, nodes: readonly Node[], { training }: Network): KernelInfo[] {
  let phase: KernelInfo["phase"] = "forward";
  return nodes.map(({ op, attributes, inputs, outputs }) => {
    if (training && inputs.includes(training.targets)) phase = "loss";
    else if (phase === "loss" && !inputs.includes(training!.results)) phase = "backward";
    return {
      program,
      name: op.name,
      phase: isUpdate(op) ? "update" : phase,
      inputs: inputs.map(({ shape }) => shape),
      outputs: outputs.map(({ shape }) => shape),
      operations: op.operations?.(attributes, inputs, outputs),
    };
  });
}

/** The ops of each program, fused and in order. */
export function buildPrograms(network: Network): Map<Program, readonly Node[]> {
  // Programs that change no weights share the kernels' transforms; the one that does makes them each time.
  const prepared = new Map<Tensor, Node>();
  const forward = filterConvolutions(buildForward(network), prepared);
  const programs = new Map<Program, readonly Node[]>([["forward", forward]]);
  const { training } = network;
  if (training) {
    const evaluation = buildStep(network, training, false);
    programs.set("evaluateStep", filterConvolutions(evaluation, prepared));
    programs.set("trainStep", filterConvolutions(buildStep(network, training, true)));
  }
  if (prepared.size > 0) programs.set("prepare", [...prepared.values()]);
  return programs;
}

function persistentTensors({
  input,
  inputBytes,
  inputDivisor,
  output,
  parameters,
  untrained = [],
  training,
}: Network): Tensor[] {
  const own = [input, inputBytes, inputDivisor, output, ...parameters, ...untrained];
  if (!training) return own;
  const { targets, weights, scalars, step, results, slots } = training;
  return [...own, targets, ...(weights ? [weights] : []), scalars, step, results, ...slots.flat()];
}

/** The beginning of every program: the input is there as floats. */
function graphOf({ input, inputBytes, inputDivisor }: Network): Graph {
  const graph = new Graph();
  graph.applyAll(decodeInput, {}, inputBytes, inputDivisor, input);
  return graph;
}

function buildForward(network: Network): readonly Node[] {
  const graph = graphOf(network);
  const result = network.forward(graph, network.input);
  const used = withoutUnused(graph.nodes, [result]);
  const fused = leaveOutWinners(findSparseInputs(fuse(used, new Set([result]))));
  return fused.map((node) => withOutput(node, result, network.output));
}

/** The node with its output `from` replaced by `to`. */
function withOutput(node: Node, from: Tensor, to: Tensor): Node {
  const rename = (tensor: Tensor) => (tensor === from ? to : tensor);
  return { ...node, inputs: node.inputs.map(rename), outputs: node.outputs.map(rename) };
}

function buildStep(network: Network, training: Training, update: boolean): readonly Node[] {
  const graph = graphOf(network);
  const output = network.forward(graph, network.input, update ? training.step : undefined);
  const penalties = [...(network.penalties ?? [])].map(([weight, own]) => graph.apply(penaltySums, own, weight));
  const loss = weighted(graph, training, training.loss(graph, output, training.targets));
  const metrics = training.metrics.map((metric) => metric(graph, output, training.targets));
  [loss.perSample, ...metrics].forEach((values, index) => {
    graph.apply(sumSamples, { index }, values, training.results);
  });
  for (const sums of penalties) graph.applyAll(addPenalty, {}, sums, training.results);
  const kept = new Set([output, loss.differentiated, loss.gradient]);
  graph.nodes.splice(0, graph.nodes.length, ...findSparseInputs(fuse(graph.nodes, kept)));
  if (update) appendUpdate(graph, network, training, loss);
  return pairDenseGradients(fuseUpdates(fuseReluGradients(leaveOutWinners(withoutUnused(graph.nodes)))));
}

/** The loss and its gradient with the samples' weights in them, where there are some. */
function weighted(graph: Graph, { weights }: Training, loss: LoweredLoss): LoweredLoss {
  if (!weights) return loss;
  const scale = (tensor: Tensor) => graph.apply(scaleSamples, {}, tensor, weights);
  return { ...loss, perSample: scale(loss.perSample), gradient: scale(loss.gradient) };
}

function appendUpdate(
  graph: Graph,
  { parameters, penalties }: Network,
  { optimizer, slots, scalars }: Training,
  loss: LoweredLoss,
): void {
  if (parameters.length === 0) return;
  const plain = differentiate(graph, loss.differentiated, loss.gradient, parameters);
  const gradients = plain.map((gradient, index) => {
    const penalty = penalties?.get(parameters[index]!);
    return penalty ? graph.apply(addPenaltyGradient, penalty, gradient, parameters[index]!) : gradient;
  });
  const factors = optimizer.factors?.(graph, gradients);
  parameters.forEach((parameter, index) => {
    const factor = factors && { factors, index };
    optimizer.update(graph, { parameter, gradient: gradients[index]!, slots: slots[index]!, scalars, factor });
  });
}

/** Leaves out ops of whose outputs nobody makes use but for `results`; an op without outputs works in place and stays. */
function withoutUnused(nodes: readonly Node[], results: readonly Tensor[] = []): Node[] {
  const used = new Set<Tensor>(results);
  const kept: Node[] = [];
  for (const node of [...nodes].reverse()) {
    if (node.outputs.length > 0 && !node.outputs.some((output) => used.has(output))) continue;
    for (const input of node.inputs) used.add(input);
    kept.push(node);
  }
  return kept.reverse();
}
