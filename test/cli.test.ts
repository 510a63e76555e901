/** The command line as a process: what it prints, writes and returns. */
import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { datasets, layers, losses, NDArray, Sequential } from "../src/index.ts";
import { expectMistake, type Outcome, runLenet, startLenet, writeSmallMnist } from "./helpers/command.ts";
import { inkOf, jpegOf, mnistDigit, mnistLabel, paint, pngOf } from "./helpers/pictures.ts";

let folder: string;
let trained: Outcome;

const at = (...names: string[]) => join(folder, ...names);
const lenet = (line: string) => runLenet(line.split(" "), folder);
const TRAIN = "train --data small --epochs 2 --batch-size 32 --threads 2";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lenet-cli-"));
  mkdirSync(at("small"));
  writeSmallMnist(at("small"), 640, 200);
  trained = await lenet(`${TRAIN} --out trained.h5 --log log.csv --json`);
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("train", () => {
  test("--json: an object an epoch, then the end; nothing else", () => {
    expect(trained).toMatchObject({ exitCode: 0, stderr: "" });
    const lines = trained.stdout.trimEnd().split("\n");
    const [first, second, end] = lines.map((line) => JSON.parse(line));
    expect(lines).toHaveLength(3);
    const keys = ["accuracy", "epoch", "loss", "ms_per_step", "seconds", "val_accuracy", "val_loss"];
    expect(Object.keys(first).sort()).toEqual(keys);
    expect([first.epoch, second.epoch]).toEqual([1, 2]);
    expect(second.loss).toBeLessThan(first.loss);
    expect(first.ms_per_step).toBeGreaterThan(0);
    expect(first.seconds).toBeGreaterThan(0);
    expect(end).toEqual({ test_loss: expect.any(Number), test_accuracy: expect.any(Number), saved: "trained.h5" });
    expect(end.test_loss).toBeCloseTo(second.val_loss, 5);
    expect(end.test_accuracy).toBeGreaterThan(0.5);
  });

  test("--log: the columns of Keras's CSVLogger, epochs from 0", () => {
    const [header, ...rows] = readFileSync(at("log.csv"), "utf8").trimEnd().split("\n");
    expect(header).toBe("epoch,accuracy,loss,val_accuracy,val_loss");
    expect(rows.map((row) => row.split(",")[0])).toEqual(["0", "1"]);
    const last = JSON.parse(trained.stdout.split("\n")[1] as string);
    expect(Number(rows[1]?.split(",")[2])).toBe(last.loss);
  });

  test("without a terminal: one line an epoch and the script's last lines; default name of the file", async () => {
    const outcome = await lenet(`${TRAIN} --steps-per-epoch 4`);
    expect(outcome).toMatchObject({ exitCode: 0, stderr: "" });
    const epoch = "- \\d+s - \\d+\\S+/step - accuracy: \\S+ - loss: \\S+ - val_accuracy: \\S+ - val_loss: \\S+\n";
    const end = "Test loss: \\d\\.\\d+\nTest accuracy: \\d\\.?\\d*\nSaved to mnist_LeNet.h5\n";
    expect(outcome.stdout).toMatch(new RegExp(`^Epoch 1/2 ${epoch}Epoch 2/2 ${epoch}${end}$`));
    expect(existsSync(at("mnist_LeNet.h5"))).toBe(true);
  });

  test("the same seed gives the same numbers, whatever the number of threads; another seed others", async () => {
    const losses = async (options: string) => {
      const { stdout } = await lenet(`${TRAIN} --out again.h5 --json ${options}`);
      return stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).val_loss ?? JSON.parse(line).test_loss);
    };
    const expected = trained.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).val_loss ?? JSON.parse(line).test_loss);
    expect(await losses("--threads 1")).toEqual(expected);
    expect(await losses("--seed 2")).not.toEqual(expected);
  });

  test("the bundled MNIST, the other optimizer, padding and order", async () => {
    const options = "--conv2-padding valid --optimizer sgd --learning-rate 0.05 --no-shuffle";
    const outcome = await lenet(`train --epochs 1 --steps-per-epoch 3 --out valid.h5 ${options}`);
    expect(outcome).toMatchObject({ exitCode: 0, stderr: "" });
    expect((await lenet("summary valid.h5")).stdout).toContain("656,080");
  });

  test("--model goes on from a saved model", async () => {
    const before = JSON.parse(trained.stdout.split("\n")[1] as string);
    const outcome = await lenet(
      "train --data small --epochs 1 --batch-size 32 --model trained.h5 --out more.h5 --json",
    );
    expect(outcome).toMatchObject({ exitCode: 0, stderr: "" });
    expect(JSON.parse(outcome.stdout.split("\n")[0] as string).loss).toBeLessThan(before.loss);
  });

  test("Ctrl-C: finishes the step, saves, 130", async () => {
    const run = startLenet([...TRAIN.split(" "), "--epochs", "1000", "--out", "broken-off.h5"], folder);
    await run.until("stdout", "Epoch 1/");
    run.child.kill("SIGINT");
    const outcome = await run.done;
    expect(outcome.exitCode).toBe(130);
    expect(outcome.stderr).toMatch(/^lenet: interrupted[^\n]*\n$/);
    expect(outcome.stdout).toContain("Saved to broken-off.h5");
    expect((await lenet("summary broken-off.h5")).exitCode).toBe(0);
  });

  test("a second Ctrl-C ends at once", async () => {
    const run = startLenet([...TRAIN.split(" "), "--epochs", "1000", "--out", "never.h5"], folder);
    await run.until("stdout", "Epoch 1/");
    run.child.kill("SIGINT");
    await run.until("stderr", "interrupted");
    run.child.kill("SIGINT");
    expect((await run.done).exitCode).toBe(130);
  });

  test("a reader that goes away costs nothing: it trains on, silently, and saves", async () => {
    const run = startLenet([...TRAIN.split(" "), "--epochs", "4", "--out", "piped.h5", "--json"], folder);
    await run.until("stdout", '"epoch":1');
    run.child.stdout?.destroy();
    expect(await run.done).toMatchObject({ exitCode: 0, stderr: "" });
    const whole = await lenet(`${TRAIN} --epochs 4 --out whole.h5 --json`);
    const { test_loss } = JSON.parse((await lenet("evaluate piped.h5 --data small --json")).stdout);
    expect(test_loss).toBeCloseTo(JSON.parse(whole.stdout.trimEnd().split("\n")[4] as string).test_loss, 5);
  });

  test.runIf(existsSync("/dev/full"))(
    "a full disk behind output or log is said in one line, and it saves",
    async () => {
      const full = openSync("/dev/full", "w");
      const run = startLenet([...TRAIN.split(" "), "--out", "full.h5"], folder, { stdout: full });
      expect(await run.done).toMatchObject({
        exitCode: 2,
        stderr: "lenet: standard output: no space left on the disk.\n",
      });
      closeSync(full);
      expect((await lenet("summary full.h5")).exitCode).toBe(0);

      symlinkSync("/dev/full", at("full.csv"));
      const outcome = await lenet(`${TRAIN} --out logged.h5 --log full.csv`);
      expect(outcome.stderr).toMatch(/^lenet: --log: [^\n]*full\.csv: the disk is full; [^\n]*goes on[^\n]*\n$/);
      expect(outcome.exitCode).toBe(0);
      expect(outcome.stdout).toContain("Saved to logged.h5");
    },
  );
});

describe("the model takes its input shape and classes from the data", () => {
  const outcomeOf = async (line: string) => {
    const outcome = await lenet(line);
    expect(outcome).toMatchObject({ exitCode: 0, stderr: "" });
    return outcome.stdout;
  };

  test("an .npz file of colour images", async () => {
    const colours = (count: number) =>
      new NDArray(
        Uint8Array.from({ length: count * 300 }, (_, i) => i),
        [count, 10, 10, 3],
      );
    const labels = (count: number) =>
      new NDArray(
        Int32Array.from({ length: count }, (_, i) => i % 4),
        [count, 1],
      );
    const arrays = { x_train: colours(40), y_train: labels(40), x_test: colours(8), y_test: labels(8) };
    await datasets.saveNpz(at("colours.npz"), arrays);
    await outcomeOf("train --data colours.npz --epochs 1 --batch-size 8 --out colours.h5");
    const table = await outcomeOf("summary colours.h5");
    for (const part of ["(None, 10, 10, 20)", "(None, 4)"]) expect(table).toContain(part);
    const score = JSON.parse(await outcomeOf("evaluate colours.h5 --data colours.npz --json"));
    expect(score.test_accuracy * 8).toBeCloseTo(Math.round(score.test_accuracy * 8), 5);
    expectMistake(
      await lenet("evaluate trained.h5 --data colours.npz"),
      "images are 10x10x3, but the model takes 28x28x1",
    );
  });

  test("a folder of class folders: another fifth for testing, the same for evaluate", async () => {
    for (const [digit, name] of ["zero", "one"].entries()) {
      mkdirSync(at("digits", name), { recursive: true });
      const found = [...Array(200).keys()].filter((index) => mnistLabel(index) === digit).slice(0, 10);
      for (const index of found) writeFileSync(at("digits", name, `${index}.png`), pngOf(mnistDigit(index)));
    }
    const options = "--input-shape 28x28x1 --epochs 4 --batch-size 4 --optimizer adam --seed 3";
    const lines = (await outcomeOf(`train --data digits ${options} --out two.h5 --json`)).trimEnd().split("\n");
    expect(await outcomeOf("summary two.h5")).toContain("(None, 2)");
    const score = JSON.parse(await outcomeOf("evaluate two.h5 --data digits --json"));
    expect(score.test_accuracy).toBe(1);
    expect(score.test_loss).toBeCloseTo(JSON.parse(lines.at(-1)!).test_loss, 5);
  });
});

describe("evaluate", () => {
  test("gives what training printed", async () => {
    const { test_loss, test_accuracy } = JSON.parse(trained.stdout.trimEnd().split("\n")[2] as string);
    const asJson = await lenet("evaluate trained.h5 --data small --json");
    expect(asJson).toMatchObject({ exitCode: 0, stderr: "" });
    const score = JSON.parse(asJson.stdout);
    expect(Object.keys(score)).toEqual(["test_loss", "test_accuracy", "classes", "confusion_matrix"]);
    expect(score.test_loss).toBeCloseTo(test_loss, 5);
    expect(score.test_accuracy).toBe(test_accuracy);
    const asText = await lenet("evaluate trained.h5 --data small");
    const lines = asText.stdout.split("\n");
    expect(lines.slice(0, 2)).toEqual([`Test loss: ${score.test_loss}`, `Test accuracy: ${score.test_accuracy}`]);
    const right = score.confusion_matrix.reduce((sum: number, row: number[], label: number) => sum + row[label]!, 0);
    const count = score.confusion_matrix.flat().reduce((sum: number, cell: number) => sum + cell, 0);
    expect(right / count).toBeCloseTo(test_accuracy, 10);
    expect(score.classes).toHaveLength(10);
    const { precision, recall, f1, support } = score.classes[3];
    const cells = ["3", ...[precision, recall, f1].map((share: number) => share.toFixed(4)), String(support)];
    expect(
      lines
        .find((line) => line.trim().startsWith("3 "))!
        .trim()
        .split(/ +/),
    ).toEqual(cells);
  });
});

describe("predict", () => {
  test("a digit and ten probabilities for each picture, PNG and JPEG, light or dark", async () => {
    const index = [...Array(200).keys()].find((candidate) => mnistLabel(candidate) === 1) as number;
    const ink = inkOf(mnistDigit(index), 8, 10, 5);
    writeFileSync(at("native.png"), pngOf(mnistDigit(index)));
    writeFileSync(at("dark.jpg"), jpegOf(paint(240, 240, (x, y) => 230 - 200 * ink(x, y))));
    const outcome = await lenet("predict trained.h5 native.png dark.jpg --json");
    expect(outcome).toMatchObject({ exitCode: 0, stderr: "" });
    const predictions = outcome.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(predictions.map(({ file }) => file)).toEqual(["native.png", "dark.jpg"]);
    for (const prediction of predictions) {
      expect(Object.keys(prediction)).toEqual(["file", "digit", "probabilities"]);
      expect(prediction.digit).toBe(1);
      expect(prediction.probabilities).toHaveLength(10);
      expect(prediction.probabilities.reduce((sum: number, value: number) => sum + value)).toBeCloseTo(1, 5);
    }
    const asText = await lenet("predict trained.h5 native.png");
    expect(asText.stdout).toMatch(/^native\.png: 1 {2}\(0: \d\.\d{4}, .*, 9: \d\.\d{4}\)\n$/);
  });

  test("a model of logits gives probabilities; one of another width is refused", async () => {
    const last = (units: number) => [
      layers.input({ shape: [28, 28, 1] }),
      layers.flatten(),
      layers.dense({ units, kernelInitializer: "heNormal" }),
    ];
    const model = new Sequential(last(10), { seed: 1 });
    model.compile({ loss: losses.sparseCategoricalCrossentropy({ fromLogits: true }) });
    await model.save(at("logits.h5"));
    await new Sequential(last(3)).save(at("three.h5"));
    writeFileSync(at("digit.png"), pngOf(mnistDigit(0)));
    const outcome = await lenet("predict logits.h5 digit.png --json");
    const { probabilities } = JSON.parse(outcome.stdout) as { probabilities: number[] };
    expect(probabilities.reduce((sum, value) => sum + value)).toBeCloseTo(1, 10);
    expect(Math.min(...probabilities)).toBeGreaterThan(0);
    expectMistake(await lenet("predict three.h5 digit.png"), "three.h5", "gives 10 values", "gives 3");
  });

  test("a picture that is none, is missing, or is blank: named, and nothing printed for the others", async () => {
    writeFileSync(at("good.png"), pngOf(mnistDigit(0)));
    writeFileSync(at("notes.txt"), "not a picture");
    writeFileSync(at("blank.png"), pngOf(paint(50, 50, () => 255)));
    expectMistake(await lenet("predict trained.h5 good.png notes.txt"), "notes.txt", "PNG or JPEG");
    expectMistake(await lenet("predict trained.h5 good.png absent.png"), "absent.png", "no such file");
    expectMistake(await lenet("predict trained.h5 good.png small"), "small", "folder");
    expectMistake(await lenet("predict trained.h5 good.png blank.png"), "blank.png", "no ink");
  });
});

describe("summary", () => {
  test("Keras's table", async () => {
    const outcome = await lenet("summary trained.h5");
    expect(outcome).toMatchObject({ exitCode: 0, stderr: "" });
    for (const part of ["Model:", "conv2d (Conv2D)", "(None, 28, 28, 20)", "dense_1 (Dense)", "1,256,080"]) {
      expect(outcome.stdout).toContain(part);
    }
  });
});

describe("what is refused: exit 2, one line, nothing lost", () => {
  test("unknown commands and options, values that are none", async () => {
    expectMistake(await lenet("trian"), "did you mean train?");
    expectMistake(await lenet("train --epoch 1"), "did you mean --epochs?");
    expectMistake(await lenet("train --epochs 1e3"), "--epochs", "1e3");
    expectMistake(await lenet("train --batch-size 0"), "--batch-size", "from 1");
  });

  test("where nothing can be saved, before training starts", async () => {
    writeFileSync(at("file"), "");
    const started = Date.now();
    expectMistake(await lenet("train --out absent/model.h5"), "--out", at("absent"), "does not exist");
    expectMistake(await lenet("train --out file/model.h5"), "--out", "not a folder");
    expectMistake(await lenet("train --out small"), "--out", ".h5");
    mkdirSync(at("folder.h5"));
    expectMistake(await lenet("train --out folder.h5"), "--out", "is a folder");
    expectMistake(await lenet("train --log absent/log.csv"), "--log", "does not exist");
    if (existsSync("/proc/self")) expectMistake(await lenet("train --out /proc/model.h5"), "--out", "/proc");
    expect(Date.now() - started).toBeLessThan(10_000);
  });

  test("a log that would overwrite what is read or saved, by whatever name", async () => {
    const model = readFileSync(at("trained.h5"));
    symlinkSync("trained.h5", at("symbolic.csv"));
    linkSync(at("trained.h5"), at("hard.csv"));
    symlinkSync(".", at("here"));
    for (const log of ["trained.h5", "symbolic.csv", "hard.csv", "here/trained.h5"]) {
      const outcome = await lenet(`${TRAIN} --epochs 1 --model trained.h5 --out b.h5 --log ${log}`);
      expectMistake(outcome, `--log: ${log} is also the model that --model reads`);
    }
    expectMistake(await lenet("train --out a.h5 --log here/a.h5"), "is also where --out saves the model");
    const labels = "small/train-labels-idx1-ubyte";
    expectMistake(await lenet(`${TRAIN} --log ${labels}`), `--log: ${labels} is also the file train-labels`);
    expect(readFileSync(at("trained.h5")).equals(model)).toBe(true);
    expect(existsSync(at("b.h5"))).toBe(false);
  });

  test("files that are no models", async () => {
    const model = readFileSync(at("trained.h5"));
    writeFileSync(at("empty.h5"), "");
    writeFileSync(at("random.h5"), Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7919) % 251)));
    writeFileSync(at("truncated.h5"), model.subarray(0, model.length >> 1));
    for (const name of ["absent.h5", "empty.h5", "random.h5", "truncated.h5", "small"]) {
      expectMistake(await lenet(`summary ${name}`), name);
    }
    expectMistake(await lenet("evaluate empty.h5 --data small"), "empty.h5");
    expectMistake(await lenet("predict empty.h5 small"), "small");
    expectMistake(await lenet("train --model empty.h5 --data small"), "empty.h5");
    expectMistake(await lenet("train --model trained.h5 --conv2-padding valid"), "--conv2-padding");
  });

  test("data that is none", async () => {
    mkdirSync(at("bare"));
    mkdirSync(at("wrong"));
    const spoil = (name: string, change: (bytes: Buffer) => Buffer) => {
      writeSmallMnist(at("wrong"), 64, 32);
      writeFileSync(at("wrong", name), change(readFileSync(at("wrong", name))));
    };
    const replace = (bytes: Buffer, at: number, ...values: number[]) =>
      Buffer.from(bytes).fill(Buffer.from(values), at, at + values.length);
    spoil("train-images-idx3-ubyte", (bytes) => replace(bytes, 8, 0, 0, 0, 56, 0, 0, 0, 14));
    const testImages = readFileSync(at("wrong", "t10k-images-idx3-ubyte"));
    writeFileSync(at("wrong", "t10k-images-idx3-ubyte"), replace(testImages, 8, 0, 0, 0, 56, 0, 0, 0, 14));
    expectMistake(
      await lenet("evaluate trained.h5 --data wrong"),
      "--data: its images are 56x14x1, but the model takes 28x28x1",
    );
    spoil("t10k-labels-idx1-ubyte", (bytes) => replace(bytes, 8 + 3, 10));
    expectMistake(
      await lenet("train --data wrong"),
      "--data: wrong, test set: expected labels from 0 to 9, as in the training set, got 10 at position 3",
    );
    writeSmallMnist(at("wrong"), 0, 32);
    expectMistake(
      await lenet("train --data wrong"),
      "--data: wrong, training set: expected at least one image, got none",
    );
    const withMagic = (bytes: Buffer) => Buffer.concat([Buffer.from([1, 2, 3, 4]), bytes.subarray(4)]);
    expectMistake(await lenet("train --data absent"), "absent");
    expectMistake(await lenet("train --data bare"), "bare", "train-images-idx3-ubyte");
    spoil("train-images-idx3-ubyte", withMagic);
    expectMistake(await lenet("train --data wrong"), "train-images-idx3-ubyte");
    spoil("t10k-labels-idx1-ubyte", (bytes) => bytes.subarray(0, 20));
    expectMistake(await lenet("evaluate trained.h5 --data wrong"), "t10k-labels-idx1-ubyte");
  });

  test("data of another kind, and options that do not fit them", async () => {
    writeFileSync(at("data.bin"), "data");
    writeFileSync(at("data.npz"), "data");
    expectMistake(await lenet("train --data data.bin"), "--data: data.bin: expected a folder or a .npz file");
    expectMistake(await lenet("train --data data.npz"), "data.npz: it is no zip archive, or a damaged one");
    expectMistake(await lenet("train --data data.npz --log data.npz"), "--log: data.npz is also the file that --data");
    await datasets.saveNpz(at("data.npz"), { x_train: new NDArray(new Int32Array(4), [1, 2, 2]) });
    expectMistake(
      await lenet("train --data data.npz"),
      "expected arrays x_train, y_train, x_test, y_test, found x_train",
    );
    expectMistake(await lenet("train --data mist"), "no file or folder mist", "mnist, fashion-mnist, kmnist, cifar10");
    expectMistake(await lenet("train --input-shape 28x28"), "--input-shape: expected height x width x channels");
    expectMistake(
      await lenet("train --input-shape 28x28x3"),
      "--input-shape: the images of --data mnist have their own",
    );
    const model = "train --data small --model trained.h5 --input-shape 28x28x1";
    expectMistake(await lenet(model), "--input-shape: a saved model (--model) has its own");
  });

  test("an existing file stays as it was, and no other is left behind", async () => {
    writeFileSync(at("precious.h5"), "precious");
    const before = readdirSync(folder).sort();
    expectMistake(await lenet("train --data absent --out precious.h5"));
    expectMistake(await lenet("train --model empty.h5 --data small --out precious.h5"));
    expect(readFileSync(at("precious.h5"), "utf8")).toBe("precious");
    expect(readdirSync(folder).sort()).toEqual(before);
    expect(statSync(at("trained.h5")).size).toBeGreaterThan(1_000_000);
  });
});
