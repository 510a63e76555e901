/**
 * Which of its four positions won a 2x2 pooling window, for the gradients behind it. A winner is written as the bytes of
 * one lane of a vector, so that one swizzle takes what belongs to it from a vector of four numbers.
 */
import type { Value } from "./op.ts";

/** The winner at a position, 0 to 3, row by row. */
export const winnerAt = (position: number) => 0x03020100 + position * 0x04040404;

/** The position of a winner. */
export const positionOf = (winner: number) => (winner >> 2) & 3;

/**
 * Gradient of a fused pooling over windows of 2x2, for references: dy and the winners, both
 * (height / 2, width / 2, channels) → (height, width, channels), zero wherever no winner was.
 */
export function unpooled(dy: Value, winners: Value, [height, width]: readonly [number, number], batch: number): Value {
  const [rows, columns, channels] = dy.shape as [number, number, number];
  const data = new Float32Array(batch * height * width * channels);
  for (let i = 0; i < batch * rows * columns * channels; i++) {
    const window = Math.floor(i / channels);
    const position = positionOf(winners.data[i]!);
    const row = 2 * (Math.floor(window / columns) % rows) + (position >> 1);
    const column = 2 * (window % columns) + (position & 1);
    const n = Math.floor(window / columns / rows);
    data[((n * height + row) * width + column) * channels + (i % channels)] = dy.data[i]!;
  }
  return { ...dy, shape: [height, width, channels], data };
}
