import { describe, expect, test } from "vitest";
import { inkOf, jpegOf, meanDifference, mnistDigit, noise, paint, pngOf } from "../../test/helpers/pictures.ts";
import { UserError } from "../errors.ts";
import { decodeImage } from "./decode.ts";
import { prepareDigit } from "./digit.ts";
import type { GreyImage } from "./pictures.ts";

const DIGITS = Array.from({ length: 25 }, (_, index) => mnistDigit(index));

/** Mean difference from MNIST's original, over the digits, of what becomes of the pictures that `make` paints. */
function difference(make: (digit: GreyImage) => GreyImage): number {
  const differences = DIGITS.map((digit) => meanDifference(prepareDigit(make(digit), "picture").data, digit.data));
  return differences.reduce((sum, value) => sum + value, 0) / differences.length;
}

/** How far MNIST's digits are from each other, the scale for the limits below. */
function differenceBetweenDigits(): number {
  const pairs = DIGITS.slice(1).map((digit, i) => meanDifference(digit.data, (DIGITS[i] as GreyImage).data));
  return pairs.reduce((sum, value) => sum + value, 0) / pairs.length;
}

const asPng = (image: GreyImage) => decodeImage(pngOf(image), "picture");
const asJpeg = (image: GreyImage, tint?: [number, number, number]) => decodeImage(jpegOf(image, 75, tint), "picture");

describe("pictures of MNIST digits come back as MNIST has them", () => {
  test("the limits below tell digits apart", () => expect(differenceBetweenDigits()).toBeGreaterThan(35));

  test("unchanged and inverted", () => {
    expect(difference(asPng)).toBeLessThan(0.5);
    expect(difference((digit) => paint(28, 28, (x, y) => 255 - (digit.data[28 * y + x] as number)))).toBeLessThan(0.5);
  });

  test("enlarged", () => {
    expect(difference((digit) => paint(224, 224, (x, y) => 255 * inkOf(digit, 8)(x, y)))).toBeLessThan(10);
    const blocks = (digit: GreyImage) =>
      paint(196, 196, (x, y) => digit.data[28 * Math.floor(y / 7) + Math.floor(x / 7)] as number);
    expect(difference(blocks)).toBeLessThan(3);
  });

  test("dark on light, off centre", () => {
    const page = (digit: GreyImage) => {
      const ink = inkOf(digit, 4.3, 300, 20);
      return asPng(paint(500, 200, (x, y) => 240 - 200 * ink(x, y)));
    };
    expect(difference(page)).toBeLessThan(10);
  });

  test("coloured, as JPEG", () => {
    const page = (digit: GreyImage) => {
      const ink = inkOf(digit, 7, 10, 30);
      return asJpeg(
        paint(240, 260, (x, y) => 230 - 190 * ink(x, y)),
        [1, 0.8, 0.6],
      );
    };
    expect(difference(page)).toBeLessThan(10);
  });

  test("cut out tightly, so that the strokes touch the border", () => {
    const tight = (digit: GreyImage) => {
      const ink = inkOf(digit, 8, -32, -32);
      return paint(160, 160, (x, y) => 250 - 240 * ink(x, y));
    };
    expect(difference(tight)).toBeLessThan(15);
  });

  test("small in a large, noisy picture", () => {
    const page = (digit: GreyImage) => {
      const ink = inkOf(digit, 2.5, 900, 500);
      return paint(1200, 900, (x, y) => 235 + 3 * noise(x, y) - 180 * ink(x, y));
    };
    expect(difference(page)).toBeLessThan(12);
  });
});

describe("photographs", () => {
  const photo = (light: (x: number, y: number) => number) => (digit: GreyImage) => {
    const ink = inkOf(digit, 7, 40, 30);
    return paint(300, 270, (x, y) => (light(x, y) + 8 * noise(x, y)) * (1 - 0.65 * ink(x, y)));
  };

  test("light from one side", () => expect(difference(photo((x, y) => 215 - 0.3 * x - 0.15 * y))).toBeLessThan(12));

  test("dark corners", () => {
    const light = (x: number, y: number) => 215 - 50 * (((x - 150) / 150) ** 2 + ((y - 135) / 135) ** 2);
    expect(difference(photo(light))).toBeLessThan(12);
  });

  test("a shadow across the page", () => {
    expect(difference(photo((x, y) => (x + y < 250 ? 120 : 215)))).toBeLessThan(14);
  });

  test("dust is not taken for ink", () => {
    const dusty = (digit: GreyImage) => {
      const ink = inkOf(digit, 7, 40, 30);
      return paint(300, 270, (x, y) => (Math.hypot(x - 280, y - 250) < 4 ? 40 : 220 - 180 * ink(x, y)));
    };
    expect(difference(dusty)).toBeLessThan(10);
  });
});

describe("the rules of MNIST", () => {
  test("longest side 20, aspect kept, centre of mass in the middle", () => {
    const bar = paint(400, 300, (x, y) => (x >= 50 && x < 80 && y >= 20 && y < 220 ? 20 : 230));
    const { data, shape, dtype } = prepareDigit(bar, "bar");
    expect([shape, dtype]).toEqual([[28, 28, 1], "uint8"]);
    const inked = (x: number, y: number) => x >= 13 && x < 16 && y >= 5 && y < 25;
    expect([...data]).toEqual([...paint(28, 28, (x, y) => (inked(x, y) ? 255 : 0)).data]);
  });

  test("a digit with its weight at one end stays inside", () => {
    const wedge = paint(300, 100, (x, y) => (x > 20 && x < 270 && y < (x < 200 ? 52 : 90) && y > 48 ? 0 : 255));
    const { data } = prepareDigit(wedge, "wedge");
    let [ink, moment] = [0, 0];
    data.forEach((value, i) => {
      ink += value;
      moment += value * (i % 28);
    });
    expect(Math.abs(moment / ink - 14)).toBeLessThan(4);
    expect(ink).toBeGreaterThan(0);
  });

  test("a line of a thin pen keeps its strength", () => {
    const line = paint(400, 400, (x, y) => (Math.abs(x - 200 - 0.3 * (y - 200)) < 1 && y > 40 && y < 360 ? 60 : 250));
    const { data } = prepareDigit(line, "line");
    expect(data.filter((value) => value > 127).length).toBeGreaterThanOrEqual(20);
  });
});

describe("no ink", () => {
  const blanks: [string, GreyImage][] = [
    ["white", paint(100, 80, () => 255)],
    ["one pixel", paint(1, 1, () => 0)],
    ["noise", paint(300, 200, (x, y) => 200 + 6 * noise(x, y))],
    ["uneven light", paint(300, 200, (x, y) => 220 - 0.3 * x - 0.2 * y)],
  ];
  test.each(blanks)("%s", (_, picture) => {
    expect(() => prepareDigit(picture, "blank.png")).toThrow(UserError);
    expect(() => prepareDigit(picture, "blank.png")).toThrow(/^blank\.png: no ink found/);
  });
});
