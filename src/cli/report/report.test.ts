import { describe, expect, test } from "vitest";
import { decodeColours } from "../../image/decode.ts";
import { NDArray } from "../../index.ts";
import { type ReportData, renderReport } from "./page.ts";
import { pictureOf } from "./pictures.ts";
import { decimals, duration, fileName, probability } from "./words.ts";

/** A report of three classes, one of them with a name that would break a page. */
const DATA: ReportData = {
  title: `model "<b>.h5`,
  subtitle: "2026-01-01 00:00 UTC",
  score: { test_loss: 0.0336, test_accuracy: 0.7 },
  scores: [
    { precision: 0.75, recall: 0.6, f1: 2 / 3, support: 5 },
    { precision: 0.5, recall: 1, f1: 2 / 3, support: 2 },
    { precision: 1, recall: 2 / 3, f1: 0.8, support: 3 },
  ],
  confusions: {
    names: ["cat", "<script>alert(1)</script>", "a & b"],
    matrix: [
      [3, 2, 0],
      [0, 2, 0],
      [1, 0, 2],
    ],
  },
  mistakes: {
    count: 3,
    areProbabilities: true,
    worst: [
      {
        index: 7,
        label: 0,
        taken: 1,
        outputs: { label: 0.01, taken: 0.99 },
        picture: { address: "data:image/png;base64,AA==", width: 28, height: 28 },
      },
    ],
  },
  curves: {
    epochs: [1, 2],
    values: { accuracy: [0.5, 0.9], loss: [2, 1], val_accuracy: [0.6, 0.7], val_loss: [3, 4] },
  },
  inputShape: [28, 28, 1],
  layers: [
    { name: "conv2d", className: "Conv2D", outputShape: [28, 28, 20], parameters: 520, trainable: true },
    { name: "dense", className: "Dense", outputShape: [3], parameters: 1000, trainable: false },
  ],
  settings: [["Data", `<img src="x">`]],
  environment: [["Node", "20.19.0"]],
};

/** The text of the cells of each row of the table with a caption. */
function rowsOf(page: string, caption: string): string[][] {
  const table = [...page.matchAll(/<table[\s\S]*?<\/table>/g)].find(([text]) =>
    text.includes(`>${caption}</caption>`),
  )!;
  const rows = [...table[0].matchAll(/<tr>[\s\S]*?<\/tr>/g)].map(([row]) => row);
  return rows.map((row) => [...row.matchAll(/<t[hd][^>]*>([\s\S]*?)<\/t[hd]>/g)].map(([, cell]) => cell!));
}

describe("the page", () => {
  const page = renderReport(DATA);

  test("has all of its parts, the loss first", () => {
    const headings = [...page.matchAll(/<h2[^>]*>([^<]*)</g)].map(([, text]) => text);
    expect(headings).toEqual(["Training", "Confusion matrix", "Class by class", "Mistakes", "Layers", "The run"]);
    const figures = [...page.matchAll(/<figcaption>([^<]+)</g)].map(([, text]) => text);
    expect(figures).toEqual(["Loss by epoch", "Accuracy by epoch", "Mistakes of each class"]);
  });

  test("fetches nothing and runs nothing", () => {
    expect(page).not.toMatch(/<script|<link[^>]*href="(?!data:)|url\(|@import| src="(?!data:)/i);
    expect(page).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg")/);
    expect(page).toContain(`http-equiv="Content-Security-Policy" content="default-src 'none';`);
  });

  test("escapes whatever users name", () => {
    expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
    expect(page).toContain("<title>model &quot;&lt;b&gt;.h5 – lenet</title>");
    expect(page).toContain("<td>&lt;img src=&quot;x&quot;&gt;</td>");
    expect(page).toContain(`alt="Test image 7: cat, taken for &lt;script&gt;alert(1)&lt;/script&gt;"`);
  });

  test("its tables say what the data say", () => {
    const script = "&lt;script&gt;alert(1)&lt;/script&gt;";
    expect(rowsOf(page, "Rows: what it is. Columns: what it was taken for.").slice(1)).toEqual([
      ["cat", "3", "2", "0"],
      [script, "0", "2", "0"],
      ["a &amp; b", "1", "0", "2"],
    ]);
    expect(rowsOf(page, "Most frequent confusions").slice(1)).toEqual([
      ["cat", script, "2", "40.00\u00a0%"],
      ["a &amp; b", "cat", "1", "33.33\u00a0%"],
    ]);
    expect(rowsOf(page, "Scores of each class")[1]).toEqual([
      "cat",
      "5",
      "75.00\u00a0%",
      "60.00\u00a0%",
      "66.67\u00a0%",
    ]);
    expect(rowsOf(page, "Values by epoch")).toEqual([
      ["Epoch", "Loss, training", "Loss, test", "Accuracy, training", "Accuracy, test"],
      ["1", "2", "3", "50\u00a0%", "60\u00a0%"],
      ["2", "1", "4", "90\u00a0%", "70\u00a0%"],
    ]);
    expect(rowsOf(page, "Layers, their outputs and parameters").at(-1)).toEqual(["together", "", "1,520"]);
    expect(page).toContain("Dense, frozen");
    expect(page).toContain("<dd>3 of 10</dd>");
  });

  test("charts say in words what they show", () => {
    expect(page).toContain("training: from 2 in epoch 1 to 1 in epoch 2. test: from 3 in epoch 1 to 4 in epoch 2.");
    expect(page).toContain("Most: cat, 40.00\u00a0%.");
  });

  test("of a saved model: without curves", () => {
    const { curves, ...saved } = DATA;
    const report = renderReport(saved);
    expect(report).not.toContain("by epoch");
    expect(report).toContain("Mistakes of each class");
  });

  test("of a model that makes no mistakes, and of one class", () => {
    const report = renderReport({
      ...DATA,
      scores: [{ precision: 1, recall: 1, f1: 1, support: 4 }],
      confusions: { names: ["cat"], matrix: [[4]] },
      mistakes: { count: 0, worst: [], areProbabilities: true },
    });
    for (const text of ["There are none.", "Nothing was taken for something else.", "<dd>0 of 4</dd>"]) {
      expect(report).toContain(text);
    }
    expect(report).not.toContain("NaN");
  });

  test("of many classes: no matrix, the worst of them as bars", () => {
    const names = Array.from({ length: 400 }, (_, label) => `class ${label}`);
    // Every class but the first two has a sample; that of class 9 is taken for class 8.
    const matrix = names.map((_, label) =>
      names.map((_, other) => Number(label > 1 && other === (label === 9 ? 8 : label))),
    );
    const scores = names.map((_, label) => {
      const right = label > 1 && label !== 9 ? 1 : 0;
      return { precision: right, recall: right, f1: right, support: Number(label > 1) };
    });
    const report = renderReport({ ...DATA, confusions: { names, matrix }, scores });
    expect(report).not.toContain("Columns: what it was taken for");
    expect(rowsOf(report, "Most frequent confusions").slice(1)).toEqual([["class 9", "class 8", "1", "100.00\u00a0%"]]);
    expect(report).toContain("Mistakes of the 20 worst classes");
    expect(report.match(/class="bar/g)).toHaveLength(20);
    expect(rowsOf(report, "Scores of each class")).toHaveLength(401);
    expect(report).not.toContain("NaN");
  });
});

describe("pictures", () => {
  const pixelsOf = (images: NDArray, index: number) => {
    const picture = pictureOf(images, index);
    const file = Buffer.from(picture.address.replace("data:image/png;base64,", ""), "base64");
    const { width, height, data } = decodeColours(file, "picture");
    expect({ width, height }).toEqual({ width: picture.width, height: picture.height });
    return Array.from({ length: width * height }, (_, i) => [...data.subarray(4 * i, 4 * i + 3)]);
  };

  test("bytes as they are: grey, colour, and of four channels three", () => {
    const bytes = Uint8Array.from({ length: 24 }, (_, i) => 10 * i);
    expect(pixelsOf(new NDArray(bytes, [6, 2, 2, 1]), 1)).toEqual([40, 50, 60, 70].map((v) => [v, v, v]));
    expect(pixelsOf(new NDArray(bytes, [4, 1, 2, 3]), 1)).toEqual([
      [60, 70, 80],
      [90, 100, 110],
    ]);
    expect(pixelsOf(new NDArray(bytes, [6, 1, 1, 4]), 2)).toEqual([[80, 90, 100]]);
  });

  test.each([
    ["from 0 to 1", [0, 0.5, 1], [0, 128, 255]],
    ["from 0 to 255", [0, 100, 255], [0, 100, 255]],
    ["from -1 to 1", [-1, 0, 1], [0, 128, 255]],
    ["of any size", [0, 500, 1000], [0, 128, 255]],
    ["that are no numbers", [Number.NaN, 0, 1], [0, 0, 255]],
    ["all black", [0, 0, 0], [0, 0, 0]],
  ])("floats %s", (_, values, expected) => {
    const images = new NDArray(Float32Array.from(values), [1, 1, 3, 1]);
    expect(pixelsOf(images, 0).map(([grey]) => grey)).toEqual(expected);
  });

  test("of two channels the mean", () => {
    expect(pixelsOf(new NDArray(Uint8Array.of(0, 100, 50, 150), [1, 1, 2, 2]), 0)).toEqual([
      [50, 50, 50],
      [100, 100, 100],
    ]);
  });

  test("large ones are scaled down", () => {
    const large = new NDArray(new Uint8Array(500 * 300 * 3).fill(90), [1, 300, 500, 3]);
    expect(pictureOf(large, 0)).toMatchObject({ width: 160, height: 96 });
    expect(new Set(pixelsOf(large, 0).flat())).toEqual(new Set([90]));
  });
});

test("numbers in words", () => {
  const plain = (text: string) => text.replaceAll("\u00a0", " ");
  expect([4.21, 59.4, 89, 3725].map(duration).map(plain)).toEqual(["4.2 s", "59 s", "1 min 29 s", "1 h 2 min"]);
  expect([0, 1, 0.5, 1e-6, 1 - 1e-6].map(probability).map(plain)).toEqual([
    "0.00 %",
    "100.00 %",
    "50.00 %",
    "below 0.01 %",
    "over 99.99 %",
  ]);
  expect([0.033612, 12, Number.POSITIVE_INFINITY].map(decimals)).toEqual(["0.03361", "12", "Infinity"]);
  expect(["a/b.h5", "c:\\d\\e.h5", "dir/", "/"].map(fileName)).toEqual(["b.h5", "e.h5", "dir", "/"]);
});
