/** Pictures in folders, against what Keras makes of the same ones (interop/make_data.py). */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import jpeg from "jpeg-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { pngOf } from "../../test/helpers/pictures.ts";
import { UserError } from "../errors.ts";
import { type ImageFolderOptions, imageFolder } from "./image-folder.ts";

const golden = (name: string) => fileURLToPath(new URL(`../../test/golden/data/${name}`, import.meta.url));
const keras = JSON.parse(readFileSync(golden("fruit.json"), "utf8"));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lenet-images-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Writes a picture of one grey level. */
function write(name: string, level: number): void {
  mkdirSync(join(folder, name, ".."), { recursive: true });
  writeFileSync(join(folder, name), pngOf({ width: 2, height: 2, data: new Uint8Array(4).fill(level) }));
}

async function failure(options: ImageFolderOptions = {}, directory = folder): Promise<string> {
  const error = await imageFolder(directory, options).then(
    () => expect.fail("it was loaded"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  return (error as Error).message;
}

describe("imageFolder", () => {
  it.each(["rgb", "rgba"] as const)("gives Keras's pictures, labels and class names, %s", async (colorMode) => {
    const options = { imageSize: [4, 5], colorMode, shuffle: false } as const;
    const { train, validation, classNames } = await imageFolder(golden("fruit"), options);
    const [images, labels] = train;
    expect(classNames).toEqual(keras.classNames);
    expect([...labels.data]).toEqual(keras[colorMode].labels);
    expect([labels.dtype, images.dtype, ...images.shape]).toEqual(["int32", "uint8", 5, 4, 5, colorMode.length]);
    const expected: number[] = keras[colorMode].images.flat();
    for (const [i, level] of images.data.entries()) expect(Math.abs(level - expected[i]!)).toBeLessThanOrEqual(0.51);
    expect(validation.map(({ length }) => length)).toEqual([0, 0]);
  });

  it("gives grey levels as luminance, and reads JPEG", async () => {
    const data = Buffer.from(Array.from({ length: 64 }, () => [200, 100, 50, 255]).flat());
    mkdirSync(join(folder, "a"));
    writeFileSync(join(folder, "a", "colour.jpeg"), jpeg.encode({ width: 8, height: 8, data }, 100).data);
    write("a/grey.png", 77);
    const { train } = await imageFolder(folder, { imageSize: 1, colorMode: "grayscale", shuffle: false });
    expect(Math.abs(train[0].data[0]! - (0.299 * 200 + 0.587 * 100 + 0.114 * 50))).toBeLessThan(2);
    expect(train[0].data[1]).toBe(77);
  });

  it("splits: the last ones of an order that depends on the seed alone", async () => {
    for (let level = 0; level < 10; level++) write(`${level % 2 ? "odd" : "even"}/${level}.png`, level);
    const load = async (seed: number) => {
      const { train, validation } = await imageFolder(folder, {
        imageSize: 1,
        validationSplit: 0.35,
        seed,
        colorMode: "grayscale",
      });
      expect([train[0].length, validation[0].length]).toEqual([7, 3]);
      for (const [images, labels] of [train, validation]) {
        expect([...labels.data]).toEqual([...images.data].map((level) => level % 2));
      }
      return [...train[0].data, ...validation[0].data];
    };
    const order = await load(3);
    expect([...order].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(await load(3)).toEqual(order);
    expect(await load(4)).not.toEqual(order);
  });

  it("takes the classes that are named, in their order; passes over other files, hidden folders and links", async () => {
    for (const [level, name] of ["a/1.png", "b/2.png", "c/3.png", ".d/4.png"].entries()) write(name, level);
    writeFileSync(join(folder, "a", "notes.txt"), "no picture");
    symlinkSync(folder, join(folder, "a", "around"));
    const load = (options: ImageFolderOptions) => imageFolder(folder, { imageSize: 2, shuffle: false, ...options });
    expect((await load({})).classNames).toEqual(["a", "b", "c"]);
    const { train, classNames } = await load({ classNames: ["c", "a"] });
    expect([classNames, [...train[1].data], train[0].data[0], train[0].data[12]]).toEqual([["c", "a"], [0, 1], 2, 0]);
  });
});

describe("imageFolder refuses", () => {
  it("what is no picture, by name", async () => {
    write("a/1.png", 1);
    writeFileSync(join(folder, "a", "2.png"), "no picture");
    expect(await failure()).toContain(`${folder}/a/2.png: expected a PNG or JPEG picture, found something else`);
    rmSync(join(folder, "a", "2.png"));
    writeFileSync(join(folder, "a", "3.gif"), "GIF89a");
    expect(await failure()).toContain(`${folder}/a/3.gif: GIF and BMP pictures are not read`);
  });

  it("folders without classes, without pictures, or that are not there", async () => {
    expect(await failure()).toContain(`${folder} has no folders; expected one for each class`);
    mkdirSync(join(folder, "a"));
    expect(await failure()).toContain("no PNG or JPEG pictures in the folders a");
    expect(await failure({ classNames: ["a", "z"] })).toContain(`${folder} has no folder z, only a.`);
    expect(await failure({}, join(folder, "absent"))).toContain("absent: there is no such file or folder");
  });

  it("more pictures than fit into memory, before it reads them", async () => {
    write("a/1.png", 1);
    expect(await failure({ imageSize: 30_000 })).toContain(
      "1 pictures of 30000x30000 (rgb) take 2.5 GiB, at most 2 fit",
    );
  });

  it.each([
    [{ imageSize: [0, 5] }, "imageSize must be a positive integer"],
    [{ colorMode: "bgr" }, 'colorMode must be one of "grayscale", "rgb", "rgba"'],
    [{ validationSplit: 1 }, "validationSplit must be a number from 0 to below 1"],
    [{ classNames: ["../a"] }, "classNames must be names of folders"],
    [{ image_size: 5 }, "did you mean imageSize?"],
  ])("%j", async (options, message) => {
    expect(await failure(options as ImageFolderOptions)).toContain(message);
  });
});
