/** `lenet train`: the recipe. Loads, trains, saves, evaluates. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { UserError } from "../errors.ts";
import { type Callback, callbacks, loadModel, optimizers, type Profile, type Sequential } from "../index.ts";
import { checkCheckpoints, isKept, keepCheckpoints } from "./checkpoints.ts";
import { isClassFolder, loadData, type Samples, samplesFor } from "./data.ts";
import { EXIT_DONE } from "./exit-codes.ts";
import { checkModelName, checkWritable, isSameFile, saveModel } from "./files.ts";
import { type Interrupt, watchInterrupt } from "./interrupt.ts";
import { buildLeNet, describeScore, scoreModel } from "./lenet.ts";
import type { TrainOptions } from "./options.ts";
import { formatProfile } from "./profile.ts";
import { JsonReporter, LineReporter, type Reporter, TerminalReporter } from "./reporter.ts";

const write = (text: string) => void process.stdout.write(text);

/** Writes a line to standard error. In a terminal the progress line stands where it would begin. */
const warn = (line: string) => void process.stderr.write(`${process.stderr.isTTY ? "\n" : ""}${line}\n`);

/** What was trained is worth more than its log. */
const warnOfLog = ({ message }: Error) =>
  warn(`lenet: --log: ${message.replace(/\.$/, "")}; training goes on without a log.`);

/** The log is written over what has its name, so this must not be anything else that the command needs. */
function checkLog(log: string, { out, model, data }: TrainOptions): void {
  checkWritable("--log", log);
  const refuse = (use: string) => {
    throw new UserError(`--log: ${log} is also ${use}; give the log another name.`);
  };
  if (isSameFile(log, out)) refuse("where --out saves the model");
  if (model !== undefined && existsSync(model) && isSameFile(log, model)) refuse("the model that --model reads");
  if (!existsSync(data)) return;
  if (isSameFile(log, data)) refuse("the file that --data reads");
  if (!statSync(data).isDirectory()) return;
  const file = readdirSync(data).find((name) => name.includes("-idx") && isSameFile(log, join(data, name)));
  if (file !== undefined) refuse(`the file ${file} that --data reads`);
}

function checkOptions(options: TrainOptions): void {
  checkModelName("--out", options.out);
  if (options.log !== undefined) checkLog(options.log, options);
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
  const { stdout, env } = process;
  if (!stdout.isTTY || env.TERM === "dumb") return new LineReporter(plan, write);
  const colour = env.NO_COLOR === undefined || env.NO_COLOR === "";
  const terminal = {
    write,
    colour,
    get columns() {
      return stdout.columns;
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
  return { model, train: samplesFor(model, data, "train"), test: samplesFor(model, data, "test") };
}

function report(reporter: Reporter): Callback {
  return {
    onTrainResume: (_, { epoch, begun }) => {
      if (begun) reporter.epochBegin(epoch + 1);
    },
    onEpochBegin: (epoch) => reporter.epochBegin(epoch + 1),
    onBatchEnd: (batch, logs) => reporter.batchEnd(batch + 1, logs),
    onEpochEnd: (_, logs) => reporter.epochEnd(logs),
  };
}

/** Writes the log, or leaves one that a run had before. */
function keepLog({ log }: TrainOptions): Callback {
  if (log === undefined) return { getState: () => null };
  return callbacks.csvLogger({ filename: log, onError: warnOfLog });
}

/** Trains until the end or a signal, which ends it after the step that runs. */
async function fitModel(run: Run, options: TrainOptions, interrupt: Interrupt): Promise<Profile | undefined> {
  const { model, test } = run;
  const train = run.train!;
  const { epochs, batchSize, stepsPerEpoch, threads, seed, shuffle, profile = false } = options;
  const whole = Math.ceil(train.x.length / batchSize);
  const reporter = createReporter(options, Math.min(stepsPerEpoch ?? whole, whole));
  try {
    const history = await model.fit(train.x, train.y, {
      batchSize,
      epochs,
      shuffle,
      seed,
      profile,
      ...(stepsPerEpoch !== undefined && { stepsPerEpoch }),
      ...(threads !== undefined && { threads }),
      validationData: [test.x, test.y],
      signal: interrupt.signal,
      callbacks: [report(reporter), keepLog(options), keepCheckpoints(options, warn)],
    });
    return history.profile;
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
  const run = await prepareRun(options);
  const { model, test } = run;
  const interrupt = watchInterrupt((name) => {
    const again = name === "SIGINT" ? "Ctrl-C again ends" : "another SIGTERM ends";
    warn(`lenet: interrupted; finishing the step and saving (${again} after the step, without saving).`);
  });
  let saved = options.out;
  try {
    const profile = await fitModel(run, options, interrupt);
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
    return interrupt.exitCode;
  }
  const { batchSize, threads } = options;
  const score = await scoreModel(model, test, { batchSize, ...(threads !== undefined && { threads }) });
  const end = { ...score, saved: options.out };
  write(options.json ? `${JSON.stringify(end)}\n` : `${describeScore(score)}Saved to ${options.out}\n`);
  return EXIT_DONE;
}
