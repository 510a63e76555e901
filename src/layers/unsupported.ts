/** Refuses what a Keras config asks for and we do not have, instead of computing something else. */
import { type Config, isConfig, show } from "../arguments.ts";
import { UserError } from "../errors.ts";

/**
 * Checks the keys that change what a layer computes. `supported` gives for each the one value that we have; a key that
 * is absent or null means Keras's default, which is that value.
 */
export function refuseUnsupported(className: string, config: Config, supported: Config): void {
  for (const [key, value] of Object.entries(supported)) {
    const found = config[key];
    const plain = Array.isArray(value) && typeof found === "number" ? [found, found] : found;
    if (plain === undefined || plain === null || show(plain) === show(value)) continue;
    const expected = value === null ? "none" : show(value);
    throw new UserError(`${className} ${show(config.name)}: ${key} ${show(found)} is not supported, only ${expected}.`);
  }
  const dtype = isConfig(config.dtype) && isConfig(config.dtype.config) ? config.dtype.config.name : config.dtype;
  if (dtype !== undefined && dtype !== null && dtype !== "float32") {
    throw new UserError(`${className} ${show(config.name)}: dtype ${show(dtype)} is not supported, only "float32".`);
  }
}
