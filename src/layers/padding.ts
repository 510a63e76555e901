/** Images and their padding, as TensorFlow pads them. */
import { formatShape } from "../array.ts";
import { UserError } from "../errors.ts";
import type { Shape } from "../kernels/op.ts";
import type { Padding } from "../kernels/window.ts";

/** "valid": windows stay within the image; "same": the image is padded with zeros, so that without strides its size stays. */
export type PaddingName = "valid" | "same";

/** Expects an image: (height, width, channels). */
export function checkImage(input: Shape, where: string): void {
  if (input.length === 3) return;
  throw new UserError(
    `${where}: expected images of shape (height, width, channels), got samples of shape ${formatShape(input)}.`,
  );
}

/** "same" gives ceil(size / stride) positions; an odd zero goes to the bottom or right. */
export function paddingFor(
  name: PaddingName,
  image: Shape,
  window: readonly [number, number],
  strides: readonly [number, number],
): Padding {
  if (name === "valid") return [0, 0, 0, 0];
  const [top, bottom] = sameSides(image[0]!, window[0], strides[0]);
  const [left, right] = sameSides(image[1]!, window[1], strides[1]);
  return [top, bottom, left, right];
}

function sameSides(size: number, window: number, stride: number): [before: number, after: number] {
  const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + window - size);
  const before = Math.floor(total / 2);
  return [before, total - before];
}
