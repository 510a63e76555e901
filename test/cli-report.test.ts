/** `--report` of `lenet train` and `lenet evaluate`, and `lenet predict --show`, as processes. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeColours } from "../src/image/decode.ts";
import { datasets, NDArray } from "../src/index.ts";
import { expectMistake, type Outcome, runLenet, startLenet, writeSmallMnist } from "./helpers/command.ts";
import { mnistDigit, mnistLabel, pngOf } from "./helpers/pictures.ts";

let folder: string;
let trained: Outcome;
const at = (...names: string[]) => join(folder, ...names);
const lenet = (line: string) => runLenet(line.split(" "), folder);
const TRAIN = "train --data small --epochs 2 --batch-size 32 --threads 2";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lenet-report-"));
  mkdirSync(at("small"));
  writeSmallMnist(at("small"), 640, 200);
  trained = await lenet(`${TRAIN} --out trained.h5 --report trained.html --json`);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const read = (name: string) => readFileSync(at(name), "utf8").replaceAll("\u00a0", " ");
const rowOf = (page: string, name: string) =>
  new RegExp(`<th scope="row">${name}</th><td>([^<]*)</td>`).exec(page)?.[1];
const matrixOf = (page: string) => {
  const table = /<table class="matrix[\s\S]*?<\/table>/.exec(page)![0];
  const rows = [...table.matchAll(/<tr><th scope="row">[\s\S]*?<\/tr>/g)];
  return rows.map(([row]) => [...row.matchAll(/<td[^>]*>(\d+)</g)].map(([, cell]) => Number(cell)));
};

describe("of training", () => {
  test("the JSON lines are as they are without", () => {
    expect(trained).toMatchObject({ exitCode: 0, stderr: "" });
    const lines = trained.stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(3);
    expect(Object.keys(JSON.parse(lines[2]!))).toEqual(["test_loss", "test_accuracy", "saved"]);
  });

  test("says what was printed: epochs, score, settings", () => {
    const page = read("trained.html");
    const lines = trained.stdout.trimEnd().split("\n");
    const [first, second, end] = lines.map((line) => JSON.parse(line));
    for (const { val_loss, loss } of [first, second]) {
      for (const value of [val_loss, loss]) expect(page).toContain(`<td>${Number(value.toPrecision(4))}</td>`);
    }
    expect(page).toContain(`<dd>${(100 * end.test_accuracy).toFixed(2)} %</dd>`);
    expect(rowOf(page, "Images")).toBe("640 for training, 200 for testing");
    expect(rowOf(page, "Optimizer")).toBe("Adam: learning_rate 0.001, beta_1 0.9, beta_2 0.999, epsilon 1e-7");
    expect(rowOf(page, "Epochs")).toBe("2");
    expect(rowOf(page, "Threads")).toBe("2");
    expect(rowOf(page, "Saved to")).toBe("trained.h5");
    expect(page).toContain("<td>1,256,080</td></tr></tfoot>");
  });

  test("shows the very images that were mistaken", () => {
    const pictures = /alt="Test image (\d+): (\d), taken for (\d)"/g;
    const page = read("trained.html");
    const images = [...page.matchAll(/<img src="data:image\/png;base64,([^"]*)"/g)].map(([, file]) => file!);
    const found = [...page.matchAll(pictures)].map(([, ...numbers]) => numbers.map(Number));
    const mistakes = Number(/<dd>(\d+) of 200<\/dd>/.exec(page)![1]);
    expect(mistakes).toBeGreaterThan(0);
    expect(found).toHaveLength(Math.min(mistakes, 24));
    for (const [i, [index, label, taken]] of found.entries()) {
      expect(label).toBe(mnistLabel(index!));
      expect(taken).not.toBe(label);
      const { data } = decodeColours(Buffer.from(images[i]!, "base64"), "picture");
      expect(data.filter((_, at) => at % 4 === 0)).toEqual(mnistDigit(index!).data);
    }
  });

  test("gone on with: the curves begin at the first epoch", async () => {
    const line = `${TRAIN} --out kept.h5 --report kept.html --checkpoint run`;
    expect((await lenet(line.replace("--epochs 2", "--epochs 1"))).exitCode).toBe(0);
    const outcome = await lenet(`${line} --resume`);
    expect(outcome.exitCode).toBe(0);
    expect(outcome.stdout).toMatch(/Saved to kept\.h5\nReport in kept\.html\n$/);
    const table = (page: string) => /<caption class="unseen">Values by epoch[\s\S]*?<\/table>/.exec(page)![0];
    expect(table(read("kept.html"))).toBe(table(read("trained.html")));
  });

  test("broken off: no report, and it is said", async () => {
    const run = startLenet([..."train --data small --epochs 1000 --report off.html".split(" ")], folder);
    await run.until("stdout", "Epoch 1/");
    run.child.kill("SIGINT");
    const { exitCode, stderr } = await run.done;
    expect(exitCode).toBe(130);
    expect(stderr).toMatch(/^lenet: interrupted[^\n]*\nlenet: --report: [^\n]*there is no report\.\n$/);
    expect(existsSync(at("off.html"))).toBe(false);
  });
});

describe("of a saved model", () => {
  test("says what evaluate says", async () => {
    const outcome = await lenet("evaluate trained.h5 --data small --report tested.html --json");
    expect(outcome).toMatchObject({ exitCode: 0, stderr: "" });
    const { confusion_matrix, classes } = JSON.parse(outcome.stdout);
    const page = read("tested.html");
    expect(matrixOf(page)).toEqual(confusion_matrix);
    expect(page).toContain(`<td>${(100 * classes[3].precision).toFixed(2)} %</td>`);
    expect(page).not.toContain("by epoch");
    const asText = await lenet("evaluate trained.h5 --data small --report tested.html");
    expect(asText.stdout).toMatch(/\nReport in tested\.html\n$/);
  });

  test("colours, and classes by the names of their folders", async () => {
    for (const [digit, name] of ["zéro & <co>", "one"].entries()) {
      mkdirSync(at("digits", name), { recursive: true });
      const found = [...Array(200).keys()].filter((index) => mnistLabel(index) === digit).slice(0, 10);
      for (const index of found) writeFileSync(at("digits", name, `${index}.png`), pngOf(mnistDigit(index)));
    }
    const options = "--epochs 1 --steps-per-epoch 1 --batch-size 4 --out two.h5";
    expect((await lenet(`train --data digits ${options} --report two.html`)).exitCode).toBe(0);
    const page = read("two.html");
    expect(page).toContain('<th scope="row">zéro &amp; &lt;co&gt;</th>');
    expect(rowOf(page, "Shape")).toBe("32 × 32 × 3, 2 classes");
    expect(rowOf(page, "Steps an epoch")).toBe("1");
    expect(matrixOf(page).map((row) => row.length)).toEqual([2, 2]);
  });

  test("many classes, and floats", async () => {
    const images = (count: number) =>
      new NDArray(
        Float32Array.from({ length: count * 64 }, (_, i) => Math.sin(i)),
        [count, 8, 8, 1],
      );
    const labels = (count: number) =>
      new NDArray(
        Int32Array.from({ length: count }, (_, i) => i % 40),
        [count],
      );
    const arrays = { x_train: images(80), y_train: labels(80), x_test: images(80), y_test: labels(80) };
    await datasets.saveNpz(at("forty.npz"), arrays);
    const outcome = await lenet("train --data forty.npz --epochs 1 --out forty.h5 --report forty.html");
    expect(outcome).toMatchObject({ exitCode: 0, stderr: "" });
    const page = read("forty.html");
    expect(page).toContain("Mistakes of the 20 worst classes");
    expect(page).not.toContain("NaN");
  });
});

describe("what is refused: exit 2, one line, before any work is done", () => {
  test("a report that cannot be written, or is something else", async () => {
    const before = readdirSync(folder).sort();
    const started = Date.now();
    for (const command of ["train", "evaluate trained.h5"]) {
      expectMistake(await lenet(`${command} --report absent/r.html`), "--report", at("absent"), "does not exist");
      expectMistake(await lenet(`${command} --report small/t10k-labels-idx1-ubyte`), "--report", "ends in .html");
      expectMistake(await lenet(`${command} --report trained.h5`), "--report", "ends in .html", '"trained.h5"');
      if (existsSync("/proc/self")) expectMistake(await lenet(`${command} --report /proc/r.html`), "--report", "/proc");
    }
    expect(Date.now() - started).toBeLessThan(20_000);
    expect(readdirSync(folder).sort()).toEqual(before);
  });

  test("by whatever name what is read or written otherwise", async () => {
    mkdirSync(at("folder.html"));
    symlinkSync("trained.h5", at("model.html"));
    symlinkSync("small/train-labels-idx1-ubyte", at("labels.html"));
    symlinkSync(".", at("here"));
    const model = readFileSync(at("trained.h5"));
    const refused = async (line: string, part: string) => expectMistake(await lenet(line), "--report", part);
    await refused("train --report folder.html", "is a folder");
    await refused("evaluate trained.h5 --report model.html", "model.html is also the model; give the report another");
    await refused("train --out trained.h5 --report model.html", "is also where --out saves the model");
    await refused("train --model trained.h5 --report model.html", "is also the model that --model reads");
    await refused("train --data small --report labels.html", "is also the file train-labels-idx1-ubyte");
    await refused("train --log r.html --report here/r.html", "is also where --log writes");
    expect(readFileSync(at("trained.h5")).equals(model)).toBe(true);
  });

  test("an existing report stays where the command fails", async () => {
    writeFileSync(at("precious.html"), "precious");
    expectMistake(await lenet("evaluate absent.h5 --report precious.html"), "absent.h5");
    expectMistake(await lenet("train --data absent --report precious.html"), "absent");
    expect(read("precious.html")).toBe("precious");
  });
});

describe("predict --show", () => {
  test("draws each digit, in plain characters where it is no terminal", async () => {
    writeFileSync(at("a.png"), pngOf(mnistDigit(0)));
    const outcome = await lenet("predict trained.h5 a.png a.png --show");
    expect(outcome).toMatchObject({ exitCode: 0, stderr: "" });
    expect(outcome.stdout).toMatch(/^[ -~\n]*$/);
    const lines = outcome.stdout.split("\n").slice(0, -1);
    expect(lines).toHaveLength(31);
    expect(lines[15]).toBe("");
    expect(lines.slice(16)).toEqual(lines.slice(0, 15));
    const [, digit] = /^a\.png: (\d)$/.exec(lines[0]!)!;
    expect(lines.find((line) => line.endsWith("<"))).toMatch(new RegExp(`   ${digit} #`));
  });

  test("with --json: refused", async () => {
    expectMistake(await lenet("predict trained.h5 a.png --show --json"), "--show", "--json", "leave one");
  });
});
