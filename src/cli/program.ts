/**
 * The command line `lenet`: what commands and options there are, and how a run of it ends. Each command's work is in a
 * file of its own, loaded only when it is called.
 */
import { Command, CommanderError } from "commander";
import { UserError } from "../errors.ts";
import { countOf, imageShapeOf, oneOf, positiveOf, seedOf } from "./arguments.ts";
import { describeError, EXIT_DONE } from "./exit-codes.ts";
import {
  type EvaluateOptions,
  OPTIMIZER_NAMES,
  type PredictOptions,
  type TrainOptions,
  type WebOptions,
} from "./options.ts";
import { version } from "./version.ts";

/** The commands' work; each resolves to the exit code. */
export interface Commands {
  train(options: TrainOptions): Promise<number>;
  evaluate(model: string, options: EvaluateOptions): Promise<number>;
  predict(model: string, images: string[], options: PredictOptions): Promise<number>;
  summary(model: string): Promise<number>;
  web(model: string | undefined, options: WebOptions): Promise<number>;
}

const DATA_HELP =
  "mnist, fashion-mnist, kmnist, cifar10, a folder of IDX files, a .npz file, or a folder with a folder of pictures a class";
const DEFAULT_SEED = 1;
const MOST_THREADS = 64;
/** All of a batch's activations are in memory at once: about 100 KB a sample for this network. */
const LARGEST_BATCH = 8192;
const LARGEST_PORT = 65_535;

const COMMANDS: Commands = {
  train: async (options) => (await import("./train.ts")).train(options),
  evaluate: async (model, options) => (await import("./evaluate.ts")).evaluate(model, options),
  predict: async (model, images, options) => (await import("./predict.ts")).predict(model, images, options),
  summary: async (model) => (await import("./summary.ts")).summary(model),
  web: async (model, options) => (await import("./web.ts")).web(model, options),
};

function addTrain(program: Command, run: (work: Promise<number>) => Promise<void>, commands: Commands): void {
  program
    .command("train")
    .description("train LeNet on MNIST or other images, save it and evaluate it")
    .option("--epochs <n>", "passes over the training set", countOf("--epochs"), 10)
    .option("--batch-size <n>", `samples a step, at most ${LARGEST_BATCH}`, countOf("--batch-size", LARGEST_BATCH), 128)
    .option("--learning-rate <x>", "default: the optimizer's own", positiveOf("--learning-rate"))
    .option(
      "--optimizer <name>",
      `${OPTIMIZER_NAMES.join(", ")} (default: adam)`,
      oneOf("--optimizer", OPTIMIZER_NAMES),
    )
    .option("--seed <n>", "of the initial weights and the shuffling", seedOf("--seed"), DEFAULT_SEED)
    .option("--threads <n>", `at most ${MOST_THREADS}; default: one a core, to 16`, countOf("--threads", MOST_THREADS))
    .option("--data <what>", DATA_HELP, "mnist")
    .option(
      "--input-shape <hxwxc>",
      "scale pictures of class folders to this (default: 32x32x3)",
      imageShapeOf("--input-shape"),
    )
    .option("--conv2-padding <mode>", "same or valid (default: same)", oneOf("--conv2-padding", ["same", "valid"]))
    .option("--model <file>", "start from a saved model, its optimizer's state included")
    .option("--profile", "show where the time of a step went, kernel by kernel")
    .option("--steps-per-epoch <n>", "end each epoch after so many steps", countOf("--steps-per-epoch"))
    .option("--no-shuffle", "take the samples in their order")
    .option("--out <file>", "where to save the model (.h5 or .keras)", "mnist_LeNet.h5")
    .option("--log <file>", "write a row of metrics an epoch, as CSV")
    .option("--report <file>", "write a page about the run: curves, mistakes, settings (.html)")
    .option("--checkpoint <dir>", "keep the run in this folder, to go on after whatever happens")
    .option("--every <steps>", "steps from checkpoint to checkpoint (default: an epoch)", countOf("--every"))
    .option("--resume", "go on from the last checkpoint; with none, begin")
    .option("--json", "write JSON lines to standard output, and nothing else")
    .action((options: TrainOptions) => run(commands.train(options)));
}

/** The whole program; `finish` receives the exit code of the command that ran. */
function createProgram(commands: Commands, finish: (exitCode: number) => void): Command {
  const run = async (work: Promise<number>) => finish(await work);
  const program = new Command("lenet")
    .description("Keras's LeNet-on-MNIST workflow, trained by WebAssembly compiled from the model.")
    .version(version(), "-V, --version", "print the version")
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ outputError: () => {} });
  addTrain(program, run, commands);
  program
    .command("evaluate")
    .description("loss and accuracy of a saved model on the test set")
    .argument("<model>", "a saved model (.h5 or .keras)")
    .option("--data <what>", DATA_HELP, "mnist")
    .option("--report <file>", "write a page about it: what it takes for what, the worst mistakes (.html)")
    .option("--json", "write one JSON object")
    .action((model: string, options: EvaluateOptions) => run(commands.evaluate(model, options)));
  program
    .command("predict")
    .description("the digit in each picture, and the probability of each digit")
    .argument("<model>", "a saved model (.h5 or .keras)")
    .argument("<image...>", "PNG or JPEG pictures of one digit each")
    .option("--show", "draw each digit as the network sees it, and bars of the probabilities")
    .option("--json", "write one JSON object an image")
    .action((model: string, images: string[], options: PredictOptions) =>
      run(commands.predict(model, images, options)),
    );
  program
    .command("summary")
    .description("the table of a saved model's layers")
    .argument("<model>", "a saved model (.h5 or .keras)")
    .action((model: string) => run(commands.summary(model)));
  program
    .command("web")
    .description("open a page on this machine: draw digits, look inside the network, train it")
    .argument("[model]", "a saved model that the page opens (.h5 or .keras)")
    .option("--port <n>", "default: 8000, or another where that is in use", countOf("--port", LARGEST_PORT))
    .action((model: string | undefined, options: WebOptions) => run(commands.web(model, options)));
  return program;
}

/** A message of commander's, which may have a suggestion on a second line, as one of ours. */
function usageError(error: CommanderError): UserError {
  const [problem = "", suggestion] = error.message.replace(/^error: /, "").split("\n");
  const hint = suggestion === undefined ? "" : ` ${suggestion.replace("(Did", "(did")}`;
  return new UserError(`${problem.replace(/\.$/, "")}${hint}; \`lenet --help\` lists what there is.`);
}

/**
 * Runs the command line with the given arguments (without `node` and the script).
 *
 * @returns the exit code; errors have been written to standard error, as one line.
 */
export async function runCommandLine(args: readonly string[], commands: Commands = COMMANDS): Promise<number> {
  let exitCode = EXIT_DONE;
  const program = createProgram(commands, (code) => {
    exitCode = code;
  });
  try {
    if (args.every((arg) => arg === "--")) {
      throw new UserError(
        "expected a command: train, evaluate, predict, summary or web; `lenet --help` explains them.",
      );
    }
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (caught) {
    if (caught instanceof CommanderError && caught.exitCode === EXIT_DONE) return EXIT_DONE;
    const error = caught instanceof CommanderError ? usageError(caught) : caught;
    const { line, exitCode: code } = describeError(error);
    process.stderr.write(`${line}\n`);
    if (process.env.LENET_DEBUG === "1") process.stderr.write(`${(error as Error).stack}\n`);
    return code;
  }
}
