/** `lenet train`: the recipe. Loads, trains, saves, evaluates. */
import { existsSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { setFlagsFromString } from "node:v8";
import { UserError } from "../errors.ts";
import { type Callback, callbacks, type History, loadModel, optimizers, type Sequential } from "../index.ts";
import { checkCheckpoints, isKept, keepCheckpoints } from "./checkpoints.ts";
import { isClassFolder, loadData, type Samples, samplesFor } from "./data.ts";
import { EXIT_DONE } from "./exit-codes.ts";
import { checkModelName, checkReport, checkSideFile, dataUses, saveModel, type Use } from "./files.ts";
import { type Interrupt, watchInterrupt } from "./interrupt.ts";
import { judgeModel } from "./judge.ts";
import { buildLeNet, describeScore, type Score, scoreModel, scoreOf } from "./lenet.ts";
import type { TrainOptions } from "./options.ts";
import { formatProfile } from "./profile.ts";
import { type ReportedData, reportedData } from "./report/report.ts";
import { type Course, writeTrainingReport } from "./report/training.ts";
import { JsonReporter, LineReporter, type Reporter, TerminalReporter } from "./reporter.ts";
import { hasColour, isTerminal } from "./terminal.ts";

const write = (text: string) => void process.stdout.write(text);

/** Writes a line to standard error. In a terminal the progress line stands where it would begin. */
const warn = (line: string) => void process.stderr.write(`${process.stderr.isTTY ? "\n" : ""}${line}\n`);

/** What was trained is worth more than its log. */
const warnOfLog = ({ message }: Error) =>
  warn(`lenet: --log: ${message.replace(/\.$/, "")}; training goes on without a log.`);

/** What the command needs of files, beside its log and its report. */
function usesOf({ out, model, data }: TrainOptions): Use[] {
  const saved: Use[] = model !== undefined && existsSync(model) ? [[model, "the model that --model reads"]] : [];
  return [[out, "where --out saves the model"], ...saved, ...dataUses(data)];
}

function checkOptions(options: TrainOptions): void {
  checkModelName("--out", options.out);
  const { log, report } = options;
  const uses = usesOf(options);
  if (log !== undefined) checkSideFile("--log", log, "log", uses);
  if (report !== undefined) checkReport(report, log === undefined ? uses : [...uses, [log, "where --log writes"]]);
  if (options.model !== undefined && options.conv2Padding !== undefined) {
    throw new UserError("--conv2-padding: a saved model (--model) has its own; leave one of the two options out.");
  }
  checkInputShape(options);
  checkCheckpoints(options, warn);
  warnOfThreads(options);
}

function warnOfThreads({ threads = 1 }: TrainOptions): void {
  const processors = availableParallelism();
  if (threads <= processors) return;
  const share = `${threads} threads take turns on ${processors} processor(s)`;
  warn(`lenet: --threads: ${share}, which is slower than one each.`);
}

function checkInputShape({ inputShape, model, data }: TrainOptions): void {
  if (inputShape === undefined) return;
  if (model !== undefined) {
    throw new UserError("--input-shape: a saved model (--model) has its own; leave one of the two options out.");
  }
  if (!existsSync(data) || !statSync(data).isDirectory() || !isClassFolder(data)) {
    throw new UserError(
      `--input-shape: the images of --data ${data} have their own; it is for pictures in class folders.`,
    );
  }
}

function createReporter(options: TrainOptions, steps: number): Reporter {
  const plan = { epochs: options.epochs, steps };
  if (options.json) return new JsonReporter(write);
  if (!isTerminal()) return new LineReporter(plan, write);
  const terminal = {
    write,
    colour: hasColour(),
    get columns() {
      return process.stdout.columns;
    },
  };
  return new TerminalReporter(plan, terminal);
}

const { adam, adamW, sgd, rmsprop, adadelta } = optimizers;
const OPTIMIZERS = { adam, adamw: adamW, sgd, rmsprop, adadelta };

function createOptimizer({ optimizer = "adam", learningRate }: TrainOptions) {
  return OPTIMIZERS[optimizer](learningRate === undefined ? {} : { learningRate });
}

interface Run {
  readonly model: Sequential;
  /** Taken away when it has been trained on. */
  train: Samples | undefined;
  readonly test: Samples;
  /** That of the weights as they are, once an epoch's validation has found it. */
  score?: Score | undefined;
  /** What a report needs, where one is asked for. */
  readonly reported: ReportedData | undefined;
}

/**
 * The data, and the recipe's model for them or a saved one, compiled. Options that were given win over what the saved
 * model says.
 */
async function prepareRun(options: TrainOptions): Promise<Run> {
  const { conv2Padding = "same", seed, inputShape } = options;
  const saved = options.model === undefined ? undefined : await loadModel(options.model);
  const data = await loadData(options.data, saved?.inputShape ?? inputShape);
  const model = saved ?? buildLeNet({ shape: data.shape, classes: data.classes, conv2Padding, seed });
  if (model.optimizer === undefined || options.optimizer !== undefined) {
    const loss = model.compiled?.loss ?? "categorical_crossentropy";
    model.compile({ loss, optimizer: createOptimizer(options), metrics: ["accuracy"] });
  } else if (options.learningRate !== undefined) {
    model.optimizer.learningRate = options.learningRate;
  }
  const reported = options.report === undefined ? undefined : reportedData(options.data, data);
  return { model, train: samplesFor(model, data, "train"), test: samplesFor(model, data, "test"), reported };
}

/** Tells how training goes, and keeps the score of an epoch that has ended here. */
function tell(reporter: Reporter, run: Run, { learningRate }: TrainOptions): Callback {
  return {
    onTrainResume: (_, { epoch, begun }) => {
      const own = run.model.optimizer!.learningRate;
      if (learningRate !== undefined && Math.fround(learningRate) !== Math.fround(own)) {
        warn(`lenet: --learning-rate: the run goes on with its own of ${own}; ${learningRate} is not used.`);
      }
      if (begun) reporter.epochBegin(epoch + 1);
    },
    onEpochBegin: (epoch) => {
      run.score = undefined;
      reporter.epochBegin(epoch + 1);
    },
    onBatchEnd: (batch, logs) => reporter.batchEnd(batch + 1, logs),
    onEpochEnd: (_, logs) => {
      run.score = scoreOf(logs);
      reporter.epochEnd(logs);
    },
  };
}

/** Writes the log, or leaves one that a run had before. */
function keepLog({ log }: TrainOptions): Callback {
  if (log === undefined) return { getState: () => null };
  return callbacks.csvLogger({ filename: log, onError: warnOfLog });
}

/** Trains until the end or a signal, which ends it after the step that runs. */
async function fitModel(run: Run, options: TrainOptions, interrupt: Interrupt): Promise<History | undefined> {
  const { model, test } = run;
  const train = run.train!;
  const { epochs, batchSize, stepsPerEpoch, threads, seed, shuffle, profile = false } = options;
  const whole = Math.ceil(train.x.length / batchSize);
  const reporter = createReporter(options, Math.min(stepsPerEpoch ?? whole, whole));
  try {
    return await model.fit(train.x, train.y, {
      batchSize,
      epochs,
      shuffle,
      seed,
      profile,
      ...(stepsPerEpoch !== undefined && { stepsPerEpoch }),
      ...(threads !== undefined && { threads }),
      validationData: [test.x, test.y],
      signal: interrupt.signal,
      callbacks: [tell(reporter, run, options), keepLog(options), keepCheckpoints(options, warn)],
    });
  } catch (error) {
    if (!interrupt.signal.aborted || error !== interrupt.signal.reason) throw error;
    return undefined;
  } finally {
    reporter.close();
  }
}

/**
 * Runs the recipe with the given options; returns the exit code.
 *
 * @throws UserError for what cannot be read, written or trained, before training starts where it can be known
 */
export async function train(options: TrainOptions): Promise<number> {
  checkOptions(options);
  // The engine's code runs thousands of times: V8 need not compile it twice, first without optimizing.
  setFlagsFromString("--no-liftoff");
  const run = await prepareRun(options);
  const { model } = run;
  const interrupt = watchInterrupt((name) => {
    const again = name === "SIGINT" ? "Ctrl-C again ends" : "another SIGTERM ends";
    warn(`lenet: interrupted; finishing the step and saving (${again} after the step, without saving).`);
  });
  let saved = options.out;
  let history: History | undefined;
  let seconds = 0;
  try {
    const started = performance.now();
    history = await fitModel(run, options, interrupt);
    seconds = (performance.now() - started) / 1000;
    const profile = history?.profile;
    if (profile) write(options.json ? `${JSON.stringify({ profile })}\n` : `\n${formatProfile(profile)}\n`);
    // The training set is most of what is in memory; saving needs room too.
    run.train = undefined;
    // The checkpoint is the whole run; a finished model from before stays as it is.
    if (interrupt.exitCode !== undefined && isKept(options, model.optimizer!.iterations)) saved = options.checkpoint!;
    else await saveModel(model, options.out);
  } finally {
    interrupt.release();
  }
  if (interrupt.exitCode !== undefined) {
    const hint = saved === options.checkpoint ? "; --resume goes on from there" : "";
    write(options.json ? `${JSON.stringify({ saved })}\n` : `Saved to ${saved}${hint}\n`);
    if (options.report !== undefined) warn("lenet: --report: the run was broken off; there is no report.");
    return interrupt.exitCode;
  }
  await finish(run, options, { history: history!, seconds });
  return EXIT_DONE;
}

/** Tests what was trained and says how it did; writes the report. */
async function finish(
  { model, test, score: known, reported }: Run,
  options: TrainOptions,
  course: Course,
): Promise<void> {
  const { batchSize, threads, out, json, report } = options;
  const running = { batchSize, ...(threads !== undefined && { threads }) };
  const score = known ?? (await scoreModel(model, test, running));
  const judgement = reported && (await judgeModel(model, test, { ...running, score }));
  write(json ? `${JSON.stringify({ ...score, saved: out })}\n` : `${describeScore(score)}Saved to ${out}\n`);
  if (!judgement || report === undefined) return;
  await writeTrainingReport(report, { model, test, data: reported, judgement, options, course });
  if (!json) write(`Report in ${report}\n`);
}
