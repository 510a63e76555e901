/** Outputs of classifiers as probabilities. */
import type { Sequential } from "../index.ts";

/** Whether a model's outputs are logits: where the loss that it was trained with takes logits. */
export function givesLogits(model: Sequential): boolean {
  return model.compiled?.loss.config.from_logits === true;
}

export function softmax(logits: readonly number[]): number[] {
  const largest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
