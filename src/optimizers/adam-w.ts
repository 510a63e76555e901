import { type AdamOptions, adamLike } from "./adam.ts";
import type { Optimizer } from "./optimizer.ts";

/**
 * Adam with decoupled weight decay (Loshchilov & Hutter 2019), 0.004 unless said otherwise; learning rate 0.001.
 * https://keras.io/api/optimizers/adamw/
 */
export function adamW(options: AdamOptions = {}): Optimizer {
  return adamLike({ where: "adamW", className: "AdamW", name: "adam_w" }, { weightDecay: 0.004, ...options });
}
